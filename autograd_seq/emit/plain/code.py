"""Pieces of source with their precedence, and the protocol of the object that writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from autograd_seq.emit.statements import Expression, Read

ATOM, POWER, SIGN, PRODUCT, SUM, COMPARED, CHOICE = 7, 6, 5, 4, 3, 2, 1
"""Precedence of expressions: an operand of lower precedence than its operator is put in brackets."""


class Code(NamedTuple):
    """The source of an expression.

    Attributes:
        text: the source.
        firm: its precedence.
        python: whether its value is a Python number, which divides by zero with an error where a NumPy number gives inf.
    """

    text: str
    firm: int = ATOM
    python: bool = False

    def enclose(self, firm: int) -> str:
        """Return the text, in brackets if its precedence is below ``firm``."""
        return f"({self.text})" if self.firm < firm else self.text

    def as_numpy(self, dtype: type) -> Code:
        """Return a Python number as a NumPy number; other code as it is."""
        kind = {float: "float64", int: "int64", bool: "bool_"}[dtype]
        return Code(f"np.{kind}({self.text})") if self.python else self


class PhraseWriter(Protocol):
    """The part of the expression writer that phrases use.

    Attributes:
        labels: the fed arrays that are used as indices, each with the number of entries that it may index.
    """

    labels: dict[tuple[str, int], None]

    def read(self, e: Read, more: Sequence[str] = ()) -> str:
        """Return a read of an array at one point, indexed further by ``more``."""

    def call(self, function: Callable[..., Any], wanted: str, args: Sequence[Code], attrs: Mapping[str, Any]) -> Code:
        """Return the call of a function, which becomes part of the program."""


__all__ = ["ATOM", "CHOICE", "COMPARED", "POWER", "PRODUCT", "SIGN", "SUM", "Code", "Expression", "PhraseWriter"]
