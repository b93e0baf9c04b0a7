"""Where the time of a program goes: its source runs with a clock call between the blocks, which fill a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from autograd_seq.emit.program_text import PROGRAM, Emitted
from autograd_seq.run.backends import load_program

MARK = "_mark"
"""The name of the function that marks call; no name of a program begins with an underscore and a letter."""
SECONDS = 2.0
"""A profile stops after this many seconds or 50 runs, but not before 3 runs."""


@dataclass(frozen=True)
class Profile:
    """The time of each block of a program, in the order in which they run.

    Attributes:
        rows: (median seconds, equation) for each block; a loop with all of its steps is one block.
        runs: how many calls were measured.

    Example:
        >>> print(Profile(((0.003, "y = W @ x"), (0.001, "L = sum(y)")), 5))
               ms  share  equation
            3.000  75.0%  y = W @ x
            1.000  25.0%  L = sum(y)
            4.000         all, median of 5 runs
    """

    rows: tuple[tuple[float, str], ...]
    runs: int

    @property
    def seconds(self) -> float:
        """The sum over all blocks."""
        return sum(s for s, _ in self.rows)

    def __str__(self) -> str:
        whole = self.seconds
        lines = ["       ms  share  equation"]
        for seconds, equation in self.rows:
            first, *others = equation.split("\n")
            share = f"{100 * seconds / whole:.1f}%" if whole else ""
            lines += [f"{seconds * 1e3:>9.3f} {share:>6}  {first}", *(" " * 18 + line for line in others)]
        return "\n".join([*lines, f"{whole * 1e3:>9.3f}         all, median of {self.runs} runs"])


def time_blocks(emitted: Emitted, workspace: Sequence[Any], arrays: Sequence[np.ndarray]) -> Profile:
    """Run a program several times, and return the time of each of its blocks.

    Args:
        emitted: a program of NumPy calls.
        workspace: the lengths of its axes, and the width of floats.
        arrays: the arrays that it reads, in order.
    """
    source, equations = add_marks(emitted.source)
    times: list[float] = []
    foreign = {**emitted.foreign, MARK: lambda: times.append(perf_counter())}
    run = load_program(replace(emitted, source=source, foreign=foreign))(*workspace)
    spent: list[list[float]] = [[] for _ in equations]
    end = perf_counter() + SECONDS
    with np.errstate(all="ignore"):
        run(*arrays)  # the first call touches memory for the first time
        runs = 0
        while runs < 3 or (runs < 50 and perf_counter() < end):
            times.clear()
            run(*arrays)
            runs += 1
            for each, (a, b) in zip(spent, pairwise(times), strict=True):
                each.append(b - a)
    return Profile(tuple((median(s), e) for s, e in zip(spent, equations, strict=True)), runs)


def add_marks(source: str) -> tuple[str, list[str]]:
    """Return a program's source with a mark before each block of ``run`` and at its end, and the blocks' equations.

    Example:
        >>> code, equations = add_marks("def program(real):\\n    def run(x):\\n        # y = 2x\\n        y = 2 * x\\n"
        ...                          "        return (y,)\\n\\n    return run\\n")
        >>> print(code)
        def program(real):
            def run(x):
                _mark()
                # y = 2x
                y = 2 * x
                _mark()
                return (y,)
        <BLANKLINE>
            return run
        <BLANKLINE>
        >>> equations
        ['y = 2x']
    """
    before, head, program = f"\n{source}".rpartition(PROGRAM)
    out = [before[1:]] if before else []
    equations: list[str] = []
    inside = heading = False
    for line in f"{head}{program}"[1:].split("\n"):
        own = line.startswith("        ") and not line.startswith("         ")  # a statement of run itself
        if inside and own and line.startswith("        # "):
            if heading:
                equations[-1] += f"\n{line[10:]}"
            else:
                equations.append(line[10:])
                out.append(f"        {MARK}()")
            heading = True
        elif inside and own and line.startswith("        return "):
            out.append(f"        {MARK}()")
            inside = False
        elif inside and line.strip():
            if not equations:
                equations.append("(before the first equation)")
                out.append(f"        {MARK}()")
            heading = False
        out.append(line)
        inside = inside or line.startswith("    def run(")
    return "\n".join(out), equations
