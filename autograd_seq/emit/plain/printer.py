"""A procedure as a NumPy program: one function of the feeds, followed by the functions that it calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import fill, wrap

from autograd_seq.core.axes import Axis, Iteration
from autograd_seq.core.names import make_docstring, make_printable
from autograd_seq.emit.names import Names
from autograd_seq.emit.numpy.arrays import write_tuple
from autograd_seq.emit.plain.code import SUM, Code
from autograd_seq.emit.plain.expressions import ExpressionWriter
from autograd_seq.emit.plain.notation import write_equation
from autograd_seq.emit.plain.phrases import add_to_steps
from autograd_seq.emit.procedure import lower_graph
from autograd_seq.emit.program_text import Emitted, wrap_items, write_imports
from autograd_seq.emit.statements import Accumulate, Allocate, Assign, Expression, For, Read, Statement, StoredArray, walk_parts
from autograd_seq.graph.graph import Graph
from autograd_seq.ops.gather import _checked
from autograd_seq.ops.time import ALONG

RESERVED = {"np", "math", "hashlib", "step"}
_KINDS = {float: "", int: ", int", bool: ", bool"}
_ZERO = {float: "0.0", int: "0", bool: "False"}
_WIDTH = 110
_SHORT = 8  # longer loops within loops are followed by a blank line
_INSIDE = "        "
_GLUE = "\0"  # stands for a space at which a line must not be broken


def print_plain(graph: Graph, layouts: Sequence[Sequence[Axis]], gradients: Sequence[str] = ()) -> Emitted:
    """Return the textbook program of a graph.

    Args:
        graph: as the user wrote it.
        layouts: the axes of each output, in the order of its dimensions.
        gradients: the names of the parameters whose gradients are the last outputs; these are then returned as a dictionary.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> x, s = ag.input("x", over=t), ag.state("s", over=t)
        >>> s[t] = 0.5 * s[t - 1] + x[t]
        >>> print(print_plain(ag.Graph(s), [(t,)]).source)
        import numpy as np
        <BLANKLINE>
        <BLANKLINE>
        def step(x):
            \"""Compute s.\"""
            T = len(x)
            s = np.zeros(T + 1)  # s[-1] = 0
            for t in range(T):
                # s[t] = 0.5 · s[t − 1] + x[t]
                s[t] = 0.5 * s[t - 1] + x[t]
        <BLANKLINE>
            return s[:T]
        <BLANKLINE>
    """
    return _Printer(graph, layouts).emit(gradients)


