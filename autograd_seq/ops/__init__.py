"""The operations: shape, forward, vjp and facts of each in one record, one family per file."""

from autograd_seq.core.op import seal
from autograd_seq.ops import (
    activations,
    algebra,
    angles,
    arrange,
    composed,
    create,
    elementwise,
    equilibrium,
    gather,
    history,
    leaf,
    linear,
    loss,
    own,
    parts,
    picking,
    random,
    reduce,
    rounding,
    shape,
    softmax,
    sorting,
    state,
    statistics,
    time,
    until,
)

seal()
__all__ = [
    "activations", "algebra", "angles", "arrange", "composed", "create", "elementwise", "equilibrium",
    "gather", "history", "leaf", "linear",
    "loss",
    "own", "parts", "picking", "random", "reduce", "rounding", "shape", "softmax", "sorting", "state", "statistics", "time",
    "until",
]  # fmt: skip
