"""Questions about a graph, its values, and signals."""

from autograd_seq.analyse.assignment import Credit, credit
from autograd_seq.analyse.causality import Audit, audit
from autograd_seq.analyse.chaos import Lyapunov, lyapunov
from autograd_seq.analyse.jacobians import Jacobians, jacobian
from autograd_seq.analyse.likelihood import Ledger, bits_per_symbol, chain_rule, perplexity
from autograd_seq.analyse.probability import SequenceModel, Sequences
from autograd_seq.analyse.slow_features import SlowFeatures, delta_values, expand_quadratic, slowness

__all__ = [
    "Audit", "Credit", "Jacobians", "Ledger", "Lyapunov", "SequenceModel", "Sequences", "SlowFeatures", "audit",
    "bits_per_symbol", "chain_rule", "credit", "delta_values", "expand_quadratic", "jacobian", "lyapunov", "perplexity",
    "slowness",
]  # fmt: skip
