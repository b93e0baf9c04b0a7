"""The line that says that native code is being compiled."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.emit.native import numba, progress


class Screen(io.StringIO):
    """A file that may be a terminal, and tells when something has been written."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal, self.there = terminal, threading.Event()

    def isatty(self) -> bool:
        return self.terminal

    def flush(self) -> None:
        self.there.set()


def test_a_terminal_shows_the_line_until_the_code_is_there(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(progress, "PATIENCE", 0)
    monkeypatch.setattr(sys, "stderr", screen := Screen(True))
    with pytest.raises(KeyError), progress.compiling():
        assert screen.there.wait(60)
        line = screen.getvalue()
        raise KeyError
    assert line.startswith("\rcompiling to native code (") and str(tmp_path) in line
    assert screen.getvalue() == f"{line}\r{' ' * (len(line) - 1)}\r"


@pytest.mark.parametrize(("terminal", "patience"), [(True, 3600), (False, 0)])
def test_nothing_is_written_in_time_nor_to_a_file(monkeypatch, terminal: bool, patience: float):
    monkeypatch.setattr(progress, "PATIENCE", patience)
    monkeypatch.setattr(sys, "stderr", screen := Screen(terminal))
    timers: list[threading.Timer] = []
    timer = progress.Timer
    monkeypatch.setattr(progress, "Timer", lambda *given: timers.append(timer(*given)) or timers[-1])
    with progress.compiling():
        assert len(timers) == terminal
    assert screen.getvalue() == ""


@pytest.mark.skipif(not numba.is_available(), reason="numba is not installed")
def test_the_first_call_compiles_and_no_other_does(monkeypatch):
    entered: list[str] = []

    @contextmanager
    def noted() -> Iterator[None]:
        entered.append("begins")
        yield
        entered.append("ends")

    monkeypatch.setattr(progress, "compiling", noted)
    t = ag.Axis("t")
    s, x = ag.state("s", over=t), ag.input("x", over=t)
    s[t] = 0.5 * s[t - 1] + x[t]
    step = ag.compile(ag.sum(s, over=t), backend="numba")
    assert not entered
    step(x=np.ones(3))
    assert entered == ["begins", "ends"]
    step(x=np.ones(5))
    assert entered == ["begins", "ends"]
