"""A user's data at the command line: feeds of a graph from an npz file, or from a table.

In an npz file each array has the name of an input, and is laid out as the graph declares it; ``lengths.t`` holds the lengths of
sequences that are padded along ``t``. In a CSV file each row is one step: a column ``x`` is the input of that name, columns
``x[0]``, ``x[1]`` are the entries of a vector; where inputs vary over a batch too, a column of the name of that axis says which
sequence a row belongs to, and sequences may differ in length.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import autograd_seq as ag
from autograd_seq.core.errors import CarryError, did_you_mean
from autograd_seq.core.node import Node
from autograd_seq.ops.leaf import INPUT
from autograd_seq.sequences.cut import find_carried_axis
from autograd_seq.user_graph import UsageError


def list_fed(graph: ag.Graph) -> dict[str, Node]:
    """Return the inputs of a graph by name, but those that have a default."""
    return {name: n for name, n in graph.inputs.items() if n.op is INPUT and "default" not in n.attrs}


def find_steps(graph: ag.Graph) -> ag.Axis | None:
    """Return the axis of the steps: the one along which the graph recurs, else the one over which the fewest inputs vary."""
    axes = [a for n in list_fed(graph).values() for a in n.axes]
    try:
        return find_carried_axis(graph, True)
    except CarryError:
        return min(axes, key=axes.count, default=None)


def find_batch(graph: ag.Graph) -> ag.Axis | None:
    """Return the axis of the examples: the only other one that inputs vary over."""
    steps = find_steps(graph)
    others = {a: None for n in list_fed(graph).values() for a in n.axes if a is not steps}
    return next(iter(others)) if len(others) == 1 else None


def read_feeds(path: str, graph: ag.Graph, *, surplus: bool = False) -> dict[str, Any]:
    """Return the feeds of a graph from a file, ``lengths`` among them where sequences are padded.

    Args:
        path: of the file.
        graph: the equations, whose inputs are read.
        surplus: whether the file may hold more than that.

    Raises:
        UsageError: there is no such file, it is no table and no npz file, or it lacks an input.
    """
    file, fed = Path(path), list_fed(graph)
    if not file.is_file():
        what = f"{path!r} is no file" if file.exists() else f"there is no file {path!r}"
        raise UsageError("C120", what, expected="data: a .npz or .csv file", got="a folder" if file.is_dir() else path)
    if file.suffix == ".csv":
        feeds = _read_table(file, graph)
    elif file.suffix == ".npz":
        feeds = _read_archive(file, graph)
    else:
        raise UsageError("C121", f"{file.name} is no file of data", expected="a .npz or .csv file",
                         got=file.suffix or "no suffix", fix="np.savez(path, x=…, l=…)")  # fmt: skip
    known = [*fed, *(n for n in graph.inputs if n not in fed and graph.inputs[n].op is INPUT)]
    for name in fed:
        if name not in feeds:
            raise UsageError("C122", f"{file.name} has no data for {name}", expected=", ".join(fed),
                             got=", ".join(feeds) or "nothing", fix=did_you_mean(name, feeds))  # fmt: skip
    for name in feeds:
        if name not in known and name != "lengths" and not surplus:
            raise UsageError("C123", f"{file.name} has data for {name}, which is no input of the graph",
                             expected=", ".join(known), got=name, fix=did_you_mean(name, known))  # fmt: skip
    for name, node in fed.items():
        for axis, n in zip(node.axes, np.shape(feeds[name]), strict=False):
            if n == 0:
                raise UsageError("C133", f"{file.name} holds no data: {name} is empty", got=f"shape {np.shape(feeds[name])}",
                                 expected=f"one point or more along {axis}")  # fmt: skip
    return {name: value for name, value in feeds.items() if name in known or name == "lengths"}


def _read_archive(file: Path, graph: ag.Graph) -> dict[str, Any]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            feeds: dict[str, Any] = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(
            "C124", f"{file.name} cannot be read: {error}", expected="a file of np.savez(path, x=…)", got=file.name
        ) from None
    axes = {f"lengths.{a.name}": a for a in graph.axes}
    lengths = {axes[name]: feeds.pop(name) for name in [*feeds] if name in axes}
    return {**feeds, **({"lengths": lengths} if lengths else {})}


# -- tables -----------------------------------------------------------------------------------------------------------


def _read_table(file: Path, graph: ag.Graph) -> dict[str, Any]:
    """Return the feeds that the rows of a table are."""
    head, rows = _read_rows(file)
    steps, batch = find_steps(graph), find_batch(graph)
    names = {re.sub(r"\[\d+\]$", "", column) for column in head} - {batch.name if batch else ""}
    nodes = {name: n for name, n in list_fed(graph).items() if name in names}
    if too_many := [n for n in nodes.values() if n.ndim > 1 or not {*n.axes} <= {steps, batch}]:
        raise UsageError("C125", f"{too_many[0].name} does not fit a table", node=too_many[0].name,
                         expected="numbers or vectors, over steps and sequences", got=repr(too_many[0]),
                         fix="np.savez(path, x=…), a .npz file")  # fmt: skip
    columns = {name: _read_columns(file, name, node, head, rows) for name, node in nodes.items()}
    unknown: dict[str, Any] = dict.fromkeys(sorted(names - {*nodes}))  # refused with the names that there are
    groups = _group_rows(file, head, rows, batch)
    lengths = np.array([len(group) for group in groups])
    feeds: dict[str, Any] = {}
    for name, node in nodes.items():
        longest = int(lengths.max(initial=0))
        array = np.zeros((len(groups), longest, *node.shape), columns[name].dtype)
        for row, group in zip(array, groups, strict=True):
            row[: len(group)] = columns[name][group]
        if steps not in node.axes:  # the same at all steps: that of the first
            array = array[:, 0]
        if batch is None or batch not in node.axes:
            array = array[0]
        elif steps in node.axes and node.axes.index(batch) > node.axes.index(steps):
            array = array.swapaxes(0, 1)
        feeds[name] = array
    if steps is not None and len({*lengths.tolist()}) > 1:
        feeds["lengths"] = {steps: lengths}
    return {**feeds, **unknown}


def _read_rows(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names of the columns, and the rows, each with the number of its line."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text)
            rows = [(reader.line_num, [cell.strip() for cell in line]) for line in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError("C126", f"{file.name} is no table: {error}", expected="text in UTF-8, cells separated by commas",
                         got=file.name) from None  # fmt: skip
    lines = [(number, line) for number, line in rows if line and line != [""] and not line[0].startswith("#")]
    if len(lines) < 2:
        raise UsageError(
            "C127", f"{file.name} holds no rows", expected="names of columns, and a row for each step",
            got=f"{len(lines) or 'no'} line{'s' * (len(lines) != 1)}",
        )  # fmt: skip
    head = lines[0][1]
    if len({*head}) < len(head):
        raise UsageError("C128", f"{file.name} has two columns of one name", expected="names that differ", got=", ".join(head))
    for number, line in lines[1:]:
        if len(line) != len(head):
            cells = f"{len(line)} cell{'s' * (len(line) != 1)}"
            raise UsageError("C129", f"a row of {file.name} has {cells}", where=f"{file.name}:{number}",
                             expected=f"{len(head)}, as its first line has", got=", ".join(line)[:80])  # fmt: skip
    return head, lines[1:]


def _read_columns(file: Path, name: str, node: Node, head: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> np.ndarray:
    """Return the values of an input at each row."""
    wanted = [name] if not node.shape else [f"{name}[{i}]" for i in range(node.shape[0])]
    if node.shape == (1,) and name in head:
        wanted = [name]
    if missing := [column for column in wanted if column not in head]:
        raise UsageError("C130", f"{file.name} has no column {missing[0]}", expected=f"columns {wanted[0]} … {wanted[-1]}",
                         got=", ".join(head)[:120])  # fmt: skip
    if surplus := [column for column in head if column.startswith(f"{name}[") and column not in wanted]:
        raise UsageError("C131", f"{file.name} has a column {surplus[0]}, and {name} has {node.size} entries", got=surplus[0],
                         expected=", ".join(wanted)[:120])  # fmt: skip
    places = [head.index(column) for column in wanted]
    values = [[_read_cell(file, number, head[k], line[k], node) for k in places] for number, line in rows]
    return np.array(values, node.dtype).reshape(len(rows), *node.shape)


def _read_cell(file: Path, line: int, column: str, cell: str, node: Node) -> Any:
    try:
        number = float(cell)
        if node.dtype is not float and number != int(number):
            raise ValueError
    except (ValueError, OverflowError):
        kind = "a number" if node.dtype is float else "an integer"
        raise UsageError(
            "C132", f"{column} is not {kind}", where=f"{file.name}:{line}", expected=kind, got=repr(cell)[:60]
        ) from None
    return number


def _group_rows(file: Path, head: Sequence[str], rows: Sequence[Any], batch: ag.Axis | None) -> list[np.ndarray]:
    """Return the numbers of the rows of each sequence, in the order in which these begin."""
    if batch is None or batch.name not in head:
        return [np.arange(len(rows))]
    k, groups = head.index(batch.name), dict[str, list[int]]()
    for i, (_, line) in enumerate(rows):
        groups.setdefault(line[k], []).append(i)
    return [np.array(group) for group in groups.values()]


__all__ = ["find_batch", "find_steps", "list_fed", "read_feeds"]
