"""The comparison of architectures: each trains and answers, a GRU learns a short task, and the table says what was found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autograd_seq import cli
from autograd_seq.applications import architectures
from autograd_seq.applications.architectures import READERS, Kept, Run, build, compare, train
from autograd_seq.datasets.tasks import TASKS


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRAD_SEQ_BACKEND", "numpy")
    monkeypatch.setattr(architectures, "UNITS", 8)
    monkeypatch.setattr(architectures, "TEST", 50)


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_has_a_gradient_for_every_parameter(reader: str) -> None:
    task = TASKS["copying"](21, 3)
    model = build(reader, task, 21)
    weights = architectures.draw_weights(model, seed=0)
    _, grads = model.step(**architectures.make_feeds(task), **weights)
    dead = {name for name, g in grads.items() if np.max(np.abs(g)) < 1e-12}
    assert {name.rpartition("/")[2] for name in dead} <= {"bk"}  # a bias of all keys changes no weight of attention


def test_an_lstm_starts_with_gates_that_write_as_slowly_as_they_forget() -> None:
    weights = architectures.draw_weights(build("LSTM", TASKS["adding"](50, 2), 50), seed=0)
    forget, write = weights["lstm/bf"], weights["lstm/bi"]
    assert np.array_equal(write, -forget) and forget.min() >= 0 and np.log(20) < forget.max() <= np.log(49)


def test_a_gru_learns_parity() -> None:
    run = train("GRU", "parity", 5, seed=0, batches=800)
    assert run.score > 0.95 and run.batches <= 800 and run.in_time


def test_the_rate_is_chosen_on_sequences_that_do_not_score(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {0.01: Run(0.6, 0.5, 9, True), 0.003: Run(0.5, 0.9, 9, True)}
    monkeypatch.setattr(architectures, "train", lambda *args, rate, **kwargs: runs[rate])
    assert architectures.train_best("RNN", "adding", 4, 0, 9, 1.0, int, Kept()) is runs[0.01]


def test_minutes_end_training() -> None:
    run = train("RNN", "parity", 5, seed=0, batches=10**6, minutes=1e-4)
    assert not run.in_time and 0 < run.batches < 10**6


def test_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "kept"
    found = compare(["adding"], [4], ["RNN", "LSTM"], batches=2, kept=Kept(file))
    printed = capsys.readouterr().out.splitlines()
    assert len(found) == 2 and len(printed) == 4 and len(file.read_text().splitlines()) == 4
    assert printed[0] == "| right answers at T = 4 | adding |" and printed[2].startswith("| RNN | ")
    monkeypatch.setattr(architectures, "train", pytest.fail)
    assert compare(["adding"], [4], ["RNN", "LSTM"], batches=2, kept=Kept(file)) == found  # none is done again
    assert cli.main(["compare", "--show", "--keep", str(file), "--lengths", "4,5", "--tasks", "adding", "--batches", "2"]) == 0
    printed += capsys.readouterr().out.splitlines()[4:]
    assert [line.partition(" | ")[2] for line in printed[-5:]] == [f"{printed[k][-6:-2]}, – |" for k in (2, 3)] + ["–, – |"] * 3


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "--tasks", "order", "--lengths", "10", "--readers", "RNN", "--batches", "1"]) == 0
    assert "| RNN | " in capsys.readouterr().out
    assert cli.main(["compare", "--tasks", "ordre"]) != 0
    assert 'did you mean "order"?' in capsys.readouterr().err
