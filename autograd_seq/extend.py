"""What the author of an operation needs: the record, the rules for shapes and kinds, and the check of its derivatives.

:class:`Facts` lists what may be said of an operation beside its rules, so that it runs in native loops, say.

>>> import numpy as np, autograd_seq as ag
>>> from autograd_seq import extend
>>> cube = extend.defop("cube", shape=extend.same_shape, forward=lambda x: x**3, vjp=lambda g, y, x: (3 * g * x * x,))
>>> len(extend.check_op(cube, np.array([1.0, -2.0])).errors)
2
>>> ag.extend is extend
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograd_seq.core.errors import GradientCheckError, OperationError, ShapeError
from autograd_seq.core.facts import Facts
from autograd_seq.core.hints import refuse_unknown_names
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import arithmetic, broadcast, promote, same_shape
from autograd_seq.grad.check import Report, check_grad, check_op
from autograd_seq.ops.elementwise import zero_safe_mul
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.loss import stop_gradient

__all__ = [
    "Facts", "GradientCheckError", "Node", "Op", "OperationError", "Report", "ShapeError", "arithmetic", "broadcast",
    "check_grad", "check_op", "constant", "defop", "promote", "rewritten", "same_shape", "stop_gradient", "zero_safe_mul",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = refuse_unknown_names(__name__, "ag.extend", __all__)