class _Printer:
    def __init__(self, graph: Graph, layouts: Sequence[Sequence[Axis]]) -> None:
        self.graph, self.layouts = graph, layouts
        names = Names(RESERVED)
        self.steps: dict[Axis, str] = {}
        self.sizes: dict[Axis, str] = {}
        self.procedure = lower_graph(graph, names, self._name_axes)
        self.expressions = ExpressionWriter(names, self.steps, self.sizes)
        self.buffers: list[tuple[str, str]] = []
        self.rows: set[tuple[StoredArray, Axis, bool]] = set()  # rows outside of the steps that a statement writes

    def _name_axes(self, names: Names) -> None:
        for a in self.graph.axes:
            self.steps[a] = names.new(a.name)
            if isinstance(a, Iteration):
                self.sizes[a] = str(a.size)
                continue
            self.sizes[a] = names.new(a.name.upper() if len(a.name) <= 2 and a.name.upper() != a.name else f"size_{a.name}")

    def emit(self, gradients: Sequence[str]) -> Emitted:
        p = self.procedure
        feeds = {name: array.name for name, array in p.feeds.items()}
        self._note_rows(p.body)
        lines = [*self._write_body(p.body, 1), *self._write_return(gradients)]
        known, asked = self._read_lengths()
        checks = [f"    {self.expressions.bundle.add(_checked, 'checked')}({name}, {n})" for name, n in self.expressions.labels]
        text = [
            *_write_head([*feeds.values(), *(self.sizes[a] for a in asked)]),
            f"    {make_docstring(fill(self._write_title(gradients), _WIDTH, subsequent_indent='    '))}",
            *known,
            *checks,
            *lines,
        ]
        functions = [part for source in self.expressions.bundle.sources.values() for part in ("", "", source)]
        source = "\n".join([*write_imports(self.expressions.bundle.modules), "", "", *text, *functions, ""])
        sizes = {a: self.sizes[a] for a in p.axes if not isinstance(a, Iteration)}
        return Emitted(source, feeds, sizes, self.expressions.constants,
                       self.expressions.bundle.foreign, tuple(map(tuple, self.layouts)), tuple(self.buffers), (),
                       tuple(asked))  # fmt: skip

    def _write_title(self, gradients: Sequence[str]) -> str:
        names = [p.array.label if isinstance(p, Read) and not o.name and p.array.label else self.graph.label(o)
                 for o, p in zip(self.graph.outputs, self.procedure.outputs, strict=True)]  # fmt: skip
        if gradients:
            first = "the loss" if names[0] == "loss" else names[0]
            return f"Compute {first}, and its gradients by {', '.join(map(make_printable, gradients))}."
        return f"Compute {', '.join(names[:8])}{', …' if len(names) > 8 else ''}."

    def _read_lengths(self) -> tuple[list[str], list[Axis]]:
        """Return the lines that read the lengths of axes from feeds, and the axes whose lengths are arguments."""
        lines: list[str] = []
        known: set[Axis] = set()
        for array in self.procedure.feeds.values():
            new = [a for a in array.axes if a not in known]
            if not new:
                continue
            known |= set(new)
            if array.axes[0] is new[0] and len(new) == 1:
                lines.append(f"    {self.sizes[new[0]]} = len({array.name})")
                continue
            k = max(array.axes.index(a) for a in new) + 1
            left = [self.sizes[a] if a in new else "_" for a in array.axes[:k]]
            shape = f"{array.name}.shape" if k == len(array.axes) + len(array.shape) else f"{array.name}.shape[:{k}]"
            lines.append(f"    {', '.join(left)}{',' if k == 1 else ''} = {shape}")
        pairs = [(n.attrs["axis"], n.attrs["other"]) for n in self.graph.nodes if n.op is ALONG]
        while found := next(((a, b) for p in pairs for a, b in (p, p[::-1]) if a in known and b not in known), None):
            known.add(found[1])
            lines.append(f"    {self.sizes[found[1]]} = {self.sizes[found[0]]}")
        return lines, [a for a in self.graph.axes if a not in known and not isinstance(a, Iteration)]

    # -- statements -------------------------------------------------------------------------------------------------------

    def _note_rows(self, body: Sequence[Statement]) -> None:
        for s in body:
            if isinstance(s, For):
                self._note_rows(s.body)
            elif isinstance(s, Assign) and s.outside:
                for a, p in s.target.indices:
                    if p.base != "step":
                        self.rows.add((s.target.array, a, p.base == "start"))

    def _write_body(self, body: Sequence[Statement], depth: int) -> Iterator[str]:
        indent = "    " * depth
        for kind, several in groupby(body, type):
            if kind is Allocate:
                arrays = [s.array for s in several if isinstance(s, Allocate)]
                self.expressions.sums |= {a for a in arrays if not a.axes and not a.shape}
                yield from (indent + line for line in self._write_allocations(arrays))
                continue
            for s in several:
                if isinstance(s, For):
                    steps = f"range({self.sizes[s.axis]})"
                    yield f"{indent}for {self.steps[s.axis]} in {steps if s.direction > 0 else f'reversed({steps})'}:"
                    self.expressions.around.append(s.axis)
                    inside = [*self._write_body(s.body, depth + 1)]
                    self.expressions.around.pop()
                    yield from inside
                    if s.goes_on is not None:
                        going = self.expressions.read(s.goes_on)
                        going = f"np.any({going})" if any(a is not s.axis for a in s.goes_on.array.axes) else going
                        yield f"{indent}    if not {going}:"
                        yield f"{indent}        break"
                    if depth == 1 or (len(inside) > _SHORT and s is not body[-1]):
                        yield ""
                elif isinstance(s, (Assign, Accumulate)):
                    yield from (f"{indent}# {line}" for line in _fold(make_printable(write_equation(s))))
                    yield from self._write_statement(s, indent)

    def _write_statement(self, s: Assign | Accumulate, indent: str) -> Iterator[str]:
        code = self.expressions.write(s.value)
        if isinstance(s, Accumulate) and s.index is not None:
            given = [Code(self.expressions.read(s.target)), self.expressions.write(s.index), code]
            yield f"{indent}{self.expressions.call(add_to_steps, 'add_to_steps', given, {}).text}"
            return
        if isinstance(s, Assign) and not s.target.array.axes:  # a variable has the dtype of arrays
            code = code.as_numpy(s.value.dtype)
        head = f"{indent}{self.expressions.read(s.target)} {'+=' if isinstance(s, Accumulate) else '='} "
        if len(head) + len(code.text) <= _WIDTH or code.firm != SUM:
            yield head + code.text
            return
        parts, lines = _split_terms(code.text), [f"{head}("]
        for k, part in enumerate(parts):
            if k and len(lines) > 1 and len(lines[-1]) + len(part) <= _WIDTH:
                lines[-1] += part
            else:
                lines.append(f"{indent}    {part.strip()}")
        yield from [*lines, f"{indent})"]

    def _write_allocations(self, arrays: Sequence[StoredArray]) -> Iterator[str]:
        for a in arrays:
            if a.axes:
                yield f"{a.name} = {self._write_zeros(a)}{self._describe_rows(a)}"
        names: list[str] = []
        zeros: list[str] = []
        for a in arrays:
            if a.axes:
                continue
            zero = self._write_zeros(a)
            if names and len(", ".join([*names, a.name, *zeros, zero])) + 1 > _WIDTH:
                yield f"{', '.join(names)} = {', '.join(zeros)}"
                names, zeros = [], []
            names.append(a.name)
            zeros.append(zero)
        if names:
            yield f"{', '.join(names)} = {', '.join(zeros)}"

    def _write_zeros(self, array: StoredArray) -> str:
        lengths: list[object] = []
        for a in array.axes:
            more = sum(array.halo.get(a, (0, 0)))
            lengths.append(f"{self.sizes[a]} + {more}" if more else self.sizes[a])
        dims = [*lengths, *array.shape]
        width = {float: "np.float64", int: "np.int64", bool: "np.bool_"}[array.dtype]
        if array.axes:
            self.buffers.append((write_tuple(dims), width))
        if not dims:
            return _ZERO[array.dtype]
        return f"np.zeros({dims[0] if len(dims) == 1 else write_tuple(dims)}{_KINDS[array.dtype]})"

    def _describe_rows(self, array: StoredArray) -> str:
        """Return the comment that describes the rows before the first step and after the last."""
        comments = []
        for a in array.axes:
            lo, hi = array.halo.get(a, (0, 0))
            before = [f"-{k}" for k in range(lo, 0, -1)]
            after = [f"{self.sizes[a]} + {k}" if k else self.sizes[a] for k in range(hi)]
            along = f" along {self.steps[a]}" if len(array.axes) > 1 else ""
            for rows, first in ((before, True), (after, False)):
                if rows:
                    ends = rows if len(rows) < 3 else [rows[0], "…", rows[-1]]
                    names = ", ".join(row if row == "…" else f"{array.name}[{row}]" for row in ends)
                    where = " before the first step" if first else " after the last step"
                    comments.append(f"{names}{where if (array, a, first) in self.rows else ' = 0'}{along}")
        return f"  # {'; '.join(comments)}" if comments else ""

    def _write_return(self, gradients: Sequence[str]) -> Iterator[str]:
        codes = [self._write_output(r, axes) for r, axes in zip(self.procedure.outputs, self.layouts, strict=True)]
        parts, ends = codes, ("", "")
        if gradients:
            own, ends = codes[len(codes) - len(gradients) :], (", ".join([*codes[: len(codes) - len(gradients)], "{"]), "}")
            parts = [f"{_quote(name)}:{_GLUE}{code}" for name, code in zip(gradients, own, strict=True)]
        line = f"    return {ends[0]}{', '.join(parts)}{ends[1]}".replace(_GLUE, " ")
        if len(line) <= _WIDTH:
            yield line
            return
        yield from [f"    return {ends[0] or '('}", *_wrap_items(parts), f"    {ends[1] or ')'}"]

    def _write_output(self, value: Expression, axes: Sequence[Axis]) -> str:
        code = self.expressions.write(value).text
        own = next((e.array.axes for e in walk_parts(value) if isinstance(e, Read)), ())
        if tuple(axes) == tuple(own):
            return code
        order = [*(own.index(a) for a in axes), *range(len(own), len(own) + len(value.shape))]
        return f"{code}.transpose({', '.join(map(str, order))})"


def _write_head(names: Sequence[str]) -> list[str]:
    head = f"def step({', '.join(names)}):"
    return [head] if len(head) <= _WIDTH else ["def step(", *_wrap_items(names), "):"]


def _wrap_items(items: Sequence[str]) -> list[str]:
    return [line.replace(_GLUE, " ") for line in wrap_items(items, _WIDTH, _INSIDE)]


def _fold(equation: str) -> list[str]:
    """Return the lines of an equation, at most four."""
    lines = wrap(equation, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return lines if len(lines) <= 4 else [*lines[:4], "    …"]


def _split_terms(code: str) -> list[str]:
    """Return the terms of a sum, each but the first with its sign."""
    parts, depth, start = [], 0, 0
    for k, c in enumerate(code):
        depth += (c in "([{") - (c in ")]}")
        if not depth and code[k : k + 3] in (" + ", " - "):
            parts.append(code[start:k])
            start = k
    return [*parts, code[start:]]


def _quote(name: str) -> str:
    return f'"{name}"' if name.isprintable() and '"' not in name and "\\" not in name else repr(name)


__all__ = ["print_plain"]
