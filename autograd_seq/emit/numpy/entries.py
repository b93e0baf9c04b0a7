"""One entry of each row, the one that an index names: where they all stand is found once for all who read or change them."""

from __future__ import annotations

from math import prod

from autograd_seq.core.node import Node
from autograd_seq.emit.numpy.arrays import WORK, Array, write_tuple
from autograd_seq.emit.numpy.page import Page


def write_pick(w: Page, node: Node) -> bool:
    """Write a choice of one entry a row, if it can be read from one piece of memory; tell whether it was written."""
    x, index = node.inputs
    array = w.get_array(x)
    if not _is_in_one_piece(w, array, index):
        return False
    flat, at = _flatten(w, array, x), _find_places(w, array, index)
    if w.is_local(node):
        w.write(f"{w.get_array(node).code} = {flat}.take({at})")
    else:  # which clips nothing, and otherwise NumPy writes into an array of its own first
        w.write(f'{flat}.take({at}, None, {w.write_target(node)}, "clip")')
    return True


def write_add_at(w: Page, node: Node) -> bool:
    """Write the addition of one number to an entry of each row, likewise."""
    x, index, factor = node.inputs
    array = w.get_array(node)
    alone = not factor.axes and factor.shape == ()
    if not alone or w.is_local(node) or not _is_in_one_piece(w, array, index):
        return False
    source, target = w.write_operand(x, list(array.axes), len(x.shape)), w.write_target(node)
    if source != target:
        w.write(f"copyto({target}, {source})")
    w.write(f"{_flatten(w, array, node)}[{_find_places(w, array, index)}] += {w.write_operand(factor, (), 0)}")
    return True


def _is_in_one_piece(w: Page, x: Array, index: Node) -> bool:
    """Tell whether the rows of an array are contiguous, and the index names an entry of each."""
    at_once = x.stage == WORK and x.whole and not w.frames
    return at_once and w.get_array(index).axes == x.axes and index.shape == x.shape[:-1]


def _flatten(w: Page, x: Array, node: Node) -> str:
    return w.compute_once(f"{x.code}.reshape(-1, copy=False)", f"{w.get_label(node)}_entries")


def _find_places(w: Page, x: Array, index: Node) -> str:
    """Return the name of the places of the entries in memory, found here when they are first needed."""
    n = x.shape[-1]
    if (index, n) not in w.found:
        w.helpers.add("find_places")
        lengths = write_tuple([*(w.size[a] for a in x.axes), *x.shape[:-1]])
        end = " * ".join([*(w.size[a] for a in x.axes), str(n * prod(x.shape[:-1]))])
        shaped = "" if len(x.axes) + len(x.shape) == 2 else f".reshape({lengths})"
        starts = w.make_once(f"arange(0, {end}, {n}){shaped}", "row_starts", lengths, "np.int64")
        out = w.found[index, n] = w.names.new(f"{w.get_label(index)}_places")
        w.allocate(out, lengths, "np.int64")  # of its own: places are read again later
        w.write(f"find_places({w.write_operand(index, list(x.axes), None)}, {n}, {starts}, {out})")
    return w.found[index, n]
