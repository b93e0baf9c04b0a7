"""Contractions as native code: a matrix product whose columns are packed once, or plain loops where it is none or tiny."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import CONSTANT, Node
from autograd_seq.emit.contraction import Label, product
from autograd_seq.emit.native.dims import DIMS
from autograd_seq.emit.native.kernel import DEPTH, ROWS
from autograd_seq.emit.native.lines import Lines
from autograd_seq.emit.native.places import Entry, Place, entry
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.ops.shape import RESHAPE
from autograd_seq.plan.memory.views import get_root, is_view

FEWEST_COLUMNS = 8
"""Products with fewer columns than this are plain loops."""

Length = tuple[int, tuple[str, ...]]
"""A product of a number and names of lengths."""


def times(*factors: Length) -> Length:
    """Return the product of lengths.

    Example:
        >>> times((2, ("T",)), (3, ("B",)))
        (6, ('B', 'T'))
    """
    number, names = 1, Counter[str]()
    for n, some in factors:
        number *= n
        names.update(some)
    return number, tuple(sorted(names.elements()))


def code_of(length: Length) -> str:
    """Return a length as source.

    Example:
        >>> code_of((64, ("B",))), code_of((1, ())), code_of((1, ("B", "T")))
        ('B * 64', '1', 'B * T')
    """
    number, names = length
    return " * ".join([*names, *([str(number)] if number != 1 or not names else [])]) if number else "0"


@dataclass(frozen=True)
class Strided:
    """An operand in memory: where it begins, and how far apart its entries are along each label."""

    base: str
    offset: str
    strides: dict[Label, Length]
    fixed: bool


def contraction(w: Lines, node: Node) -> None:
    """Write a contraction, over the axes of a sum as well if ``node`` is a sum of one."""
    inner = node if node.op is CONTRACT else node.inputs[0]
    operands, out_labels = inner.attrs["spec"].split("->")
    labels = operands.split(",")
    stepping = {u.loop.axis for u in w.around}
    lifted = [a for a in w.storage.order if a in node.axes and a not in stepping]
    dims: list[list[Label]] = [
        [*(a for a in w.storage.order if a in x.axes and a not in stepping), *own]
        for x, own in zip(inner.inputs, labels, strict=True)
    ]
    if not _matrix(w, node, inner, labels, dims, [*lifted, *out_labels], out_labels, stepping):
        _plain(w, node, inner, labels, lifted, out_labels)


def _plain(w: Lines, node: Node, inner: Node, labels: Sequence[str], lifted: Sequence[Axis], out: str) -> None:
    every = list(dict.fromkeys(out + labels[0] + labels[1]))
    var = {label: DIMS[k] for k, label in enumerate(every)}
    length = {c: n for x, own in zip(inner.inputs, labels, strict=True) for c, n in zip(own, x.shape, strict=True)}
    place = {c: Place(var[c]) if length[c] != 1 else Place(None) for c in every}
    summed_axes = [a for a in w.storage.order if a not in node.axes and any(a in x.axes for x in inner.inputs)]
    summed = [(var[c], str(length[c])) for c in every if c not in out and length[c] != 1]
    over = [*w.lifted(summed_axes), *summed]
    target = w.element(Entry(node, w.here(node), tuple(place[c] for c in out)))
    with w.loops([*w.lifted(lifted), *((var[c], str(length[c])) for c in out if length[c] != 1)]):
        total = w.names.new("total")
        if over:
            w.line(f"{total} = {'0.0' if node.dtype is float else '0'}")
        with w.loops(over):
            w.registers = {}
            factors = []
            for x, own in zip(inner.inputs, labels, strict=True):
                code = w.value(x, {a: Place(w.var[a]) for a in x.axes}, tuple(place[c] for c in own))
                factors.append(code if node.dtype is not float or x.dtype is float else f"real({code})")
            if node.dtype is int:
                factors = [f"np.int64({f})" for f in factors]
            w.line(f"{total} += {' * '.join(factors)}" if over else f"{target} = {' * '.join(factors)}")
        if over:
            w.line(f"{target} = {total}")
    w.registers = {}


def _matrix(w: Lines, node: Node, inner: Node, labels: Sequence[str], dims: Sequence[Sequence[Label]],
            out: Sequence[Label], out_labels: str, stepping: set[Axis]) -> bool:  # fmt: skip
    """Write a contraction as a product of matrices; returns whether it is one."""
    if node.dtype is not float or any(x.dtype is not float for x in inner.inputs):
        return False
    found, flip = product(dims[0], dims[1], out), False
    if found is not None and not found.second.columns:
        other = product(dims[1], dims[0], out)
        if other is not None and other.second.columns:
            found, flip = other, True
    if found is None or found.batch or not found.straight:
        return False
    rows, summed, columns = found.first.rows, found.first.columns, found.second.columns
    length: dict[Label, Length] = {a: _length(w, a) for a in w.axes}
    for x, own in zip(inner.inputs, labels, strict=True):
        length |= {c: (n, ()) for c, n in zip(own, x.shape, strict=True)}
    wide = times(*(length[c] for c in columns))
    if not columns or (not wide[1] and wide[0] < FEWEST_COLUMNS):
        return False
    places = [inner.inputs[i ^ flip] for i in (found.first.operand, found.second.operand)]
    own_labels = [labels[i ^ flip] for i in (found.first.operand, found.second.operand)]
    a, b = (strided(w, x, some, stepping) for x, some in zip(places, own_labels, strict=True))
    c = target(w, node, out_labels, stepping)
    if a is None or b is None or c is None:
        return False
    steps = [merged(s, g, length) for s, g in ((a, rows), (a, summed), (b, summed), (b, columns), (c, rows), (c, columns))]
    if any(s is None for s in steps) or steps[5] != (1, ()):
        return False
    outside = not w.around
    still = b.fixed and not outside and not any(get_root(places[1]) in w.fusion.touched(u)[0] for u in w.around)
    if not outside and not still:
        return False
    count = [times(*(length[k] for k in g)) for g in (rows, columns, summed)]
    m, n, k = map(code_of, count)
    for _, names in count:
        for name in names:
            w.argument(name)
    packed = packed_name(w, places[1], n, k, (b.offset, steps[2], steps[3]), still)
    codes = [code_of(s) for s in steps if s is not None]
    pack = f"pack({w.pointer(b.base)}, {b.offset}, {codes[2]}, {codes[3]}, {k}, {n}, {w.pointer(packed)})"
    if still and pack not in w.lines_before:
        w.lines_before.add(pack)
        w.once_before(pack)
    function = "step_product" if w.around else "matrix_product"
    w.line(
        f"{function}({w.pointer(a.base)}, {a.offset}, {codes[0]}, {codes[1]}, {w.pointer(b.base)}, {b.offset}, {codes[2]}, "
        f"{codes[3]}, {w.pointer(packed)}, {w.pointer(c.base)}, {c.offset}, {codes[4]}, {m}, {n}, {k}, {w.pointer(room(w))})"
    )
    return True


def _length(w: Lines, a: Axis) -> Length:
    size = w.size[a]
    return (int(size), ()) if size.isdigit() else (1, (size,))


def packed_name(w: Lines, x: Node, n: str, k: str, how: object, still: bool) -> str:
    """Return the array that holds the packed columns of an operand."""
    key = (get_root(x), n, k, how, still)
    if key not in w.packs:
        w.packs[key] = w.names.new(f"{w.called(x)}_packed")
        w.allocate(w.packs[key], f"(packed_size({n}, {k}, real),)", "real")
    return w.packs[key]


def room(w: Lines) -> str:
    """Return the array that products copy rows to."""
    if not w.room:
        w.room = w.names.new("room")
        w.allocate(w.room, f"({DEPTH * ROWS},)", "real")
    return w.room


def merged(x: Strided, group: Sequence[Label], length: dict[Label, Length]) -> Length | None:
    """Return the distance between entries along several labels as one, the first the outermost; ``None`` if they are not."""
    if any(g not in x.strides for g in group):
        return None
    for outer, inner in pairwise(group):
        if x.strides[outer] != times(x.strides[inner], length[inner]):
            return None
    return x.strides[group[-1]] if group else (0, ())


def target(w: Lines, node: Node, labels: str, stepping: set[Axis]) -> Strided | None:
    """Return where a product is written."""
    at = {a: Place(w.var[a]) for a in node.axes}
    return _laid_out(w, Entry(node, at, tuple(Place(DIMS[k]) for k in range(len(labels)))), labels, stepping)


def strided(w: Lines, x: Node, labels: str, stepping: set[Axis]) -> Strided | None:
    """Return an operand as it lies in memory; ``None`` if it does not lie there at even distances."""
    at, dims = {a: Place(w.var[a]) for a in x.axes}, tuple(Place(DIMS[k]) for k in range(len(labels)))
    whole = x
    while whole.op is RESHAPE and is_view(whole):
        whole = whole.inputs[0]
    if whole is not x and not is_view(whole):  # its entries lie one behind the other, whatever shape they are seen in
        return _laid_out(w, Entry(whole, at, dims), labels, stepping, x.shape)
    return _laid_out(w, entry(x, at, dims, w.size), labels, stepping)


def _laid_out(w: Lines, e: Entry, labels: str, stepping: set[Axis],
              shape: tuple[int, ...] | None = None) -> Strided | None:  # fmt: skip
    n, home = e.node, w.storage.homes.get(e.node)
    axes: tuple[Axis, ...] = ()
    halo: dict[Axis, tuple[int, int]] = {}
    if e.unless or n in w.fusion.inlined or n in w.packed or (home is not None and home.ring > 1):
        return None
    if n._value is not None or n.op is CONSTANT:
        base = w.array(n).code
    elif home is not None:
        base, axes, halo = w.base(n), home.axes, home.halo
    elif n.op in (INPUT, PARAM):
        base, axes = w.feed(n), n.axes
    else:
        return None
    places = [*(e.at[a].moved(halo.get(a, (0, 0))[0]) for a in axes), *e.dims]
    lengths: list[list[Length]] = [[_length(w, a), (sum(halo.get(a, (0, 0))), ())] for a in axes]
    lengths += [[(d, ()), (0, ())] for d in (n.shape if shape is None else shape)]
    label: dict[str, Label] = {DIMS[k]: c for k, c in enumerate(labels)}
    label |= {w.var[a]: a for a in w.axes if a not in stepping}
    strides: dict[Label, Length] = dict.fromkeys([*labels, *(a for a in e.at if a not in stepping)], (0, ()))
    offset: list[str] = []
    fixed = True
    stride: Length = (1, ())
    for place, (size, more) in reversed(list(zip(places, lengths, strict=True))):
        if place.var in label:
            known = label[str(place.var)]
            if strides.get(known, (0, ())) != (0, ()):
                return None  # a diagonal
            strides[known] = times(stride, (place.scale, ()))
            place = Place(None, 1, place.offset)
        elif place.var is not None:
            if not place.var.isidentifier():
                return None
            fixed = fixed and place.var in w.size.values()
            if place.var in w.size.values():
                w.argument(place.var)
        if place.code != "0":
            for name in stride[1]:
                w.argument(name.strip("()").split(" ")[0])
            offset.append(place.code if stride == (1, ()) else f"({place.code}) * {code_of(stride)}")
        stride = times(stride, size if not more[0] else (1, (f"({code_of(size)} + {more[0]})",)))
    for s in strides.values():
        for name in s[1]:
            w.argument(name.strip("()").split(" ")[0])
    return Strided(base, " + ".join(reversed(offset)) or "0", strides, fixed)


__all__ = ["FEWEST_COLUMNS", "Strided", "code_of", "contraction", "merged", "strided", "times"]
