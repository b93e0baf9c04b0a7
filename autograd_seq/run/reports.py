"""What compiled things have in common: reports (source, schedule, cost, profile), and copies that are compiled again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from autograd_seq.core.notebook import make_code_block


class ProgramReports:
    """Base class that passes on the reports of a program; see :class:`autograd_seq.Program`.

    Attributes:
        reported: the program; for sequences in pieces, that of the first call.
    """

    reported: Any

    @property
    def source(self) -> str:
        """The text of the program."""
        source: str = self.reported.source
        return source

    @property
    def schedule(self) -> Any:
        """What is lifted over which axes, and what loops; see :attr:`Program.schedule`."""
        return self.reported.schedule

    def cost(self, /, **lengths: int) -> Any:
        """Predict the floating-point operations and bytes of a call; see :meth:`Program.cost`."""
        return self.reported.cost(**lengths)

    @property
    def textbook(self) -> str:
        """The program as one would write it by hand; see :attr:`Program.textbook`."""
        textbook: str = self.reported.textbook
        return textbook

    def save_source(self, path: str | os.PathLike[str], *, textbook: bool | None = None) -> Path:
        """Write the program to a file that needs NumPy alone; see :meth:`Program.save_source`."""
        written: Path = self.reported.save_source(path, textbook=textbook)
        return written

    def profile(self, /, **given: Any) -> Any:
        """Return the time of each block beside its equation; see :meth:`Program.profile`."""
        return self.reported.profile(**given)

    def _repr_html_(self) -> str:
        return make_code_block(self.source)


class CompiledAgain:
    """Base class of what cannot be pickled or copied as it is, and is compiled again.

    Attributes:
        copied_from: the function that compiles it, and its arguments.
    """

    copied_from: tuple[Any, ...]

    def __reduce__(self) -> Any:
        return self.copied_from


__all__ = ["CompiledAgain", "ProgramReports"]
