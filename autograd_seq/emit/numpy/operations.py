"""How a program writes an operation in NumPy: a ufunc that writes into an array, a few calls, or a function of its own.

The operation itself says which: see :mod:`autograd_seq.core.facts`. One that says neither a ufunc nor calls is called as its
own ``forward``, whose source is copied into the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from autograd_seq.core.facts import MINUS_ONE, ONE, SMALLEST
from autograd_seq.core.node import Node
from autograd_seq.ops.elementwise import where
from autograd_seq.ops.gather import PICK, TAKE
from autograd_seq.ops.linear import contract
from autograd_seq.ops.parts import CONCAT
from autograd_seq.ops.random import DRAW
from autograd_seq.ops.reduce import sum_over
from autograd_seq.ops.steps import TAKE_STEP

NUMBERS = {ONE: ("one", "1.0"), MINUS_ONE: ("minus_one", "-1.0"), SMALLEST: ("smallest", "np.finfo(real).tiny")}
"""Numbers of the program's width by their word in NumPy calls: what they are named, and what they are."""

_BY_NAME = {np.maximum, np.minimum}  # NumPy wants out= by name for these


def list_names(nodes: Iterable[Node]) -> set[str]:
    """Return what the calls of nodes name of NumPy's main module."""
    found: set[str] = set()
    for node in nodes:
        if node.op.ufunc is not None:
            found.add(node.op.ufunc.__name__)
        called = [name for line in _list_templates(node) for name in re.findall(r"(?<![\w.])(\w+)\(", line)]
        found |= {name for name in called if hasattr(np, name)}
    return found


def _list_templates(node: Node) -> Sequence[str]:
    calls = node.op.numpy
    return (calls(node) if callable(calls) else calls) or ()


def _is_trailing(node: Node) -> bool:
    """Tell whether a reduction is one over the last dimensions: along contiguous memory, where NumPy's sum is pairwise."""
    return bool(node.attrs["axis"] == tuple(range(-len(node.attrs["axis"]), 0)))


def write_reduction(node: Node, xs: list[str]) -> str | None:
    """Return the call that reduces dimensions, without its closing bracket; ``None`` if it takes more than one."""
    if not (node.op.reduces and node.op.ufunc) or node.dtype is not node.inputs[0].dtype or not _is_trailing(node):
        return None
    axis = node.attrs["axis"]
    kept = ", keepdims=True" if node.attrs["keepdims"] else ""
    return f"{node.op.ufunc.__name__}.reduce({xs[0]}, axis={axis[0] if len(axis) == 1 else axis}{kept}"


def can_write(node: Node) -> bool:
    """Tell whether the operation of a node can write into an array that is there already."""
    op = node.op
    if op.reduces and op.axes:
        whole = op is sum_over and node.inputs[0].op is contract  # parts of which are outputs, often
        return len(node.inputs) > 1 or not whole or bool(node.axes)
    if op.reduces and op.ufunc:
        return write_reduction(node, [""]) is not None
    if op is TAKE:
        return not node.inputs[0].axes  # of a table that is the same at all points
    if op is CONCAT:  # NumPy's own broadcasts nothing
        return all(set(x.axes) == set(node.axes) and len(x.shape) == len(node.shape) and x.dtype is node.dtype
                   and all(n == m or i == node.attrs["axis"] for i, n, m in zip(
                       range(-len(node.shape), 0), x.shape, node.shape, strict=True)) for x in node.inputs)  # fmt: skip
    return op.ufunc is not None or op.numpy is not None or op in (contract, PICK, DRAW, TAKE_STEP)


def can_overwrite(node: Node) -> bool:
    """Tell whether a node's operation may write over an operand of its own shape and kind."""
    if node.op.reduces or node.op in (contract, CONCAT, TAKE, PICK, DRAW, TAKE_STEP) or not can_write(node):
        return False  # an entry that is written is not the one read
    if node.op is where and node.inputs[1]._value is not None and not node.inputs[1].shape:
        return True  # what is chosen is no array: the other may stand where the result is to be
    return not node.op.rereads


def write_calls(node: Node, out: str, xs: list[str]) -> list[str] | None:
    """Return the lines that compute a node into ``out``; ``None`` if it can only be called."""
    if node.op is sum_over and not node.attrs["axes"] and len(xs) > 1:
        return [f"add({xs[0]}, {xs[1]}, {out})", *(f"add({out}, {x}, {out})" for x in xs[2:])]
    if call := write_reduction(node, xs):
        return [f"{call}, out={out})"]
    if node.op.reduces or (node.op in (CONCAT, TAKE) and not can_write(node)):
        return None
    if lines := _list_templates(node):
        made = [line.format(*xs, out=out) for line in lines]
        return [line for line in made if line != f"copyto({out}, {out})"]
    if node.op.ufunc is None:
        return None
    last = f"out={out}" if node.op.ufunc in _BY_NAME else out
    return [f"{node.op.ufunc.__name__}({', '.join([*xs, last])})"]
