"""The applications: each runs, is short, and names where its data are from; the tables and the page say what was found."""

from __future__ import annotations

import configparser
import importlib
from pathlib import Path

import numpy as np
import pytest

import autograd_seq as ag
import viz
from autograd_seq.applications import baselines, data_files, gallery, training
from autograd_seq.applications.data_files import NoDataError
from autograd_seq.applications.outcome import Application, Budget, Outcome, make_report, make_table
from autograd_seq.cli import main

ROOT = Path(__file__).resolve().parents[2]
NAMES = [*gallery.APPLICATIONS]
TINY = Budget(seeds=(0,), steps=2)


def make_stub(needs: tuple[str, ...] = (), higher: bool = False) -> Application:
    def run(budget: Budget) -> Outcome:
        return Outcome({"last": 2.0, "mean": 3.0}, "RNN", [1.0] * len(budget.seeds), viz.plots.loss_curve([1.0]), "Why.")

    return Application("rain < snow", "MSE, mm²", "a friend; public domain", run, needs, higher)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_short_and_says_what_it_uses(name: str) -> None:
    application, path = gallery.APPLICATIONS[name], ROOT / "autograd_seq/applications" / f"{name}.py"
    assert importlib.import_module(f"autograd_seq.applications.{name}").APPLICATION is application
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 120
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    extra = {line.split(">")[0] for line in setup["options.extras_require"]["data"].split()}
    assert set(application.needs) <= extra
    assert ";" in application.source, "source; licence"


def test_the_documents_show_all_of_them() -> None:
    readme, shown = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/applications.md"))
    for name, application in gallery.APPLICATIONS.items():
        assert f"| {application.title} | {application.measure} |" in readme
        assert f"(applications/{name}.png)" in shown and (ROOT / "docs/applications" / f"{name}.png").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_on_its_data(name: str) -> None:
    application = gallery.APPLICATIONS[name]
    if missing := data_files.find_missing(application.needs):
        pytest.skip(f"not installed: {', '.join(missing)}")
    outcome = application.run(TINY)
    assert len(outcome.scores) == 1 and np.isfinite([*outcome.scores, *outcome.baselines.values()]).all()
    assert len(outcome.baselines) >= 2
    assert outcome.picture._repr_png_()[:4] == b"\x89PNG"


def test_the_table_says_which_is_better() -> None:
    won, lost = make_stub(), make_stub(higher=True)
    table = make_table([(won, won.run(TINY)), (lost, lost.run(TINY))]).splitlines()
    assert table[2] == "| rain < snow | MSE, mm² | last | 2 | RNN | **1 (one seed)** |"
    assert table[3] == "| rain < snow | MSE, mm² | mean | 3 | RNN | 1 (one seed) (not better) |"
    assert "NOT better than mean" in make_report(lost, lost.run(TINY))


def test_the_command_writes_a_table_and_a_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(gallery.APPLICATIONS, "rain", make_stub())
    monkeypatch.setitem(gallery.APPLICATIONS, "snow", make_stub(("no-such-package",)))
    assert main(["gallery", "snow", "rain", "--out", str(tmp_path), "--seeds", "2", "--steps", "1"]) == 0
    printed = capsys.readouterr().out
    assert "snow skipped: no-such-package not installed (pip install 'autograd-seq[data]')" in printed
    assert (tmp_path / "results.md").read_text(encoding="utf-8").count("\n") == 3
    page = (tmp_path / "gallery.html").read_text(encoding="utf-8")
    assert "rain &lt; snow" in page and 'src="data:image/png;base64,iVBOR' in page and "Why." in page
    assert main(["gallery", "rian"]) == 2
    assert "there is no application 'rian'" in capsys.readouterr().err


def test_a_package_that_is_missing_is_named_with_the_extra() -> None:
    with pytest.raises(NoDataError, match=r"\[B311\]: no-such-package is not installed, which carries co2.csv") as caught:
        data_files.read_table("no-such-package", "data/co2.csv")
    assert "pip install 'autograd-seq[data]'" in str(caught.value)
    with pytest.raises(NoDataError, match=r"\[B312\]: the installed numpy does not carry co2.csv"):
        data_files.find_file("numpy", "co2.csv")


def test_training_keeps_the_parameters_with_the_least_validation_loss() -> None:
    """Training pulls w to 1, past the best value on the validation data."""
    w = ag.param("w")
    loss = ag.square(w - ag.input("x"))
    early, whole = (
        training.train_seeds(loss, {"x": 1.0}, {"x": 0.5}, Budget((0, 1)), steps=100, rate=0.05, every=1, whole=again)
        for again in (None, {"x": 1.0})
    )
    assert all(abs(net.params["w"] - 0.5) < 0.05 and net.steps < 40 for net in early)
    assert [net.steps for net in whole] == [early[0].steps] * 2  # the same start: w = 0
    assert whole[0].params["w"] == early[0].params["w"]


def test_an_autoregression_finds_its_weights() -> None:
    series = [1.0, 0.5]
    for _ in range(20):
        series.append(0.6 * series[-1] - 0.5 * series[-2] + 1)
    guess = baselines.autoregress(np.array(series), 2, np.arange(22) < 12)
    np.testing.assert_allclose(guess[2:], series[2:], rtol=1e-9)
