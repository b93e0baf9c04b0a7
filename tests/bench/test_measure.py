"""What is compared must be equal first; who takes far longer sits rounds out; the table says who was left out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from autograd_seq.bench import measure, peers
from autograd_seq.bench.competitor import Competitor, pack, unpack
from autograd_seq.bench.work import Arrays, Workload, make
from autograd_seq.core.errors import GradientCheckError, OperationError

CHECKOUT = Path(__file__).parents[2]


def fixed(name: str, loss: float, **grads: float) -> Competitor:
    outcome: tuple[float, Arrays] = (loss, {n: np.array([g, 1.0]) for n, g in grads.items()})
    return Competitor(name, lambda: None, lambda _: outcome)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (fixed("b", 1.0, W=0.5, V=2.1), "differ in V"),
        (fixed("b", 1.1, W=0.5, V=2.0), "differ in the loss"),
        (fixed("b", 1.0, W=np.nan, V=2.0), "differ in W"),
        (fixed("b", 1.0, W=0.5), "other gradients"),
    ],
)
def test_competitors_that_disagree_are_refused(other: Competitor, says: str) -> None:
    reference = fixed("a", 1.0, W=0.5, V=2.0)
    measure.check(reference, fixed("b", 1.00001, W=0.50001, V=2.0))
    with pytest.raises(GradientCheckError, match=says):
        measure.check(reference, other)


def test_a_competitor_that_takes_far_longer_sits_rounds_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]  # a clock that moves with the steps alone
    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def nap(seconds: float) -> Competitor:
        def step() -> None:
            now[0] += seconds

        return Competitor("nap", step, lambda _: (0.0, {}))

    fast, other, slow = measure.take_turns([nap(0.002), nap(0.002), nap(0.05)], seconds=0.3)
    assert fast.keys() == other.keys() > slow.keys()
    assert len(fast) >= 5 > 1 <= len(slow)
    assert [*slow.values()] == pytest.approx([0.05] * len(slow))


def test_what_is_not_installed_is_left_out_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    known = peers.find_peers(CHECKOUT)
    absent = {n: p._replace(package="no_such_package") if p.package else p for n, p in known.items()}
    monkeypatch.setattr(peers, "find_peers", lambda: absent)
    seen: list[int] = []
    rows = measure.measure([Workload.of("rnn", "tiny")], seconds=0.0, done=lambda new: seen.append(len(new)))
    assert [r.competitor for r in rows if r.ms is not None] == ["ours", "by hand", "floor"]
    assert seen == [8]
    assert measure.report(rows).endswith("not installed, left out: numba, torch.nn, torch loop, jax, autograd")


def test_other_libraries_take_part_in_a_checkout_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(peers.find_peers()) == ["ours", "by hand"]
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").write_text("raise RuntimeError", encoding="utf-8")  # somebody else's
    assert list(peers.find_peers()) == ["ours", "by hand"]
    with pytest.raises(OperationError, match=r"no competitor 'jax' outside of a checkout"):
        peers.choose(["jax"])


def test_unknown_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CHECKOUT)
    with pytest.raises(OperationError, match='did you mean "jax"'):
        peers.choose(["jaxx"])
    with pytest.raises(OperationError, match="lstm"):
        Workload.of("lstn", "tiny")
    with pytest.raises(OperationError, match="large"):
        Workload.of("lstm", "larg")


@pytest.mark.parametrize("order", ["", "ifgo"])
def test_unpack_undoes_pack(order: str) -> None:
    work = Workload("lstm", "odd", 2, 2, 3, 4, 5)
    feeds = make(work)
    for letter in "UW":
        for name, part in unpack(work, pack(work, feeds, letter, order), letter, order).items():
            np.testing.assert_array_equal(part, feeds[name])
