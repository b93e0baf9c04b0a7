"""``contract``, an einsum of two operands that computes ``@``, dot, outer and einsum; its vjp is two more contractions."""

from __future__ import annotations

import string
from functools import lru_cache
from typing import Any

import numpy as np

from autograd_seq.core.errors import OperationError, ShapeError
from autograd_seq.core.facts import EACH, FINITE
from autograd_seq.core.functions import FUNCTIONS
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.core.op import Op, defop
from autograd_seq.core.rules import promote
from autograd_seq.ops.shape import broadcast_to, reshape


def split_spec(spec: str) -> tuple[str, str, str]:
    """Return the labels of both operands, and of the result.

    Example:
        >>> split_spec("IJ,J->I")
        ('IJ', 'J', 'I')
    """
    operands, out = spec.split("->")
    a, b = operands.split(",")
    return a, b, out


def _contract_shape(x: tuple[int, ...], y: tuple[int, ...], *, spec: str) -> tuple[int, ...]:
    a, b, out = split_spec(spec)
    if (len(a), len(b)) != (len(x), len(y)):
        raise ValueError(f"{len(a)} and {len(b)} dimensions for {spec}")
    sizes: dict[str, int] = {}
    for label, n in zip(a + b, x + y, strict=True):
        if sizes.setdefault(label, n) != n:
            raise ValueError(f"the same length wherever {spec} says {label}")
    return tuple(sizes[label] for label in out)


@lru_cache(maxsize=4096)
def _find_direct_call(spec: str, x_rank: int, y_rank: int) -> str | None:
    """Return the name of the NumPy call that computes an unlifted contraction directly, if there is one."""
    a, b, out = split_spec(spec)
    if (x_rank, y_rank) != (len(a), len(b)):
        return None  # lifted: einsum broadcasts over the leading dimensions
    if not set(a) & set(b) and out == a + b:
        return "outer"
    if b and a[-1:] == b[:1] and len(b) <= 2 and out == a[:-1] + b[1:]:
        return "dot"
    if len(a) == 2 and a[:1] == b[:1] and len(b) <= 2 and out == a[1:] + b[1:]:
        return "transposed_dot"
    return None


def _contract(x: Any, y: Any, spec: str) -> Any:
    x, y = np.asarray(x), np.asarray(y)
    direct = _find_direct_call(spec, x.ndim, y.ndim)
    if direct == "dot":
        return np.dot(x, y)
    if direct == "transposed_dot":
        return np.dot(x.T, y)
    if direct == "outer":
        return np.multiply.outer(x, y)
    a, b, out = split_spec(spec)
    return np.einsum(f"...{a},...{b}->...{out}", x, y)


def _contract_vjp(g: Any, y: Any, p: Any, q: Any, *, spec: str) -> tuple[Node, Node]:
    a, b, out = split_spec(spec)
    return _pull(g, out, q, b, p, a), _pull(g, out, p, a, q, b)


def _pull(g: Any, out: str, other: Any, labels: str, like: Any, wanted: str) -> Node:
    """Return the cotangent of the operand ``like``: ``g`` contracted with the other operand, broadcast along labels that only
    ``like`` has and that were summed."""
    kept = "".join(label for label in wanted if label in out or label in labels)
    part = contract(g, other, spec=f"{out},{labels}->{kept}")
    if kept == wanted:
        return part
    part = reshape(part, tuple(n if label in kept else 1 for label, n in zip(wanted, like.shape, strict=True)))
    return broadcast_to(part, like.shape)


def _find_word(spec: str) -> str:
    """Return the name of the function that a user would write for a contraction: matmul (of stacks too), outer, or einsum."""
    a, b, out = split_spec(spec)
    stack = out[: max(len(a), len(b)) - 2] if max(len(a), len(b)) > 2 else ""  # of matrices, in one operand or both
    left, right, rest = a.removeprefix(stack), b.removeprefix(stack), out.removeprefix(stack)
    if left and 0 < len(right) <= 2 and left[-1] == right[0] and rest == left[:-1] + right[1:]:
        return "matmul"
    return "outer" if out == a + b else "einsum"


CONTRACT: Op = defop(
    "contract", word=_find_word, shape=_contract_shape, forward=_contract, vjp=_contract_vjp, dtype=promote, symbol="×",
    native=True, linear=EACH, range=FINITE, infix=lambda spec: "@" if _find_word(spec) == "matmul" else None,
    doc="Contraction of two operands by explicit labels, each at most once in an operand.",
)  # fmt: skip
contract = CONTRACT


