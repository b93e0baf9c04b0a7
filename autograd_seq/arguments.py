"""Arguments of the command line: how they are read, and what is said of those that cannot be."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence

BY_DEFAULT = "(default: %(default)s)"


def add_graph_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument FILE.py:NAME."""
    parser.add_argument("graph", metavar="FILE.py:NAME", help="a Graph, a node or a list of nodes in a Python file")


def parse_natural(text: str) -> int:
    """Return an integer ≥ 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer ≥ 0")
    return int(text)


def parse_positive(text: str) -> int:
    """Return an integer ≥ 1."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer ≥ 1")
    return int(text)


def parse_positives(text: str) -> list[int]:
    """Return integers ≥ 1, which commas separate."""
    return [parse_positive(n) for n in parse_list(text)]


def parse_number(text: str) -> float:
    """Return a finite number ≥ 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number ≥ 0")
    return number


def parse_list(text: str) -> list[str]:
    """Return the parts that commas separate, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(","))) if text else []


def describe_choices(names: Iterable[str], but: Sequence[str] = ()) -> str:
    """Return the help for a list of names."""
    rest = f" but {' and '.join(but)}, which compile for minutes" if but else ""
    return f"some of {','.join(names)} (default: all{rest})"


__all__ = [
    "BY_DEFAULT", "add_graph_argument", "describe_choices", "parse_list", "parse_natural", "parse_number", "parse_positive",
    "parse_positives",
]  # fmt: skip
