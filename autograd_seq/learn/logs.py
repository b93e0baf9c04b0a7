"""The history of a training, written while it runs."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import IO, Any

from autograd_seq.learn.replacing import replace_file
from autograd_seq.learn.result import Moment


class Log:
    """A callback that is opened before the first step and closed after the last one.

    Example:
        >>> import autograd_seq as ag
        >>> class Rises(Log):
        ...     def __call__(self, moment):
        ...         return moment.step > 0 and moment.loss > 1e3  # true ends the training
        >>> w = ag.param("w")
        >>> len(ag.learn.train(w * w, {"w": 10.0}, {}, ag.learn.sgd(3.0), steps=9, callbacks=[Rises()], progress=False).losses)
        2
    """

    def start(self, step: int) -> None:
        """Get ready for a training whose first step has this number; what was written of later ones is dropped."""

    def __call__(self, moment: Moment) -> Any:
        """Write a step."""

    def close(self) -> None:
        """Finish writing."""


class CsvLog(Log):
    """Writes a row for each step to a CSV file: step, epoch, loss, norm, valid, seconds.

    Args:
        path: of the file. A training that resumes goes on in it.

    Example:
        >>> import autograd_seq as ag, tempfile
        >>> path = Path(tempfile.mkdtemp(), "run.csv")
        >>> w = ag.param("w")
        >>> _ = ag.learn.train(w * w, {"w": 1.0}, {}, ag.learn.sgd(0.25), steps=2, callbacks=[CsvLog(path)], progress=False)
        >>> [line.rsplit(",", 1)[0] for line in path.read_text().splitlines()]
        ['step,epoch,loss,norm,valid', '0,0,1.0,2.0,', '1,1,0.25,1.0,']
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self._file: IO[str] | None = None

    def start(self, step: int) -> None:
        head = ",".join(name for name in Moment._fields if name != "params")
        kept = [head]
        if step and self.path.is_file():
            for line in self.path.read_text(encoding="utf-8").splitlines()[1:]:
                number = line.partition(",")[0]
                if number.isdecimal() and int(number) < step and line.count(",") == head.count(","):
                    kept.append(line)
        text = "".join(f"{line}\n" for line in kept)
        replace_file(self.path, lambda file: file.write(text.encode()))
        self._file = self.path.open("a", encoding="utf-8", buffering=1, newline="")

    def __call__(self, moment: Moment) -> None:
        assert self._file is not None, "it has been started"
        row = ["" if value is None else repr(value) for value in moment[:-1]]
        self._file.write(",".join(row) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


__all__ = ["CsvLog", "Log"]
