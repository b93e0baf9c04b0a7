"""autograd_seq: recurrent computation graphs, unfolded and differentiated.

>>> import autograd_seq as ag
>>> t = ag.Axis("t")
>>> x, w, s = ag.input("x", over=t), ag.param("w"), ag.state("s", over=t)
>>> s[t] = ag.tanh(w * s[t - 1] + x[t])
>>> L = ag.sum(s, over=t)
>>> dw = ag.grad(L, w)
>>> [float(v.round(6)) for v in ag.Graph(L, dw).evaluate(x=[1.0, 0.0, 0.0], w=0.5)]
[1.30472, 1.332513]
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

import autograd_seq.core.copies
import autograd_seq.grad.eager  # noqa: F401 - node.backward
from autograd_seq import analyse, datasets, extend, linalg, nn, ops
from autograd_seq.analyse.nonfinite import Finding, find_nan
from autograd_seq.analyse.zeros import Why, why_zero
from autograd_seq.core.axes import Axis, Index
from autograd_seq.core.errors import (
    AutogradSeqError,
    AxisError,
    CarryError,
    CycleError,
    DataError,
    DTypeError,
    EquilibriumError,
    FeedError,
    GradientCheckError,
    GradientError,
    GraphError,
    LoadError,
    MemoryNeededError,
    MissingError,
    NameClashError,
    OperationError,
    PictureError,
    ShapeError,
    StateError,
    ValueKnownError,
)
from autograd_seq.core.hints import refuse_unknown_names
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import broadcast, promote, same_shape
from autograd_seq.core.sites import scope
from autograd_seq.grad.check import Report, check_grad, check_op
from autograd_seq.grad.forward import hvp, jacobian, jvp
from autograd_seq.grad.reverse import grad
from autograd_seq.graph.dag import DAG
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.rebuild import vmap
from autograd_seq.ops.activations import erf, gelu, relu, sigmoid, softplus, tanh
from autograd_seq.ops.angles import arccos, arcsin, arctan2, cosh, sinh, tan
from autograd_seq.ops.arrange import moveaxis, repeat, roll, split, swapaxes
from autograd_seq.ops.composed import clip, elu, greater, greater_equal, isnan, leaky_relu, logaddexp, silu, square
from autograd_seq.ops.create import diag, eye, ones, trace, tril, triu, zeros
from autograd_seq.ops.elementwise import (
    abs,
    add,
    arctan,
    cast,
    cos,
    div,
    equal,
    exp,
    expm1,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    mul,
    neg,
    not_equal,
    power,
    sign,
    sin,
    sqrt,
    sub,
    where,
    zero_safe_mul,
)
from autograd_seq.ops.equilibrium import equilibrium
from autograd_seq.ops.gather import one_hot, pick, take
from autograd_seq.ops.history import cummax, cumprod, cumsum, ticks, window
from autograd_seq.ops.leaf import input, param, tensor
from autograd_seq.ops.linear import dot, einsum, matmul, outer
from autograd_seq.ops.loss import bce, cross_entropy, mse, nll, spike, stop_gradient, straight_through
from autograd_seq.ops.parts import concat, flip, pad, stack
from autograd_seq.ops.picking import at, last
from autograd_seq.ops.picking import first_step as first
from autograd_seq.ops.random import bernoulli, categorical, normal, uniform
from autograd_seq.ops.reduce import max, mean, min, prod, sum
from autograd_seq.ops.rounding import ceil, floor, floor_divide, mod, round
from autograd_seq.ops.shape import broadcast_to, expand_dims, reshape, squeeze, transpose
from autograd_seq.ops.softmax import log_softmax, logsumexp, softmax
from autograd_seq.ops.sorting import argsort, sort, topk
from autograd_seq.ops.state import state
from autograd_seq.ops.statistics import all, any, argmax, argmin, norm, std, var
from autograd_seq.ops.time import along, index, shift, size, spread
from autograd_seq.ops.until import until
from autograd_seq.run.carried import CarriedProgram
from autograd_seq.run.carry import Carry
from autograd_seq.run.compile import compile, value_and_grad
from autograd_seq.run.online import online
from autograd_seq.run.program import Program
from autograd_seq.run.stream import Stream, stream
from autograd_seq.run.truncated import bptt, truncation_bias

if TYPE_CHECKING:
    from autograd_seq import learn

__version__ = "0.1.0"

__all__ = [
    "DAG", "AutogradSeqError", "Axis", "AxisError", "CarriedProgram", "Carry", "CarryError", "CycleError", "DTypeError",
    "DataError", "EquilibriumError", "FeedError", "Finding", "GradientCheckError", "GradientError", "Graph", "GraphError",
    "Index",
    "LoadError", "MemoryNeededError", "MissingError", "NameClashError", "Node", "Op", "OperationError", "PictureError",
    "Program", "Report", "ShapeError", "StateError", "Stream", "ValueKnownError", "Why", "abs", "add", "all", "along",
    "analyse",
    "any", "arccos",
    "arcsin", "arctan", "arctan2", "argmax", "argmin", "argsort", "at", "bce", "bernoulli", "bptt", "broadcast",
    "broadcast_to", "cast", "categorical", "ceil", "check_grad", "check_op", "clip", "compile", "concat", "constant",
    "cos", "cosh", "cross_entropy", "cummax", "cumprod", "cumsum", "datasets", "defop", "diag", "div", "dot", "einsum",
    "elu", "equal", "equilibrium", "erf", "exp", "expand_dims", "expm1", "extend", "eye", "find_nan", "first", "flip", "floor",
    "floor_divide", "gelu", "grad", "greater", "greater_equal", "hvp", "index", "input", "isnan", "jacobian", "jvp",
    "last", "leaky_relu", "learn", "less", "less_equal", "linalg", "log", "log1p", "log_softmax", "logaddexp",
    "logical_and", "logical_not", "logical_or", "logsumexp", "matmul", "max", "maximum", "mean", "min", "minimum",
    "mod", "moveaxis", "mse", "mul", "neg", "nll", "nn", "norm", "normal", "not_equal", "one_hot", "ones", "online", "ops",
    "outer", "pad", "param", "pick", "power", "prod", "promote", "relu", "repeat", "reshape", "roll", "round",
    "same_shape", "scope", "shift", "sigmoid", "sign", "silu", "sin", "sinh", "size", "softmax", "softplus", "sort",
    "spike", "split", "spread", "sqrt", "square", "squeeze", "stack", "state", "std", "stop_gradient",
    "straight_through", "stream", "sub", "sum", "swapaxes", "take", "tan", "tanh", "tensor", "ticks", "topk", "trace",
    "transpose", "tril", "triu", "truncation_bias", "uniform", "until", "value_and_grad", "var", "vmap", "where",
    "why_zero", "window", "zero_safe_mul", "zeros",
]  # fmt: skip


def _import_later(name: str) -> ModuleType | None:
    """Import what trains when it is first asked for: who only draws, or differentiates, need not wait for it.

    Of any other name an error follows, which knows the names in there too.
    """
    learn = importlib.import_module("autograd_seq.learn")
    return learn if name == "learn" else None


if not TYPE_CHECKING:
    __getattr__, __dir__ = refuse_unknown_names(__name__, "ag", __all__, _import_later)