def einsum(spec: str, *operands: Any) -> Node:
    """Einstein summation over dimensions of the values of one or two operands.

    Args:
        spec: NumPy's notation, ``"ij,jk->ik"``; without ``->`` the output has the labels that appear once, sorted; ``...``
            stands for the remaining dimensions. A label may appear only once in an operand (no diagonals).
        operands: one or two values.

    Returns:
        A node of the dimensions after ``->``, over the axes of the operands.

    Raises:
        OperationError: the notation is wrong, or there are more than two operands.
        ShapeError: lengths disagree.

    Example:
        >>> einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0]).value
        array([3., 7.])

    Notes:
        One matrix product, or a sum of products; at most as many multiplications as the product of all lengths.
    """
    nodes = [constant(x) for x in operands]
    labels, out = _parse(spec, [x.ndim for x in nodes])
    if len(nodes) == 1:
        return contract(nodes[0], 1.0, spec=f"{labels[0]},->{out}")
    return contract(*nodes, spec=f"{labels[0]},{labels[1]}->{out}")


def _parse(spec: str, ranks: list[int]) -> tuple[list[str], str]:
    left, arrow, out = spec.replace(" ", "").partition("->")
    terms = left.split(",")

    def refuse(expected: str, got: str) -> OperationError:
        return OperationError("O201", f'einsum cannot read "{spec}"', expected=expected, got=got, fix='e.g. "ij,jk->ik"')

    if len(terms) != len(ranks) or not 1 <= len(ranks) <= 2:
        raise refuse("one or two operands, and one term for each", f"{len(terms)} terms for {len(ranks)} operands")
    free = [c for c in string.ascii_letters if c not in spec]
    widest = max((r - len(t.replace("...", "")) for t, r in zip(terms, ranks, strict=True) if "..." in t), default=0)
    rest = "".join(free[: max(widest, 0)])
    full = []
    for term, rank in zip(terms, ranks, strict=True):
        named = term.replace("...", "", 1)
        missing = rank - len(named) if "..." in term else 0
        term = term.replace("...", rest[len(rest) - missing :], 1) if missing >= 0 else named
        if len(term) != rank or not all(c in string.ascii_letters for c in term) or len(set(term)) != len(term):
            raise refuse(f"{rank} distinct letters", f'"{term}"')
        full.append(term)
    if not arrow:
        joined = "".join(full)
        out = rest + "".join(sorted(c for c in set(joined) - set(rest) if joined.count(c) == 1))
    out = out.replace("...", rest, 1)
    if len(set(out)) != len(out) or not set(out) <= set("".join(full)):
        raise refuse("an output of labels that the operands have, each once", f'"{out}"')
    return full, out


def matmul(a: Any, b: Any) -> Node:
    """Matrix product ``a @ b``, with NumPy's rules for vectors and for stacks of matrices.

    Args:
        a: (…, n, k), or (k,).
        b: (…, k, m), or (k,).

    Returns:
        A node (…, n, m), without the dimension of a vector, over the axes of both.

    Raises:
        ShapeError: an operand is a scalar, or the inner lengths differ.

    Example:
        >>> matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0]).value
        array([3., 7.])
    """
    a, b = constant(a), constant(b)
    if a.ndim > 2 or b.ndim > 2:
        try:
            lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except ValueError:
            raise ShapeError(
                "S116", "matmul cannot match the stacks of matrices", where=a.where or b.where,
                expected="leading dimensions that broadcast", got=f"{a.shape} @ {b.shape}",
            ) from None  # fmt: skip
        a = broadcast_to(a, lead + a.shape[-2:]) if a.ndim > 1 else a
        b = broadcast_to(b, lead + b.shape[-2:]) if b.ndim > 1 else b
        stack = string.ascii_lowercase[: len(lead)]
    else:
        stack = ""
    left = "J" if a.ndim == 1 else f"{stack if a.ndim > 2 else ''}IJ"
    right = "J" if b.ndim == 1 else f"{stack if b.ndim > 2 else ''}JK"
    out = stack + ("I" if a.ndim > 1 else "") + ("K" if b.ndim > 1 else "")
    if not a.ndim:
        left = "J"  # refused by the shape rule, which names both operands
    if not b.ndim:
        right = "J"
    return contract(a, b, spec=f"{left},{right}->{out}")


def dot(a: Any, b: Any) -> Node:
    """Inner product of two vectors; for matrices the same as ``@``, for scalars the same as ``*``.

    Args:
        a, b: (n,) each; or matrices, or numbers.

    Returns:
        A node, a number for two vectors.

    Example:
        >>> float(dot([1.0, 2.0], [3.0, 4.0]).value)
        11.0
    """
    a, b = constant(a), constant(b)
    return a * b if not (a.ndim and b.ndim) else matmul(a, b)


def outer(a: Any, b: Any) -> Node:
    """Outer product of two vectors: ``outer(a, b)[i, j] = a[i]·b[j]``.

    Args:
        a: (n,).
        b: (m,).

    Returns:
        A node (n, m), over the axes of both.

    Example:
        >>> outer([1.0, 2.0], [3.0, 4.0]).value
        array([[3., 4.],
               [6., 8.]])
    """
    return contract(a, b, spec="i,j->ij")


FUNCTIONS.update(matmul=matmul)
__all__ = ["contract", "dot", "einsum", "matmul", "outer"]
explain_keywords(globals(), __all__)
