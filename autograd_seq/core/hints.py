"""Errors about unknown names; for names of NumPy, PyTorch and JAX they give what to write instead."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any, cast

import numpy as np

from autograd_seq.core.errors import DTypeError, MissingError, OperationError, did_you_mean
from autograd_seq.core.sites import show_site, user_site

PUBLIC: set[str] = set()
"""The public names of the package, entered when it is imported."""

_PACKAGES: dict[str, set[str]] = {"ag": PUBLIC}
"""The public names of each part of the package, by what a user writes for it; entered when it is imported."""

_INSTEAD = {
    # NumPy
    "absolute": "ag.abs(x)",
    "amax": "ag.max(x)",
    "amin": "ag.min(x)",
    "acos": "ag.arccos(x)",
    "append": "ag.concat([a, b])",
    "arange": "ag.index(t) is the step number as a value; np.arange(n) is a constant",
    "array": "ag.tensor(…), or ag.constant(…)",
    "asin": "ag.arcsin(x)",
    "atan": "ag.arctan(x)",
    "atan2": "ag.arctan2(y, x)",
    "asarray": "ag.tensor(…), or ag.constant(…)",
    "concatenate": "ag.concat([a, b], axis=0)",
    "diagonal": "ag.diag(x)",
    "divide": "a / b",
    "exp2": "2.0 ** x",
    "full": "np.full(…): arrays are constants",
    "hstack": "ag.concat([a, b], axis=-1)",
    "hypot": "ag.norm(ag.stack([a, b]), axis=0)",
    "inner": "ag.dot(a, b)",
    "isfinite": "ag.abs(x) < np.inf",
    "log10": "ag.log(x) / np.log(10)",
    "log2": "ag.log(x) / np.log(2)",
    "multiply": "a * b",
    "negative": "-x",
    "ones_like": "ag.ones(x.shape)",
    "remainder": "a % b",
    "rint": "ag.round(x)",
    "reciprocal": "1 / x",
    "subtract": "a - b",
    "tile": "ag.concat([x] * n)",
    "tensordot": "ag.einsum(spec, a, b)",
    "true_divide": "a / b",
    "vstack": "ag.stack([a, b])",
    "zeros_like": "ag.zeros(x.shape)",
    "copy": "a value is never changed in place",
    # PyTorch, JAX and others
    "Parameter": 'ag.param("W", shape), fed by its name; ag.tensor(value) carries its value',
    "Tensor": "ag.tensor(value)",
    "Variable": "ag.tensor(value)",
    "binary_cross_entropy": "ag.bce(p, target)",
    "cat": "ag.concat([a, b], axis=0)",
    "chunk": "ag.split(x, n)",
    "clamp": "ag.clip(x, low, high)",
    "detach": "ag.stop_gradient(x)",
    "embedding": "ag.take(table, index)",
    "gather": "ag.take(x, index), or ag.pick(x, index)",
    "jit": "ag.compile(outputs)",
    "mm": "a @ b",
    "mse_loss": "ag.mse(y, target)",
    "nll_loss": "ag.nll(probabilities, label), or ag.cross_entropy(logits, label)",
    "no_grad": "ag.stop_gradient(x)",
    "permute": "ag.transpose(x, axes)",
    "placeholder": 'ag.input("x", shape, over=t)',
    "scan": 's = ag.state("s", shape, over=t); s[t] = …',
    "swish": "ag.silu(x)",
    "unsqueeze": "ag.expand_dims(x, axis)",
    "vjp": "ag.grad(y, x, cotangent=g)",
    "view": "ag.reshape(x, shape)",
    # of keywords
    "dim": "axis= names dimensions of the value, over= axes such as time",
    "keepdim": "keepdims=True",
    # of values
    "numpy": "values are NumPy arrays: x.value",
    "tolist": "values are NumPy arrays: x.value.tolist()",
    "cpu": "values are NumPy arrays: x.value",
    "cuda": "values are NumPy arrays: x.value",
    "data": "values are NumPy arrays: x.value",
    "requires_grad": "every tensor has a gradient: y.backward(), then x.grad",
    "requires_grad_": "every tensor has a gradient: y.backward(), then x.grad",
    "zero_grad": "x.grad = None",
    "retain_grad": "all nodes keep their gradient: x.grad",
    "is_leaf": "not x.inputs",
    "flatten": "ag.reshape(x, -1)",
    "pow": "x ** n",
}


_ELSEWHERE = {
    "Conv1d": "ag.nn.causal_conv(x, filters, width, over=t)",
    "CrossEntropyLoss": "ag.cross_entropy(logits, label)",
    "DataLoader": "ag.learn.batches(feeds, size)",
    "LayerNorm": "ag.nn.layer_norm(x)",
    "Linear": "ag.nn.dense(x, units, name=…)",
    "MSELoss": "ag.mse(y, target)",
    "Module": "a model is a function that returns nodes; its parameters are found in the graph",
    "MultiheadAttention": "ag.nn.multi_head_attention(x, heads, over=t)",
    "Sequential": "call one layer on the result of the other",
    "TransformerEncoderLayer": "ag.nn.transformer_layer(x, heads, inner, over=t)",
    "clip_grad_norm_": "ag.learn.clip_by_norm(grads, limit), or ag.learn.train(…, clip=limit)",
    "draw": "viz.folded(g), or viz.unfolded(g, t=4)",
    "fit": "ag.learn.train(loss, params, batches, optimizer)",
    "kaiming_normal": "ag.nn.init.he_normal()",
    "kaiming_uniform": "ag.nn.init.he_uniform()",
    "plot": "viz.plots draws numbers: viz.plots.curves(x, {…})",
    "xavier_normal": "ag.nn.init.glorot_normal()",
    "xavier_uniform": "ag.nn.init.glorot_uniform()",
}
"""As ``_INSTEAD``, of names that are no operations."""


METHODS = (
    "abs", "all", "any", "argmax", "argmin", "clamp", "clip", "copy", "cpu", "cuda", "cumprod", "cumsum", "data", "detach",
    "dot", "exp", "flatten", "is_leaf", "log", "matmul", "numpy", "permute", "pow", "prod", "relu", "repeat",
    "requires_grad", "requires_grad_", "retain_grad", "round", "sigmoid", "softmax", "sqrt", "square", "std", "swapaxes",
    "take", "tanh", "tolist", "transpose", "unsqueeze", "var", "view", "zero_grad",
)  # fmt: skip
"""Attributes of other libraries' values that nodes do not have."""


