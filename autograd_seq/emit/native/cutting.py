"""Cuts long native functions into parts: the time LLVM takes to compile a function grows faster than its length.

A part is a run of units of a function, or of the body of a loop. It becomes a function of its own, whose arguments are
addresses and numbers, and which is not inlined. Beside so many lines, the time of a call does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

LONG = 200
"""A function, or the body of a loop, is cut if it has more lines than this."""
PART = 100
"""Units are collected until a part has at least this many lines."""

_WORD = re.compile(r"[^\W\d]\w*")


def find_parts(starts: Sequence[int], whole: Sequence[bool], stop: int) -> list[tuple[int, int]]:
    """Return the lines that become parts, as (first line, line after the last).

    Args:
        starts: the line at which each unit begins.
        whole: for each unit, whether it may be moved into a part.
        stop: the line after the last unit.

    Example:
        >>> find_parts([0, 90, 150, 160], [True, True, False, True], 300)
        [(0, 150), (160, 300)]
        >>> find_parts([0, 20], [True, True], 40)
        []
    """
    if not starts or stop - starts[0] <= LONG:
        return []
    found: list[tuple[int, int]] = []
    first: int | None = None
    for start, fits, end in zip(starts, whole, [*starts[1:], stop], strict=True):
        if not fits:
            found += [(first, start)] if first is not None else []
            first = None
            continue
        first = start if first is None else first
        if end - first >= PART:
            found.append((first, end))
            first = None
    found += [(first, stop)] if first is not None else []
    return [(a, b) for a, b in found if b - a >= PART // 4]


def make_function(mark: str, name: str, lines: Sequence[str], depth: int, kinds: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the text of lines as a function, and its arguments, arrays first.

    Args:
        mark: ``"native"`` if Python calls the function, ``"part"`` if only others do.
        name: the name of the function.
        lines: its lines, with the indentation that they have now.
        depth: the depth of that indentation.
        kinds: the variables that it may read from outside, with their types: ``"real"``, ``"int"``,
            ``"bool"``, or for an array ``"real*"``.
    """
    words = dict.fromkeys(word for line in lines for word in _WORD.findall(line.partition("#")[0]))
    arguments = sorted((word for word in words if word in kinds), key=lambda word: not kinds[word].endswith("*"))
    body = [line[4 * (depth - 1) :] for line in lines]
    head = [f'@{mark}("{", ".join(kinds[a] for a in arguments)}")', f"def {name}({', '.join(arguments)}):"]
    return "\n".join([*head, *body]), arguments


__all__ = ["LONG", "PART", "find_parts", "make_function"]
