"""NumPy expressions for operations at one point that are shorter than a call of their ``forward``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd_seq.core.op import Op
from autograd_seq.emit.numpy.arrays import write_tuple
from autograd_seq.emit.plain.code import ATOM, PRODUCT, SIGN, SUM, Code, PhraseWriter
from autograd_seq.emit.plain.products import EINSUM, OUTER, SCALED, read_product
from autograd_seq.emit.statements import ALL, Apply, Read
from autograd_seq.graph.printing import format_subscript
from autograd_seq.ops import elementwise, reduce
from autograd_seq.ops.activations import relu
from autograd_seq.ops.elementwise import CAST, POWER_NUMBER
from autograd_seq.ops.gather import ONE_HOT, PICK, TAKE, _checked
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.parts import CONCAT, CUMSUM, SLICE
from autograd_seq.ops.reduce import MAX, max_over, sum_over
from autograd_seq.ops.shape import BROADCAST_TO, RESHAPE, TRANSPOSE
from autograd_seq.ops.softmax import _logsumexp_forward, finite_max, level_over, logsumexp_over
from autograd_seq.ops.steps import TAKE_STEP

Phrase = Callable[[PhraseWriter, Apply, Sequence[Code]], Code | None]


def _write_dims(e: Apply) -> str:
    """Return the arguments ``axis=`` and ``keepdims=`` of a reduction, unless they are NumPy's defaults."""
    axis, rank = e.node.attrs["axis"], len(e.args[0].shape)
    kept = ", keepdims=True" if e.node.attrs.get("keepdims") else ""
    whole = len(axis) == rank and not kept
    return "" if whole else f", axis={axis[0] if len(axis) == 1 else axis}{kept}"


def _contract(w: PhraseWriter, e: Apply, args: Sequence[Code]) -> Code:
    kind, turned, *transposed = read_product(e.node.attrs["spec"])
    if kind == EINSUM:
        return Code(f'np.einsum("{e.node.attrs["spec"]}", {args[0].text}, {args[1].text})')
    x, y = args[::-1] if turned else args
    if kind == OUTER:
        return Code(f"np.outer({x.text}, {y.text})")
    if kind == SCALED:
        return Code(f"{x.enclose(SIGN)} * {y.enclose(SIGN)}", PRODUCT)
    texts = [f"{z.enclose(ATOM)}.T" if t else z.enclose(SIGN) for z, t in zip((x, y), transposed, strict=True)]
    return Code(" @ ".join(texts), PRODUCT)


def _slice(w: PhraseWriter, e: Apply, args: Sequence[Code]) -> Code:
    keys = format_subscript(e.node.attrs["key"], e.args[0].shape)
    if isinstance(e.args[0], Read):
        return Code(w.read(e.args[0], keys))
    return Code(f"{args[0].enclose(ATOM)}[{', '.join(keys)}]")


def _transpose(w: PhraseWriter, e: Apply, args: Sequence[Code]) -> Code:
    axes = e.node.attrs["axes"]
    order = [a + len(axes) for a in axes]
    if order == sorted(order)[::-1]:
        return Code(f"{args[0].enclose(ATOM)}.T")
    return Code(f"np.transpose({args[0].text}, {write_tuple(order)})")


def _check_index(w: PhraseWriter, e: Apply, args: Sequence[Code], n: int) -> str:
    """Return an index that is checked against ``n``: within the expression, or before all loops if it is fed."""
    index = e.args[-1]
    if isinstance(index, Read) and index.array.feed and all(p.by == 0 and p.base == "step" for p in index.places):
        w.labels[index.array.name, n] = None
        return args[-1].text
    return w.call(_checked, "checked", [args[-1].as_numpy(int), Code(str(n))], {}).text


def _read_entry(w: PhraseWriter, e: Apply, args: Sequence[Code], index: str) -> Code:
    if isinstance(e.args[0], Read):
        return Code(w.read(e.args[0], [index]))
    return Code(f"{args[0].enclose(ATOM)}[{index}]")


def _take(w: PhraseWriter, e: Apply, args: Sequence[Code]) -> Code:
    return _read_entry(w, e, args, _check_index(w, e, args, e.args[0].shape[0]))


def _pick_entry(w: PhraseWriter, e: Apply, args: Sequence[Code]) -> Code | None:
    return _read_entry(w, e, args, _check_index(w, e, args, e.args[0].shape[0])) if len(e.args[0].shape) == 1 else None


