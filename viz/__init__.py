"""Pictures of graphs: folded, unfolded, reversed, with magnitudes, scheduled; and plots of numbers.

>>> import autograd_seq as ag
>>> import viz
>>> t = ag.Axis("t")
>>> s = ag.state("s", over=t)
>>> s[t] = ag.tanh(ag.param("W") * s[t - 1])
>>> viz.unfolded(ag.Graph(s), t=3)
<Diagram of 7 marks and 3 lines; .save(path) draws it>

Importing this package imports neither matplotlib nor Graphviz: `viz.plots` is loaded when it is first used, and
pictures are rendered in a process of their own.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from autograd_seq.core.hints import refuse_unknown_names
from viz.adjoint import adjoint
from viz.animation import Animation, animate
from viz.card import card
from viz.delay_line import delay_line
from viz.diagram import Diagram
from viz.errors import DrawError, GlyphWarning, RenderError, TooLargeError
from viz.folded import folded
from viz.heat import heat
from viz.page import page
from viz.panes import panes
from viz.schedule import schedule
from viz.unfolded import fold_unfold, unfolded

__all__ = [
    "Animation", "Diagram", "DrawError", "GlyphWarning", "RenderError", "TooLargeError", "adjoint", "animate", "card",
    "delay_line", "fold_unfold", "folded", "gradients", "heat", "page", "panes", "plots", "schedule", "unfolded",
]  # fmt: skip


def _import_later(name: str) -> Any:
    if name == "plots":
        return importlib.import_module("viz.plots")
    if name == "gradients":  # it differentiates and compiles, which pictures of graphs do not need
        return importlib.import_module("viz.gradient_norms").gradients
    return None


if not TYPE_CHECKING:
    __getattr__, __dir__ = refuse_unknown_names(__name__, "viz", __all__, _import_later)
