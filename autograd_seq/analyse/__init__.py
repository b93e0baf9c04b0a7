"""Questions about a graph, its values, and signals."""

from typing import TYPE_CHECKING

from autograd_seq.analyse.assignment import Credit, credit
from autograd_seq.analyse.causality import Audit, audit
from autograd_seq.analyse.chaos import Lyapunov, lyapunov
from autograd_seq.analyse.jacobians import Jacobians, jacobian
from autograd_seq.analyse.likelihood import Ledger, bits_per_symbol, chain_rule, perplexity
from autograd_seq.analyse.nonfinite import Finding, find_nan
from autograd_seq.analyse.probability import SequenceModel, Sequences
from autograd_seq.analyse.slow_features import SlowFeatures, delta_values, expand_quadratic, slowness
from autograd_seq.analyse.zeros import Why, why_zero
from autograd_seq.core.hints import refuse_unknown_names
from autograd_seq.run.truncated import truncation_bias

__all__ = [
    "Audit", "Credit", "Finding", "Jacobians", "Ledger", "Lyapunov", "SequenceModel", "Sequences", "SlowFeatures", "Why",
    "audit", "bits_per_symbol", "chain_rule", "credit", "delta_values", "expand_quadratic", "find_nan", "jacobian", "lyapunov",
    "perplexity", "slowness", "truncation_bias", "why_zero",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = refuse_unknown_names(__name__, "ag.analyse", __all__)
