"""Contractions as native code: matrix products with packed columns, and plain loops for tiny products and all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from autograd_seq.core.axes import Axis
from autograd_seq.core.node import Node
from autograd_seq.emit.contraction import Contraction, Label, Matrix, read_contraction
from autograd_seq.emit.native.dims import DIMS
from autograd_seq.emit.native.kernel import DEPTH, ROWS
from autograd_seq.emit.native.lines import LineWriter
from autograd_seq.emit.native.memory import flatten_index
from autograd_seq.emit.native.reductions import write_addition
from autograd_seq.emit.places import AffineIndex, Entry, find_entry
from autograd_seq.ops.shape import RESHAPE
from autograd_seq.ops.time import INDEX, SIZE
from autograd_seq.plan.memory.views import get_root, is_view

FEWEST_COLUMNS, FEWEST_ENTRIES = 8, (64, 32)
"""Products of fewer columns and multiplications are plain loops: those of a row within a loop over steps, and all outside of
one, as far as lengths are known. Plain loops wait for each addition; blocks add many at once (2026-11: 3,200 rows of 64 times
4 columns, 1.0 ms by loops, 0.1 by blocks)."""
LONG = 16
"""From so many entries on, the additions of a plain loop may be reordered, so that they are vectorised."""
MOST_TINY = 40
"""How many products of a program are plain loops at most: LLVM takes 0.05 s for each, and next to nothing for a call of blocks,
which takes up to 1.3 times as long to run (2026-11: an LSTM in both directions with 3 units, 7.6 s for the first call, 2.5)."""

LengthProduct = tuple[int, tuple[str, ...]]
"""A product of a number and of lengths of axes, by name."""


def multiply_lengths(*factors: LengthProduct) -> LengthProduct:
    """Return the product of lengths.

    Example:
        >>> multiply_lengths((2, ("T",)), (3, ("B",)))
        (6, ('B', 'T'))
    """
    number, names = 1, Counter[str]()
    for n, some in factors:
        number *= n
        names.update(some)
    return number, tuple(sorted(names.elements()))


def write_length(length: LengthProduct) -> str:
    """Return a length as source.

    Example:
        >>> write_length((64, ("B",))), write_length((1, ())), write_length((1, ("B", "T")))
        ('B * 64', '1', 'B * T')
    """
    number, names = length
    return " * ".join([*names, *([str(number)] if number != 1 or not names else [])]) if number else "0"


@dataclass(frozen=True)
class Strided:
    """An operand in memory: its array, its offset, and its stride along each label; ``fixed`` if no loop moves the offset."""

    base: str
    offset: str
    strides: dict[Label, LengthProduct]
    fixed: bool


def write_contraction(w: LineWriter, node: Node) -> None:
    """Write a contraction, or the sum of one over axes."""
    c = read_contraction(w.storage, node)
    if not _write_matrix_product(w, node, c):
        _write_loops(w, node, c)


def _write_loops(w: LineWriter, node: Node, c: Contraction) -> None:
    out = c.labels[2]
    place = {d: AffineIndex(name_index(w, c, d) if n != 1 else None) for d, n in c.lengths.items()}

    def list_inner_loops(labels: Iterable[Label]) -> list[tuple[str, str]]:
        return [(name_index(w, c, d), str(c.lengths[d])) for d in labels if isinstance(d, str) and c.lengths[d] != 1]

    gone = [d for d in dict.fromkeys([*c.dims[0], *c.dims[1]]) if d not in c.dims[2]]
    over = [*w.list_lifted_loops(gone), *list_inner_loops(gone)]
    target = w.write_element(Entry(node, w.get_point(node), tuple(place[label] for label in out)))
    with w.open_loops([*w.list_lifted_loops(node.axes), *list_inner_loops(out)]):
        total = w.names.new("total")
        if over:
            w.add_line(f"{total} = {'0.0' if node.dtype is float else '0'}")
        with w.open_loops(over):
            factors = []
            for x, own in zip(c.node.inputs, c.labels, strict=False):
                code = w.write_value(x, w.get_point(x), tuple(place[label] for label in own))
                factors.append(code if node.dtype is not float or x.dtype is float else f"real({code})")
            if node.dtype is int:
                factors = [f"np.int64({f})" for f in factors]
            code = " * ".join(factors)
            long = any(not n.isdigit() or int(n) >= LONG for _, n in over[-1:])
            added = write_addition(total, code, node) if long else f"{total} += {code}"
            w.add_line(added if over else f"{target} = {code}")
        if over:
            w.add_line(f"{target} = {total}")


def _write_matrix_product(w: LineWriter, node: Node, c: Contraction) -> bool:
    """Write a contraction as a matrix product, within a loop also as one for each point of a batch; ``False`` if it is none."""
    found, outside = c.product, not w.around
    if found is None or node.dtype is not float or (outside and (found.batch or not found.straight)):
        return False
    first, second = found.first, found.second
    if not second.columns:  # a vector is multiplied as a row
        first, second = second.transpose(), first.transpose()
    rows, summed, columns = first.rows, first.columns, second.columns
    length: dict[Label, LengthProduct] = {a: _read_length(w.size[a]) for a in w.axes}
    length |= {label: (n, ()) for label, n in c.lengths.items()}
    count = [multiply_lengths(*(length[d] for d in g)) for g in (rows, columns, summed, found.batch)]
    if not columns or (_is_tiny(count, outside) and w.tiny < MOST_TINY):
        w.tiny += 1
        return False
    stepping = {*(loop.axis for loop in w.storage.path[node]), *found.batch}
    out = get_target(w, node, c, stepping)
    if out is None or (row := merge_strides(out, rows, length)) is None or merge_strides(out, columns, length) != (1, ()):
        return False
    copies = outside and bool(rows)  # of a single row, a copy would cost as much as the product
    left, right = (_read_matrix(w, c, m, stepping, length, copies) for m in (first, second))
    if left is None or right is None:
        return False
    (a, *of_a), (b, *of_b) = left, right
    packs = c.node.inputs[second.operand]
    still = b.fixed and not outside and not any(get_root(packs) in w.fusion.list_touched(u)[0] for u in w.around)
    if not outside and not still:
        return False
    m, n, k, many = map(write_length, count)
    steps = [write_length(s) for s in (*of_a, *of_b, row)]
    each = [(name_index(w, c, d), write_length(length[d])) for d in found.batch]
    packed = get_packed(w, packs, n, k, (b.base, b.offset, steps[2], steps[3]), still, many=many)
    if each:  # one after the other in the same array
        size = w.compute_once(f"packed_size({n}, {k}, real)", f"{packed}_size")
        w.kinds[size] = "int"
        packed = f"{packed}[({flatten_index(each)}) * {size}:]"
    if still:
        _pack_before(w, each, f"pack({b.base}, {b.offset}, {steps[2]}, {steps[3]}, {k}, {n}, {packed})")
    with w.open_loops(each):
        w.add_line(
            f"{'matrix_product' if outside else 'step_product'}({a.base}, {a.offset}, {steps[0]}, {steps[1]}, "
            f"{b.base}, {b.offset}, {steps[2]}, {steps[3]}, {packed}, "
            f"{out.base}, {out.offset}, {steps[4]}, {m}, {n}, {k}, {get_room(w)})"
        )
    return True


def _is_tiny(count: Sequence[LengthProduct], outside: bool) -> bool:
    """Tell whether a product of so many rows, columns and entries summed is faster as plain loops."""
    rows, columns, summed = count[:3]
    entries = columns[0] * summed[0] * (rows[0] if outside else 1)
    return not columns[1] and columns[0] < FEWEST_COLUMNS and entries < FEWEST_ENTRIES[outside]


def _pack_before(w: LineWriter, each: Sequence[tuple[str, str]], pack: str) -> None:
    """Write, before the outermost loop and once, that columns are packed, for each point of a batch."""
    if pack not in w.lines_before:
        w.lines_before.add(pack)
        for depth, (var, n) in enumerate(each):
            w.write_before(f"{'    ' * depth}for {var} in range({n}):")
        w.write_before("    " * len(each) + pack)


def name_index(w: LineWriter, c: Contraction, label: Label) -> str:
    """Return the variable of a loop over a dimension of a contraction."""
    return w.var[label] if isinstance(label, Axis) else DIMS[list(dict.fromkeys("".join(c.labels))).index(label)]


def _read_matrix(w: LineWriter, c: Contraction, m: Matrix, stepping: Set[Label], length: dict[Label, LengthProduct],
              copies: bool) -> tuple[Strided, LengthProduct, LengthProduct] | None:  # fmt: skip
    """Return an operand and its strides along rows and columns; where it has none, those of a copy, if that is allowed."""
    x = get_strided(w, c, m.operand, stepping)
    if x is not None:
        row, column = merge_strides(x, m.rows, length), merge_strides(x, m.columns, length)
        if row is not None and column is not None:
            return x, row, column
    return _copy_matrix(w, c, m, length) if copies else None


def _copy_matrix(w: LineWriter, c: Contraction, m: Matrix, length: dict[Label, LengthProduct]
                 ) -> tuple[Strided, LengthProduct, LengthProduct]:  # fmt: skip
    """Write a copy of an operand whose rows and columns are merged, and return it with its strides along both."""
    x, labels = c.node.inputs[m.operand], c.labels[m.operand]
    turned = c.dims[m.operand][-1] in m.rows  # what is contiguous in the operand stays so
    strides: dict[Label, LengthProduct] = {}
    step: LengthProduct = (1, ())
    for label in reversed([*m.columns, *m.rows] if turned else [*m.rows, *m.columns]):
        strides[label], step = step, multiply_lengths(step, length[label])
    name = get_packed(w, x, write_length(step), "1", (m, labels), False, "copied")
    var = {label: name_index(w, c, label) for label in strides}
    place = tuple(AffineIndex(var[label] if c.lengths[label] != 1 else None) for label in labels)
    with w.open_loops([(var[label], write_length(length[label])) for label in reversed(strides) if length[label] != (1, ())]):
        value = w.write_value(x, w.get_point(x), place)
        at = " + ".join(f"{var[d]} * {write_length(s)}" for d, s in strides.items() if length[d] != (1, ()))
        w.add_line(f"{name}[{at or 0}] = {value}")
    ends = [strides[g[-1]] if g else (0, ()) for g in (m.rows, m.columns)]
    return Strided(name, "0", strides, True), ends[0], ends[1]


def _read_length(code: str) -> LengthProduct:
    return (int(code), ()) if code.isdigit() else (1, (code,))


def get_packed(w: LineWriter, x: Node, n: str, k: str, how: object, still: bool, word: str = "packed", many: str = "1") -> str:
    """Return the array that holds the packed columns of an operand, of ``many`` matrices, or another copy of it."""
    key = (get_root(x), n, k, how, still)
    if key not in w.packs:
        w.packs[key] = w.add_pointer(w.names.new(f"{w.get_label(x)}_{word}"))
        w.allocate(w.packs[key], f"({'' if many == '1' else f'{many} * '}packed_size({n}, {k}, real),)", "real")
    return w.packs[key]


def get_room(w: LineWriter) -> str:
    """Return the scratch array to which products copy rows."""
    if not w.room:
        w.room = w.add_pointer(w.names.new("room"))
        w.allocate(w.room, f"({DEPTH * ROWS},)", "real")
    return w.room


def merge_strides(x: Strided, group: Sequence[Label], length: dict[Label, LengthProduct]) -> LengthProduct | None:
    """Return one stride for several labels, outermost first; ``None`` if they cannot be merged into one dimension."""
    if any(g not in x.strides for g in group):
        return None
    for outer, inner in pairwise(group):
        if x.strides[outer] != multiply_lengths(x.strides[inner], length[inner]):
            return None
    return x.strides[group[-1]] if group else (0, ())


def get_target(w: LineWriter, node: Node, c: Contraction, stepping: Set[Label]) -> Strided | None:
    """Return the result of a product as strided memory; ``None`` if it is not."""
    return _find_strides(w, Entry(node, w.get_point(node), _list_indices(w, c, 2)), c, stepping)


def get_strided(w: LineWriter, c: Contraction, operand: int, stepping: Set[Label]) -> Strided | None:
    """Return an operand as strided memory; ``None`` if its entries do not have constant strides."""
    x = c.node.inputs[operand]
    at, dims = w.get_point(x), _list_indices(w, c, operand)
    whole = x
    while whole.op is RESHAPE and is_view(whole):
        whole = whole.inputs[0]
    if whole is not x and not is_view(whole):  # contiguous, whatever its shape
        return _find_strides(w, Entry(whole, at, dims), c, stepping, x.shape)
    return _find_strides(w, find_entry(x, at, dims, w.size), c, stepping)


def _list_indices(w: LineWriter, c: Contraction, operand: int) -> tuple[AffineIndex, ...]:
    return tuple(AffineIndex(name_index(w, c, d)) for d in c.labels[operand])


def _find_strides(w: LineWriter, e: Entry, c: Contraction, stepping: Set[Label],
              shape: tuple[int, ...] | None = None) -> Strided | None:  # fmt: skip
    n, home = e.node, w.storage.homes.get(e.node)
    if e.unless or n in w.fusion.inlined or n in w.packed or n.op in (SIZE, INDEX) or (home is not None and home.ring > 1):
        return None
    every: list[Label] = [*c.lengths, *w.axes]
    label = {name_index(w, c, d): d for d in every if d not in stepping}
    batch = {name_index(w, c, d) for d in stepping} - {w.var[u.loop.axis] for u in w.around}
    strides: dict[Label, LengthProduct] = {d: (0, ()) for d in label.values() if isinstance(d, str) or d in e.at}
    offset: list[str] = []
    fixed = True
    stride: LengthProduct = (1, ())
    for place, size in reversed(w.list_places(e, n.shape if shape is None else shape)):
        if place.var in label:
            known = label[str(place.var)]
            if strides.get(known, (0, ())) != (0, ()):
                return None  # a diagonal
            strides[known] = multiply_lengths(stride, (place.scale, ()))
            place = AffineIndex(None, 1, place.offset)
        elif place.var is not None:
            if not place.var.isidentifier():
                return None
            fixed = fixed and (place.var in batch or place.var in w.size.values())
        if place.code != "0":
            offset.append(place.code if stride == (1, ()) else f"({place.code}) * {write_length(stride)}")
        stride = multiply_lengths(stride, _read_length(size))
    return Strided(w.get_address(n), " + ".join(reversed(offset)) or "0", strides, fixed)


__all__ = ["FEWEST_COLUMNS", "Strided", "get_strided", "merge_strides", "multiply_lengths", "write_contraction", "write_length"]
