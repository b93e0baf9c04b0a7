"""L-BFGS within a training: SciPy's own run is its oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import learn

optimize: Any = pytest.importorskip("scipy.optimize")
X = ag.param("x", (3,))
ROSENBROCK = ag.sum((1 - X[:2]) ** 2 + 100 * (X[1:] - X[:2] ** 2) ** 2)
START = {"x": np.array([-1.2, 1.0, 0.5])}


def fit(steps: int = 200, **options: Any) -> learn.Result:
    return learn.train(ROSENBROCK, START, {}, learn.lbfgs(), steps=steps, progress=False, **options)


def test_every_step_is_that_of_scipy() -> None:
    path: list[np.ndarray] = []
    wanted = optimize.minimize(optimize.rosen, START["x"], jac=optimize.rosen_der, method="L-BFGS-B",
                               callback=lambda x: path.append(x.copy()), options={"gtol": 1e-9, "ftol": 0.0})  # fmt: skip
    seen: list[np.ndarray] = []
    result = fit(callbacks=[lambda m: seen.append(m.params["x"])])
    np.testing.assert_allclose(result.params["x"], wanted.x, rtol=1e-9)
    n = min(len(path), len(seen), 20)
    np.testing.assert_allclose(seen[:n], path[:n], rtol=1e-6)
    np.testing.assert_allclose(result.losses[:n], [optimize.rosen(x) for x in [START["x"], *path[: n - 1]]], rtol=1e-5)
    norms = [np.linalg.norm(optimize.rosen_der(x)) for x in [START["x"], *path[: n - 1]]]
    np.testing.assert_allclose(result.norms[:n], norms, rtol=1e-4)


def test_it_ends_after_the_steps_at_a_callback_and_with_patience(tmp_path: Path) -> None:
    assert len(fit(7).losses) == fit(7).state.step == 7
    assert len(fit(callbacks=[lambda m: m.step == 2]).losses) == 3
    result = fit(valid=lambda params: float(np.abs(params["x"] - [-1.0, 1.0, 1.0]).sum()), patience=2)
    assert len(result.losses) < 20 and len(result.valid) == len(result.losses)
    fit(7, save=tmp_path / "run.npz")
    rest = fit(9, save=tmp_path / "run.npz", resume=True)
    assert len(rest.losses) == 2 and rest.losses[0] < fit(7).losses[-1]


def test_dropout_is_the_same_in_all_steps_and_float32_stays() -> None:
    loss = ag.sum(ag.nn.dropout("units", (X - 3.0) ** 2, 0.5, over=())) + ag.sum(X**2)
    result = learn.train(loss, {"x": np.zeros(3, np.float32)}, {}, learn.lbfgs(tolerance=1e-4), steps=50, progress=False)
    assert result.params["x"].dtype == np.float32 and (np.diff(result.losses) <= 1e-6).all()


@pytest.mark.parametrize("change", [{"batches": [{}]}, {"clip": 1.0}])
def test_what_a_line_search_cannot_use_is_refused(change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"batches": {}, "steps": 3, "progress": False} | change
    with pytest.raises(ag.OperationError) as caught:
        learn.train(ROSENBROCK, START, optimizer=learn.lbfgs(), **given)
    assert caught.value.code == "L143"
    with pytest.raises(ag.OperationError, match="searches along a line"):
        learn.lbfgs().update(START, START, learn.lbfgs().init(START))


def test_a_loss_that_is_not_finite_ends_it() -> None:
    with pytest.raises(learn.DivergenceError, match="log") as caught, np.errstate(all="ignore"):
        learn.train(ag.sum(ag.log(X)), {"x": np.array([1.0, 2.0, 3.0])}, {}, learn.lbfgs(), steps=9, progress=False)
    assert caught.value.finding is not None


def test_without_scipy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    with pytest.raises(ag.OperationError, match="pip install"):
        learn.lbfgs()
