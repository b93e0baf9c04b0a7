"""A piece of source, and what writes pieces: what phrases of operations are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from autograd_seq.emit.statements import Expression, Read

ATOM, POWER, SIGN, PRODUCT, SUM, COMPARED, CHOICE = 7, 6, 5, 4, 3, 2, 1
"""How firmly a text holds together: what is less firm stands in brackets."""


class Code(NamedTuple):
    """A text, how firmly it holds together, and whether it is a number of Python's, which divides otherwise than NumPy's."""

    text: str
    firm: int = ATOM
    python: bool = False

    def enclose(self, firm: int) -> str:
        """Return the text, in brackets if what is around it holds together more firmly."""
        return f"({self.text})" if self.firm < firm else self.text

    def as_numpy(self, dtype: type) -> Code:
        """Return a number of Python's as one of NumPy's."""
        kind = {float: "float64", int: "int64", bool: "bool_"}[dtype]
        return Code(f"np.{kind}({self.text})") if self.python else self


class PhraseWriter(Protocol):
    """What phrases ask of the writer of expressions.

    Attributes:
        labels: the arrays that are looked up by as they are fed, and the number of places.
    """

    labels: dict[tuple[str, int], None]

    def read(self, e: Read, more: Sequence[str] = ()) -> str:
        """Return a point of an array, or a part of that."""

    def call(self, function: Callable[..., Any], wanted: str, args: Sequence[Code], attrs: Mapping[str, Any]) -> Code:
        """Return the call of a function, which the program holds."""


__all__ = ["ATOM", "CHOICE", "COMPARED", "POWER", "PRODUCT", "SIGN", "SUM", "Code", "Expression", "PhraseWriter"]
