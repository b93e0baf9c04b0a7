"""Plots of numbers in the colours of the graphs."""

from typing import TYPE_CHECKING

from autograd_seq.core.hints import refuse_unknown_names
from viz.plots.curves import curves, forecast, images, loss_curve
from viz.plots.dynamics import credit, horizon, phase, raster, spectrum
from viz.plots.figure import Plot

__all__ = ["Plot", "credit", "curves", "forecast", "horizon", "images", "loss_curve", "phase", "raster", "spectrum"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = refuse_unknown_names(__name__, "viz.plots", __all__)
