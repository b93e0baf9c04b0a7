"""L-BFGS within a training: the formula that its loops stand for, the conditions of Wolfe, and SciPy are its oracles."""

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


def list_path(**options: Any) -> tuple[learn.Result, list[np.ndarray]]:
    seen = [START["x"]]
    return fit(callbacks=[lambda m: seen.append(m.params["x"])], **options), seen


def test_every_direction_is_that_of_the_bfgs_formula() -> None:
    """Nocedal & Wright 2006, (6.17): the matrix that the two loops stand for, made anew from the last 10 pairs; and (3.7)."""
    result, path = list_path()
    assert len(path) > 30
    grads = [optimize.rosen_der(x) for x in path]
    for k in range(len(path) - 1):
        pairs = [(path[i + 1] - path[i], grads[i + 1] - grads[i]) for i in range(max(k - 10, 0), k)]
        H = np.eye(3) * (pairs[-1][0] @ pairs[-1][1] / (pairs[-1][1] @ pairs[-1][1]) if pairs else 1.0)
        for s, y in pairs:
            V = np.eye(3) - np.outer(y, s) / (y @ s)
            H = V.T @ H @ V + np.outer(s, s) / (y @ s)
        direction, move = -H @ grads[k], path[k + 1] - path[k]
        np.testing.assert_allclose(move / np.linalg.norm(move), direction / np.linalg.norm(direction), atol=1e-5)
        if k < len(path) - 3:  # at the end losses differ by rounding alone
            assert optimize.rosen(path[k + 1]) <= optimize.rosen(path[k]) + 1e-4 * grads[k] @ move
            assert abs(grads[k + 1] @ move) <= 0.9 * abs(grads[k] @ move)
    np.testing.assert_allclose(result.losses, [optimize.rosen(x) for x in path[:-1]], rtol=1e-9, atol=1e-25)
    np.testing.assert_allclose(result.norms, [np.linalg.norm(g) for g in grads[:-1]], rtol=1e-6)


def test_it_needs_no_more_steps_than_scipy() -> None:
    asked: list[int] = []

    def step(x: Any) -> Any:
        asked.append(1)
        return optimize.rosen(x), {"x": optimize.rosen_der(x)}

    for start in (START["x"], np.linspace(-1, 1, 30)):
        asked.clear()
        wanted = optimize.minimize(optimize.rosen, start, jac=optimize.rosen_der, method="L-BFGS-B",
                                   options={"gtol": 1e-9, "ftol": 0.0})  # fmt: skip
        result = learn.train(step, {"x": start}, {}, learn.lbfgs(), steps=500, progress=False)
        np.testing.assert_allclose(result.params["x"], wanted.x, rtol=1e-6)
        assert np.max(np.abs(optimize.rosen_der(result.params["x"]))) <= 1e-9
        assert len(result.losses) <= 1.2 * wanted.nit and len(asked) <= 1.2 * wanted.nfev


@pytest.mark.parametrize("width", ["float64", "float32"])
def test_it_goes_on_bit_for_bit(width: str, tmp_path: Path) -> None:
    """What it remembers is in the file, also where a line search has found nothing better any more."""
    start = {"x": START["x"].astype(width), "unread": np.ones(2)}
    loss = ROSENBROCK + 0 * ag.sum(ag.param("unread", (2,)))
    common: dict[str, Any] = {"progress": False}
    whole = learn.train(loss, start, {}, learn.lbfgs(4), steps=60, **common)
    common |= {"save": tmp_path / "run.safetensors", "resume": True}
    for n in (1, 3, 11, 60, 80):
        part = learn.train(loss, start, {}, learn.lbfgs(4), steps=n, **common)
    np.testing.assert_array_equal(part.params["x"], whole.params["x"])
    np.testing.assert_array_equal(part.losses, whole.losses)
    assert part.state.slots["moves"]["x"].shape == (4, 3) and part.params["x"].dtype == width
    again = learn.train(loss, whole.params, {}, learn.lbfgs(4), steps=5, state=whole.state, progress=False)
    assert len(again.losses) == 0, "it had ended"
    with pytest.raises(ag.OperationError, match="L107"):
        learn.train(loss, start, {}, learn.lbfgs(), state=learn.adam().init(start), steps=3, progress=False)


def test_it_ends_after_the_steps_at_a_callback_and_with_patience(tmp_path: Path) -> None:
    assert len(fit(7).losses) == fit(7).state.step == 7
    assert len(fit(callbacks=[lambda m: m.step == 2]).losses) == 3
    result = fit(valid=lambda params: float(np.abs(params["x"] - [-1.0, 1.0, 1.0]).sum()), patience=2)
    assert len(result.losses) < 20 and len(result.valid) == len(result.losses)
    fit(7, save=tmp_path / "run.npz")
    rest = fit(9, save=tmp_path / "run.npz", resume=True)
    assert rest.resumed == 7 and len(rest.losses) == 9 and (np.diff(rest.losses) < 0).all()


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


def test_a_loss_that_is_not_finite_ends_it_at_the_start_and_bounds_a_step_later() -> None:
    start = {"x": np.array([1.0, 2.0, -3.0])}
    with pytest.raises(learn.DivergenceError, match="log") as caught, np.errstate(all="ignore"):
        learn.train(ag.sum(ag.log(X)), start, {}, learn.lbfgs(), steps=9, progress=False)
    assert caught.value.finding is not None
    barrier = ag.sum(X - ag.log(X))
    result = learn.train(barrier, {"x": np.array([10.0, 0.01, 5.0])}, {}, learn.lbfgs(), steps=90, progress=False)
    np.testing.assert_allclose(result.params["x"], 1.0, rtol=1e-6)
    c, z = ag.param("c"), ag.equilibrium("z", max_steps=200)
    z[...] = c * z + 1.0
    result = learn.train((z - 4.0) ** 2, {"c": 0.0}, {}, learn.lbfgs(), steps=40, progress=False)  # c > 1 does not settle
    np.testing.assert_allclose(result.params["c"], 0.75, rtol=1e-6)