def suggest_instead(name: str) -> str | None:
    """Return what to write instead of a name that does not exist here; ``None`` if nothing is known.

    Example:
        >>> suggest_instead("concatenate"), suggest_instead("nothing")
        ('ag.concat([a, b], axis=0)', None)
    """
    return _INSTEAD.get(name) or (f"ag.{name}(…)" if name in PUBLIC else None)


def refuse_unknown_names(
    module: str, shown: str, names: Iterable[str], find: Callable[[str], Any] = lambda name: None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package: its public names alone, and an error about any other.

    Args:
        module: its ``__name__``.
        shown: what a user writes for it: ``"ag.nn"``.
        names: its ``__all__``.
        find: returns what is imported when it is first asked for, by its name; ``None`` if there is no such thing.
    """
    known = _PACKAGES.setdefault(shown, set())
    known.update(names)

    def get(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = find(name)
        if found is None:
            raise make_no_name_error(module, shown, name)
        return found

    return get, lambda: sorted(known)


def make_no_name_error(module: str, shown: str, name: str) -> MissingError:
    """Return the error about a name that a package does not have.

    Example:
        >>> print(make_no_name_error("autograd_seq.nn", "ag.nn", "Linear"))
        MissingError [M201]: autograd_seq.nn has no Linear
          got ag.nn.Linear
          ag.nn.dense(x, units, name=…)
    """
    known = _PACKAGES[shown]
    alike = (fix for word, fix in _ELSEWHERE.items() if word.casefold() == name.casefold())
    instead = next(alike, None) or suggest_instead(name)
    close = str(did_you_mean(name, known))
    fix = instead or _find_elsewhere(name, shown) or (close if close.startswith("did") else f"{shown}.__all__ lists all names")
    return MissingError("M201", f"{module} has no {name}", got=f"{shown}.{name}", fix=fix)


def _find_elsewhere(name: str, shown: str) -> str | None:
    alike = [(package, known) for package, names in _PACKAGES.items() for known in names if known.casefold() == name.casefold()]
    if not alike:
        return None
    package, known = max(alike, key=lambda found: (found[0] == shown, found[1] == name))
    return f'did you mean "{known}"?' if package == shown else f"{package}.{known}"


def make_no_attribute_error(name: str, label: str, where: str | None) -> MissingError:
    """Return the error about an attribute that values of other libraries have, and nodes do not."""
    return MissingError("M202", f"{label} has no attribute {name}", where=where, got=f".{name}", fix=suggest_instead(name))


def explain_keywords(module: dict[str, Any], names: Iterable[str]) -> None:
    """Make functions of a module refuse an unknown keyword with an error that gives the one to write instead.

    They refuse as well what is neither true nor false for an argument that is declared as ``bool``: in Python ``"no"`` is true.

    Args:
        module: its ``globals()``, in which each function is replaced by one that calls it.
        names: of the functions; whatever is not a function is left as it is.
    """
    for name in names:
        if isinstance(module[name], FunctionType):
            module[name] = _explain(module[name])


def _explain(function: FunctionType) -> FunctionType:
    check, check_switch, switches = _check_call, _check_switch, _find_switches(function)

    def call(*args: Any, **keywords: Any) -> Any:
        for name, place in switches:
            if name in keywords or place < len(args):
                check_switch(function, name, keywords[name] if name in keywords else args[place])
        try:
            return function(*args, **keywords)
        except TypeError:
            check(function, args, keywords)
            raise

    # as if it were written in the module of the function, where examples in docstrings are looked for
    other = FunctionType(call.__code__, function.__globals__, function.__name__, None, call.__closure__)
    return cast("FunctionType", functools.update_wrapper(other, function))


def _find_switches(function: FunctionType) -> list[tuple[str, int]]:
    """Return the arguments that are declared as true or false, each with its place, if it can be given without its name."""
    code, kinds = function.__code__, function.__annotations__
    count = code.co_argcount
    names = code.co_varnames[: count + code.co_kwonlyargcount]
    return [(name, k if k < count else sys.maxsize) for k, name in enumerate(names) if kinds.get(name) == "bool"]


def _check_switch(function: FunctionType, name: str, value: Any) -> None:
    if not isinstance(value, (bool, np.bool)):
        raise OperationError(
            "O132", f"{function.__name__} is given {name}={value!r:.60}, which is neither True nor False",
            where=show_site(user_site()), expected="True or False", got=repr(value)[:80],
        )  # fmt: skip


def _check_call(function: FunctionType, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    """Refuse keywords that the function does not take, and what is missing or too much."""
    signature = inspect.signature(function)
    strange = [name for name in keywords if name not in signature.parameters]
    if strange and not any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        raise make_no_keyword_error(function.__name__, strange[0], signature.parameters) from None
    try:
        signature.bind(*args, **keywords)
    except TypeError as error:
        needed = [p for p in signature.parameters.values() if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
        words = [f"{p.name}=…" if p.kind is p.KEYWORD_ONLY else str(p).partition(":")[0] for p in needed]
        usage = f"{function.__name__}({', '.join(words + ['…'] * (len(needed) < len(signature.parameters)))})"
        raise OperationError(
            "O135", f"{function.__name__}: {error}", where=show_site(user_site()), expected=usage,
            got=", ".join([*(type(x).__name__ for x in args), *(f"{name}=…" for name in keywords)]) or "nothing",
        ) from None  # fmt: skip


def make_no_keyword_error(function: str, keyword: str, known: Iterable[str]) -> OperationError:
    """Return the error about a keyword that a function does not take."""
    fix = _INSTEAD.get(keyword) or did_you_mean(keyword, known)
    return OperationError("O130", f"{function} takes no {keyword}=", got=f"{keyword}=…", fix=fix)


def make_not_for_nodes_error(function: str, where: str | None) -> DTypeError:
    """Return the error about a function of NumPy that is given a node."""
    fix = suggest_instead(function.rpartition(".")[2]) or "of a value that is known: np.asarray(x)"
    got = "a node, which is part of a graph"
    return DTypeError("D106", f"np.{function} is given a node", where=where, expected="arrays", got=got, fix=fix)


__all__ = [
    "METHODS", "PUBLIC", "explain_keywords", "make_no_attribute_error", "make_no_keyword_error", "make_no_name_error",
    "make_not_for_nodes_error", "refuse_unknown_names", "suggest_instead",
]  # fmt: skip
