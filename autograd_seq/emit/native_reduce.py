"""Sums, maxima and softmaxes as native loops, over dimensions of a value or over axes.

Sums of float32 are added up in double precision, so that rounding errors do not grow with their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograd_seq.emit.native_fuse import DIMS
from autograd_seq.emit.native_places import ZERO, Entry, Place
from autograd_seq.node import Node

if TYPE_CHECKING:
    from autograd_seq.emit.native import NativeWriter


def reduction(w: NativeWriter, node: Node) -> None:
    """Write what computes a reduction."""
    x = node.inputs[0]
    gone = tuple(a + len(x.shape) for a in node.attrs.get("axis", ()))
    places = tuple(Place(DIMS[k]) if n != 1 else ZERO for k, n in enumerate(x.shape))
    kept = [(str(p.var), str(n)) for k, (p, n) in enumerate(zip(places, x.shape, strict=True)) if k not in gone and n != 1]
    over = [(str(p.var), str(n)) for k, (p, n) in enumerate(zip(places, x.shape, strict=True)) if k in gone and n != 1]
    axes = node.attrs.get("axes", ())
    stepping = {u.loop.axis for u in w.around}
    lifted = [a for a in w.storage.order if a in node.axes and a not in stepping]
    over = [*w.lifted([a for a in w.storage.order if a in axes]), *over]
    at = {a: Place(w.var[a]) for a in x.axes}
    kind = node.op.name.removesuffix("_over")
    if kind in ("softmax", "log_softmax"):
        out = Entry(node, w.here(node), places)
    elif node.attrs.get("keepdims"):
        out = Entry(node, w.here(node), tuple(ZERO if k in gone else p for k, p in enumerate(places)))
    else:
        out = Entry(node, w.here(node), tuple(p for k, p in enumerate(places) if k not in gone))
    with w.loops([*w.lifted(lifted), *kept]):
        w.registers = {}
        if kind == "sum":
            _sum(w, node, x, over, at, places, out)
        elif kind == "max":
            _max(w, node, x, over, at, places, out)
        else:
            _exponentials(w, node, x, over, at, places, out, kind)
        w.registers = {}


def _sum(w, node, x, over, at, places, out) -> None:  # type: ignore[no-untyped-def]
    total = w.names.new("total")
    w.line(f"{total} = {'0.0' if node.dtype is float else '0'}")
    with w.loops(over):
        w.line(f"{total} += {w.value(x, at, places)}")
    w.line(f"{w.element(out)} = {total}")


def _max(w, node, x, over, at, places, out) -> None:  # type: ignore[no-untyped-def]
    top, value = w.names.new("top"), w.names.new("value")
    w.line(f"{top} = {({float: 'real(-np.inf)', int: '-9223372036854775808', bool: 'False'})[node.dtype]}")
    with w.loops(over):
        w.line(f"{value} = {w.value(x, at, places)}")
        w.line(f"{top} = {value} if {value} > {top} or {value} != {value} else {top}")
    w.line(f"{w.element(out)} = {top}")


def _exponentials(w, node, x, over, at, places, out, kind) -> None:  # type: ignore[no-untyped-def]
    top, value, total = w.names.new("top"), w.names.new("value"), w.names.new("total")

    def read() -> str:
        code = w.value(x, at, places)
        return code if x.dtype is float else f"real({code})"

    w.line(f"{top} = real(-np.inf)")
    with w.loops(over):
        w.line(f"{value} = {read()}")
        w.line(f"{top} = {value} if {value} > {top} else {top}")
    w.line(f"{top} = {top} if np.isfinite({top}) else real(0)")
    w.line(f"{total} = 0.0")
    if kind == "softmax":
        with w.loops(over):
            w.line(f"{w.element(out)} = fast_exp({read()} - {top})")
        with w.loops(over):
            w.line(f"{total} += {w.element(out)}")
        scale = w.names.new("scale")
        w.line(f"{scale} = real(1 / {total} if {total} != 0 else 1)")
        with w.loops(over):
            w.line(f"{w.element(out)} = {w.element(out)} * {scale}")
    elif kind == "log_softmax":
        with w.loops(over):
            w.line(f"{w.element(out)} = fast_exp({read()} - {top})")
        with w.loops(over):
            w.line(f"{total} += {w.element(out)}")
        shift = w.names.new("shift")
        w.line(f"{shift} = real(np.log({total}) if {total} != 0 else 0)")
        with w.loops(over):
            w.line(f"{w.element(out)} = ({read()} - {top}) - {shift}")
    else:
        with w.loops(over):
            w.line(f"{total} += fast_exp({read()} - {top})")
        w.line(f"{w.element(out)} = real(np.log({total}) + {top})")


__all__ = ["reduction"]
