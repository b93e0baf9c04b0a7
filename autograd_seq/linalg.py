"""Linear algebra under NumPy's names, ``ag.linalg``: over the two dimensions of a value, with gradients of any order."""

from typing import TYPE_CHECKING

from autograd_seq.core.hints import refuse_unknown_names
from autograd_seq.ops.algebra import cholesky, det, eigh, inv, slogdet, solve, solve_triangular
from autograd_seq.ops.statistics import norm

__all__ = ["cholesky", "det", "eigh", "inv", "norm", "slogdet", "solve", "solve_triangular"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = refuse_unknown_names(__name__, "ag.linalg", __all__)