def _make_one_hot(w: PhraseWriter, e: Apply, args: Sequence[Code]) -> Code:
    n = e.node.attrs["n"]
    return Code(f"np.eye({n})[{_check_index(w, e, args, n)}]")


def _make_reduction(function: str) -> Phrase:
    """Return the phrase of a reduction over axes, whose operand is read at all their steps."""

    def write_reduction(w: PhraseWriter, e: Apply, args: Sequence[Code]) -> Code:
        at, x = _list_steps(e.args[0]), args[0]
        if not at:  # of operands at one point
            at, x = (0,), Code(f"np.stack(np.broadcast_arrays({', '.join(a.text for a in args)}))")
        if function == "level":
            return Code(f"np.squeeze({w.call(finite_max, 'finite_max', [x], {'axis': at}).text}, {at})")
        if function == "logsumexp":
            return w.call(_logsumexp_forward, "logsumexp", [x], {"axis": at, "keepdims": False})
        return Code(f"np.max({x.text}, axis={at[0] if len(at) == 1 else at})")

    return write_reduction


def _list_steps(x: Any) -> tuple[int, ...]:
    """Return the dimensions of an operand that are steps: those of the axes that it is read along as a whole."""
    while not isinstance(x, Read):
        if not x.parts:
            return ()
        x = x.parts[0]
    return tuple(range(sum(p.base == ALL for p in x.places)))


def _add_operands(w: PhraseWriter, e: Apply, args: Sequence[Code]) -> Code:
    if len(args) == 1:
        return args[0]
    return Code(" + ".join(a.enclose(SUM) for a in args).replace(" + -", " - "), SUM)


def _cast(w: PhraseWriter, e: Apply, args: Sequence[Code]) -> Code:
    return Code(f"{args[0].enclose(ATOM)}.astype({e.node.attrs['to'].__name__})")


def _raise_to_number(w: PhraseWriter, e: Apply, args: Sequence[Code]) -> Code:
    n = e.node.attrs["n"]
    if n == 0.5:
        return Code(f"np.sqrt({args[0].text})")
    return Code(f"{args[0].enclose(ATOM)} ** {n if n >= 0 else f'({n})'}", 6)


def zero_safe_mul(g, d):
    """Return g · d, and 0 where g is 0, even against infinities."""
    return np.where(g == 0, 0, g * d)


def read_steps(x, i):
    """Return the rows of x that an index names; zeros for -1."""
    named, i = np.asarray(i) >= 0, np.asarray(i)
    rows = np.zeros((*i.shape, *x.shape[1:]), x.dtype)
    rows[named] = x[i[named]]
    return rows


def add_to_steps(x, i, g):
    """Add g to the rows of x that an index names; -1 names none."""
    named, i = np.asarray(i) >= 0, np.asarray(i)
    np.add.at(x, i[named], np.asarray(g)[named])


PHRASES: dict[Op, Phrase] = {
    CONTRACT: _contract, SLICE: _slice, TRANSPOSE: _transpose, TAKE: _take, PICK: _pick_entry, ONE_HOT: _make_one_hot,
    sum_over: _add_operands, max_over: _make_reduction("max"), logsumexp_over: _make_reduction("logsumexp"),
    level_over: _make_reduction("level"),
    CAST: _cast, POWER_NUMBER: _raise_to_number,
    reduce.SUM: lambda w, e, args: Code(f"np.sum({args[0].text}{_write_dims(e)})"),
    MAX: lambda w, e, args: Code(f"np.max({args[0].text}{_write_dims(e)})"),
    relu: lambda w, e, args: Code(f"np.maximum({args[0].text}, 0)"),
    RESHAPE: lambda w, e, args: Code(f"np.reshape({args[0].text}, {write_tuple(e.shape)})"),
    BROADCAST_TO: lambda w, e, args: Code(f"np.broadcast_to({args[0].text}, {write_tuple(e.shape)})"),
    CONCAT: lambda w, e, args: Code(f"np.concatenate([{', '.join(a.text for a in args)}], {e.node.attrs['axis']})"),
    CUMSUM: lambda w, e, args: Code(f"np.cumsum({args[0].text}, axis={e.node.attrs['axis']})"),
    TAKE_STEP: lambda w, e, args: w.call(read_steps, "read_steps", args, {}),
    elementwise.zero_safe_mul: lambda w, e, args: w.call(zero_safe_mul, "zero_safe_mul", args, {}),
}  # fmt: skip
"""Functions from (writer, expression, operands) to source; they return ``None`` where ``forward`` must be called."""

__all__ = ["PHRASES", "add_to_steps"]
