"""Every example runs, is short enough to be read at one sitting, and prints numbers that are right."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PATHS = sorted(EXAMPLES.glob("*.py"))


@pytest.fixture(scope="module")
def example() -> Callable[[str], ModuleType]:
    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def test_all_are_here() -> None:
    assert {p.stem for p in PATHS} >= {
        "attention", "bidirectional", "fibonacci", "logistic_map", "rnn", "scalar_chain_rule"
    }  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_short_and_explained(path: Path, example: Callable[[str], ModuleType]) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80
    assert (example(path.stem).__doc__ or "").strip()


def test_scalar_chain_rule(example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    module = example("scalar_chain_rule")
    found = module.main()
    for name, hand in module.by_hand(0.5, -2.0, 1.5).items():
        assert found[name] == pytest.approx(hand, rel=1e-14)
    s = math.tanh(0.5)
    assert found["aa"] == pytest.approx(4 * 2 * (1 - s * s) * (1 - 3 * s * s), rel=1e-12)  # b² d²(tanh²)/du²
    printed = capsys.readouterr().out
    assert "dL/da" in printed and f"{-2 * found['c']:+.12f}" in printed


def test_spiking(example: Callable[[str], ModuleType]) -> None:
    found = example("spiking").main(steps=120)
    assert found["after"] > 0.9 > found["before"]


def test_plots(example: Callable[[str], ModuleType]) -> None:
    module = example("plots")
    assert {*module.draw()} == {f"plot_{kind}" for kind in ("spectrum", "horizon", "credit", "raster", "phase")}
    whole, cut = module.recurrence(np.eye(module.UNITS))
    assert not np.triu(np.linalg.norm(np.moveaxis(whole, 0, 1), axis=-1).T, 1).any()  # no loss depends on a later step
    assert cut[11, 6].any() and not cut[12, 6].any() and whole[12, 6].any()
    assert 0 < module.spikes().mean() < 1
    assert abs(module.henon()).max() < 1.5


def test_online(example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    found = example("online").main(steps=2000)
    assert found["step 300"] > 0.3 and found["step 1300"] > 0.1  # it has to learn, and to learn anew
    assert found["step 1000"] < 0.05 and found["step 2000"] < 0.05
    carried = {line.split("), ")[1] for line in capsys.readouterr().out.splitlines()}
    assert carried == {f"{found['bytes']:.0f} bytes carried"}


def test_copy_task(example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    """Over 200 steps here: the full gradient learns it, segments of 100 steps do not, because their credit ends before."""
    found = example("copy_task").main(gap=200, updates=120, ways=("full", "segment=100"))
    assert found["full"] > 0.98
    assert found["segment=100"] < 0.6
    assert (found["reached, full"], found["reached, segment=100"]) == (208, 100)
    assert found["credit of the pattern, full"] > 0.4
    assert found["credit of the pattern, segment=100"] == 0.0
    assert "full: 100% of the bits" in capsys.readouterr().out


def test_rnn(example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    found = example("rnn").main()
    assert found["apart"] < 1e-12
    assert found["before"] > 0.9 and found["after"] < 0.5
    printed = capsys.readouterr().out
    assert "cycle: s → s[t - 1]" in printed and f"{found['after']:.3f} after" in printed


def test_logistic_map(example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    found = example("logistic_map").main()
    for steps, (slope, exact) in found.items():
        assert slope == pytest.approx(exact, rel=1e-4 if steps > 10 else 1e-9)
    assert found[1][0] == pytest.approx(4 * (1 - 2 * 0.2))
    assert f"{found[30][1]:.6g}" in capsys.readouterr().out


def test_fibonacci(example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    numbers, slopes = example("fibonacci").main()
    assert numbers[:8] == [1, 1, 2, 3, 5, 8, 13, 21]
    assert numbers[79] == 23416728348467685
    assert slopes == [6765.0, 10946.0]
    assert "23416728348467685" in capsys.readouterr().out


def test_bidirectional(example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    found = example("bidirectional").main()
    assert (found["both"] > 1e-3).all()
    assert (found["past"][:4] > 1e-3).all() and not found["past"][4:].any()
    assert (found["future"][3:] > 1e-3).all() and not found["future"][:3].any()
    np.testing.assert_allclose(found["both"][:3], found["past"][:3], rtol=1e-12)
    np.testing.assert_allclose(found["both"][4:], found["future"][4:], rtol=1e-12)
    assert f"{found['both'][0]:5.3f}" in capsys.readouterr().out


def test_names(example: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert example("names").main(tmp_path) == 5163
    with np.load(tmp_path / "valid.npz") as valid:
        n, letters = valid["lengths.t"], valid["l"]
        assert (letters[n - 1, np.arange(len(n))] == 0).all() and (valid["x"][1:] == letters[:-1]).all()
    assert "train.npz: 4647 names" in capsys.readouterr().out


def test_attention(example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    errors = example("attention").main()
    assert len(errors) == 7
    assert max(errors.values()) < 1e-6
    assert capsys.readouterr().out.count("sum 1.000") == 4
