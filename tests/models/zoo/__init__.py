"""A zoo of ordinary models, as a user writes them: builders of any size, each with the same model written in plain loops.

``MODELS`` is the list of them by name; ``MODELS["min_gru"].made(T=100, B=16, D=8, H=32)`` builds one, with feeds.
"""

from importlib import import_module

from zoo.model import MODELS, Case, Entry, Sketch

FAMILIES = (
    "recurrent",
    "cells",
    "gated",
    "spaces",
    "dynamics",
    "attention",
    "sequences",
    "probability",
    "memory",
    "stopping",
    "trees",
    "settling",
)
for family in FAMILIES:
    import_module(f"zoo.{family}")

__all__ = ["MODELS", "Case", "Entry", "Sketch"]
