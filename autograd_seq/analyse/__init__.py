"""Questions about a graph, its values, and signals."""

from autograd_seq.analyse.slow_features import SlowFeatures, delta_values, expand_quadratic, slowness

__all__ = ["SlowFeatures", "delta_values", "expand_quadratic", "slowness"]
