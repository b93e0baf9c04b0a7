"""What is written here for what other libraries call otherwise: the sentences of errors about unknown names."""

from __future__ import annotations

from collections.abc import Iterable

from autograd_seq.errors import DTypeError, MissingError, OperationError, did_you_mean

PUBLIC: set[str] = set()
"""The public names of the package, entered when it is imported."""

_INSTEAD = {
    # NumPy
    "absolute": "ag.abs(x)",
    "amax": "ag.max(x)",
    "amin": "ag.min(x)",
    "append": "ag.concat([a, b])",
    "arange": "ag.index(t) is the step number as a value; np.arange(n) is a constant",
    "array": "ag.tensor(…), or ag.constant(…)",
    "asarray": "ag.tensor(…), or ag.constant(…)",
    "concatenate": "ag.concat([a, b], axis=0)",
    "cosh": "(ag.exp(x) + ag.exp(-x)) / 2",
    "divide": "a / b",
    "exp2": "2.0 ** x",
    "full": "np.full(…): arrays are constants",
    "greater": "a > b",
    "greater_equal": "a >= b",
    "hstack": "ag.concat([a, b], axis=-1)",
    "inner": "ag.dot(a, b)",
    "isfinite": "ag.abs(x) < np.inf",
    "isnan": "x != x",
    "log10": "ag.log(x) / np.log(10)",
    "log2": "ag.log(x) / np.log(2)",
    "logaddexp": "ag.logsumexp(ag.stack([a, b]), axis=0)",
    "multiply": "a * b",
    "negative": "-x",
    "ones": "np.ones(…): arrays are constants",
    "ones_like": "np.ones(x.shape): arrays are constants",
    "reciprocal": "1 / x",
    "repeat": "ag.broadcast_to(x, shape)",
    "sinh": "(ag.exp(x) - ag.exp(-x)) / 2",
    "split": "parts: x[:3], x[3:]",
    "square": "x ** 2",
    "std": "ag.sqrt(ag.mean((x - ag.mean(x)) ** 2))",
    "subtract": "a - b",
    "swapaxes": "ag.transpose(x, axes)",
    "tan": "ag.sin(x) / ag.cos(x)",
    "tensordot": "ag.einsum(spec, a, b)",
    "true_divide": "a / b",
    "var": "ag.mean((x - ag.mean(x)) ** 2)",
    "vstack": "ag.stack([a, b])",
    "zeros": "np.zeros(…): arrays are constants",
    "zeros_like": "np.zeros(x.shape): arrays are constants",
    "astype": "ag.cast(x, float)",
    "copy": "a value is never changed in place",
    # PyTorch, JAX and others
    "Parameter": 'ag.param("W", shape), fed by its name; ag.tensor(value) carries its value',
    "Tensor": "ag.tensor(value)",
    "Variable": "ag.tensor(value)",
    "binary_cross_entropy": "ag.bce(p, target)",
    "cat": "ag.concat([a, b], axis=0)",
    "clamp": "ag.clip(x, low, high)",
    "detach": "ag.stop_gradient(x)",
    "embedding": "ag.take(table, index)",
    "gather": "ag.take(x, index), or ag.pick(x, index)",
    "jit": "ag.compile(outputs)",
    "leaky_relu": "ag.maximum(x, 0.01 * x)",
    "mm": "a @ b",
    "mse_loss": "ag.mse(y, target)",
    "nll_loss": "ag.nll(probabilities, label), or ag.cross_entropy(logits, label)",
    "no_grad": "ag.stop_gradient(x)",
    "permute": "ag.transpose(x, axes)",
    "placeholder": 'ag.input("x", shape, over=t)',
    "scan": 's = ag.state("s", shape, over=t); s[t] = …',
    "silu": "x * ag.sigmoid(x)",
    "unsqueeze": "ag.expand_dims(x, axis)",
    "vjp": "ag.grad(y, x, cotangent=g)",
    "view": "ag.reshape(x, shape)",
    # of values
    "item": "values are NumPy arrays: float(x), or x.value",
    "numpy": "values are NumPy arrays: x.value",
    "tolist": "values are NumPy arrays: x.value.tolist()",
    "cpu": "values are NumPy arrays: x.value",
    "cuda": "values are NumPy arrays: x.value",
    "data": "values are NumPy arrays: x.value",
    "size": "x.shape",
    "requires_grad": "every tensor has a gradient: y.backward(), then x.grad",
    "requires_grad_": "every tensor has a gradient: y.backward(), then x.grad",
    "zero_grad": "x.grad = None",
    "retain_grad": "all nodes keep their gradient: x.grad",
    "is_leaf": "not x.inputs",
    "flatten": "ag.reshape(x, -1)",
    "pow": "x ** n",
}


METHODS = (
    "abs", "astype", "clamp", "clip", "copy", "cpu", "cuda", "cumsum", "data", "detach", "dot", "exp", "flatten",
    "is_leaf", "item", "log", "matmul", "numpy", "permute", "pow", "prod", "relu", "requires_grad", "requires_grad_",
    "retain_grad", "sigmoid", "size", "softmax", "sqrt", "square", "squeeze", "std", "swapaxes", "take", "tanh",
    "tolist", "transpose", "unsqueeze", "var", "view", "zero_grad",
)  # fmt: skip
"""Attributes of other libraries' values that nodes do not have."""


def instead(name: str) -> str | None:
    """Return what to write for a name that is none here; ``None`` if nothing is known.

    Example:
        >>> instead("concatenate"), instead("nothing")
        ('ag.concat([a, b], axis=0)', None)
    """
    return _INSTEAD.get(name) or (f"ag.{name}(…)" if name in PUBLIC else None)


def no_function(name: str) -> MissingError:
    """Return the error about a name that the package does not have."""
    close = str(did_you_mean(name, PUBLIC))
    fix = instead(name) or (close if close.startswith("did") else "ag.__all__ lists all names")
    return MissingError("M201", f"autograd_seq has no {name}", got=f"ag.{name}", fix=fix)


def no_attribute(name: str, label: str, where: str | None) -> MissingError:
    """Return the error about an attribute that values of other libraries have, and nodes do not."""
    return MissingError("M202", f"{label} has no attribute {name}", where=where, got=f".{name}", fix=instead(name))


def no_keyword(function: str, keyword: str, known: Iterable[str]) -> OperationError:
    """Return the error about a keyword that a function does not take."""
    fix = _INSTEAD.get(keyword) or did_you_mean(keyword, known)
    return OperationError("O130", f"{function} takes no {keyword}=", got=f"{keyword}=…", fix=fix)


def not_for_nodes(function: str, where: str | None) -> DTypeError:
    """Return the error about a function of NumPy that is given a node."""
    fix = instead(function.rpartition(".")[2]) or "of a value that is known: np.asarray(x)"
    got = "a node, which is part of a graph"
    return DTypeError("D106", f"np.{function} is given a node", where=where, expected="arrays", got=got, fix=fix)


__all__ = ["METHODS", "PUBLIC", "instead", "no_attribute", "no_function", "no_keyword", "not_for_nodes"]
