"""What a training saves while it runs, and how it goes on from that."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autograd_seq.core.errors import LoadError, OperationError
from autograd_seq.core.node import Node
from autograd_seq.learn.data import check_count
from autograd_seq.learn.last_batch import is_description
from autograd_seq.learn.optim import Arrays, State
from autograd_seq.learn.replacing import check_replaceable
from autograd_seq.learn.save import check_path, load, save
from autograd_seq.run.carry import Carry

_SECONDS = 60.0


class Checkpoints:
    """The file of a training.

    Args:
        path: of the file; ``None`` for none.
        every: steps between two files; ``None`` for a minute.
        loss: the equations, where they are known; the file is of these.
    """

    def __init__(self, path: Any, every: int | None, loss: Node | None) -> None:
        if every is not None:
            check_count(every, "save_every=")
        self.path, self.every, self.loss = None if path is None else Path(path), every, loss
        if self.path is not None:
            check_path(self.path)  # before the training, not after it
            check_replaceable(self.path)
        self._last = time.monotonic()

    def save_if_due(self, steps: int, make: Callable[[], dict[str, Any]]) -> None:
        """Save after so many steps, if it is time."""
        if self.path is None:
            return
        if steps % self.every == 0 if self.every is not None else time.monotonic() - self._last > _SECONDS:
            self.save(make())

    def save(self, things: Mapping[str, Any]) -> None:
        """Save now."""
        if self.path is not None:
            save(self.path, graph=self.loss, **things)
            self._last = time.monotonic()

    def load(self, params: Arrays, state: State) -> dict[str, Any] | None:
        """Return what was saved; ``None`` if nothing was.

        Args:
            params: as the training has them before its first step.
            state: of the optimizer, likewise.

        Raises:
            LoadError: the file is damaged, or of another training.
        """
        if self.path is None:
            raise OperationError(
                "L125", "resume= needs the name of a file", expected="save=…", got="save=None", fix='save="run.safetensors"'
            )
        if not self.path.exists():
            return None
        things = load(self.path, graph=self.loss)
        check_things(self.path, things, params, state)
        return things


_KINDS: dict[str, Any] = {
    "params": dict, "last": (dict, type(None)), "state": State, "seed": int, "step": int, "epoch": int, "batch": int,
    "carry": (Carry, type(None)), "validation": dict, "history": np.ndarray, "last_batch": (dict, type(None)),
}  # fmt: skip


def check_things(path: Path, things: Mapping[str, Any], params: Arrays, state: State) -> None:
    """Refuse a file that is not of a training, or of one with other parameters, or with another optimizer.

    Raises:
        LoadError: it is not.
    """
    wrong = [name for name, kind in _KINDS.items() if not isinstance(things.get(name), kind)]
    valid: Any = things.get("validation")
    if not wrong:
        kinds = {"least": float, "waited": int}
        wrong = [name for name, kind in kinds.items() if not isinstance(valid.get(name), kind)]
        wrong += [name for name in ("step", "epoch", "batch") if things[name] < 0]
        wrong += ["last_batch"] if not is_description(things.get("last_batch")) else []
        if not isinstance(losses := valid.get("losses"), np.ndarray) or losses.shape[1:] != (2,):
            wrong.append("losses")
        if (history := things["history"]).shape != (things["step"], 2) or history.dtype != float:
            wrong.append("history")
    if wrong:
        raise LoadError("L126", f"{path.name} is no file of a training", expected=", ".join(_KINDS),
                        got=", ".join(things) or "nothing", fix="a training writes one: train(…, save=path)")  # fmt: skip
    given = {name: (np.shape(p), np.asarray(p).dtype) for name, p in params.items()}
    for several in filter(None, (things["params"], things["last"])):
        held = {name: (np.shape(p), np.asarray(p).dtype) for name, p in several.items()}
        for name in [name for name in [*given, *held] if held.get(name) != given.get(name)]:
            raise LoadError("L127", f"{path.name} is of a training of other parameters: {name} differs", node=name,
                            expected=_describe(given.get(name)), got=_describe(held.get(name)),
                            fix="another file, or no resume=True to begin anew")  # fmt: skip
    if {*things["state"].slots} != {*state.slots}:
        raise LoadError("L147", f"{path.name} is of a training with another optimizer", expected=_list_slots(state),
                        got=_list_slots(things["state"]),
                        fix='that optimizer; or begin anew with its parameters: load(path)["params"]')  # fmt: skip


def _list_slots(state: State) -> str:
    return f"an optimizer that remembers {' and '.join(state.slots) or 'nothing'}"


def _describe(held: Any) -> str:
    return "none" if held is None else f"{held[1]} of shape {held[0]}"


__all__ = ["Checkpoints"]
