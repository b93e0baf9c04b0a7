"""Pictures of graphs: folded, unfolded, and both side by side; and plots of numbers.

>>> import viz
>>> sorted(viz.__all__)
['Diagram', 'DrawError', 'RenderError', 'TooLargeError', 'fold_unfold', 'folded', 'plots', 'unfolded']

Importing this package imports neither matplotlib nor Graphviz: `viz.plots` is loaded when it is first used, and
pictures are rendered in a process of their own.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from viz.diagram import Diagram
from viz.errors import DrawError, RenderError, TooLargeError
from viz.folded import folded
from viz.unfolded import fold_unfold, unfolded

__all__ = ["Diagram", "DrawError", "RenderError", "TooLargeError", "fold_unfold", "folded", "plots", "unfolded"]


def __getattr__(name: str) -> ModuleType:
    if name == "plots":
        return importlib.import_module("viz.plots")
    raise AttributeError(f"module 'viz' has no attribute {name!r}")
