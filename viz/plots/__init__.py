"""Plots of numbers in the colours of the graphs."""

from viz.plots.curves import curves, forecast, images, loss_curve
from viz.plots.dynamics import credit, horizon, phase, raster, spectrum
from viz.plots.figure import Plot

__all__ = ["Plot", "credit", "curves", "forecast", "horizon", "images", "loss_curve", "phase", "raster", "spectrum"]
