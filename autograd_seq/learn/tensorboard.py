"""The history of a training for TensorBoard, where that is installed."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any

from autograd_seq.core.errors import OperationError
from autograd_seq.learn.logs import Log
from autograd_seq.learn.result import Moment


class TensorBoardLog(Log):
    """Writes loss, norm and validation loss of each step for ``tensorboard --logdir FOLDER``.

    Args:
        folder: one for each training.

    Raises:
        OperationError: TensorBoard is not installed.

    Example:
        >>> TensorBoardLog("runs/first")  # doctest: +SKIP
        <TensorBoardLog runs/first>

    Notes:
        ``pip install tensorboard``; TensorFlow is not needed.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        try:
            from tensorboard.summary import Writer
        except ImportError:
            raise OperationError("L140", "tensorboard is not installed", expected="the package tensorboard", got="none",
                                 fix="pip install tensorboard, or ag.learn.CsvLog(path)") from None  # fmt: skip
        self.folder = fspath(folder)
        self._make: Any = Writer
        self._writer: Any = None

    def start(self, step: int) -> None:
        self._writer = self._make(self.folder)

    def __call__(self, moment: Moment) -> None:
        values = {"loss": moment.loss, "norm": moment.norm, "valid": moment.valid}
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, moment.step)

    def close(self) -> None:
        self._writer.close()

    def __repr__(self) -> str:
        return f"<TensorBoardLog {self.folder}>"


__all__ = ["TensorBoardLog"]
