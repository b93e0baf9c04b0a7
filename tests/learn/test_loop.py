"""The training loop: what it computes, when it ends, and what is left when it does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import learn, nn


def bowl(target: Any, w: Any) -> tuple[Any, dict[str, Any]]:
    """(w - target)² and its gradient."""
    return (w - target) ** 2, {"w": 2 * (w - target)}


def test_every_step_is_an_update_at_the_parameters_before() -> None:
    """At the rate 1/4, w - target halves in each step."""
    result = learn.train(bowl, {"w": 0.0}, {"target": 8.0}, learn.sgd(0.25), steps=4, progress=False)
    np.testing.assert_array_equal(result.losses, [64.0, 16.0, 4.0, 1.0])
    np.testing.assert_array_equal(result.norms, [16.0, 8.0, 4.0, 2.0])
    assert float(result.params["w"]) == 7.5
    assert not result.interrupted and result.state.step == 4


def test_batches_come_one_a_step_in_order() -> None:
    feeds = [{"target": float(k)} for k in range(5)]
    seen: list[float] = []

    def step(target: float, w: Any) -> tuple[Any, dict[str, Any]]:
        seen.append(target)
        return bowl(target, w)

    result = learn.train(step, {"w": 0.0}, feeds, learn.sgd(0.5), progress=False)
    assert seen == [0, 1, 2, 3, 4] and len(result.losses) == 5
    assert float(result.params["w"]) == 4.0  # the rate 1/2 jumps to each target
    learn.train(step, {"w": 0.0}, itertools.cycle(feeds), learn.sgd(0.5), steps=7, progress=False)
    assert seen[5:] == [0, 1, 2, 3, 4, 0, 1]


def test_no_batch_is_drawn_that_is_not_used() -> None:
    drawn: list[int] = []

    def batches() -> Iterator[dict[str, float]]:
        for k in itertools.count():
            drawn.append(k)
            yield {"target": 0.0}

    learn.train(bowl, {"w": 1.0}, batches(), learn.sgd(0.1), steps=3, progress=False)
    assert drawn == [0, 1, 2]


def test_each_step_draws_anew_and_a_seed_tells_what() -> None:
    """A loss of masks alone: what is lost says which were drawn; a run that goes on draws what the whole run does."""
    t = ag.Axis("t")
    w, mask = ag.param("w"), ag.bernoulli("mask", 0.5, (40,), over=t)
    step = ag.value_and_grad(ag.sum(ag.sum(mask * w), over=t), backend="numpy")
    run: Any = lambda steps, **k: learn.train(step, {"w": 1.0}, {"t": 1}, learn.sgd(0.0), steps=steps, progress=False, **k)  # noqa: E731
    whole = run(6, seed=3)
    assert step.draws and len(set(whole.losses)) > 3
    np.testing.assert_array_equal(run(6, seed=3).losses, whole.losses)
    assert run(6, seed=4).losses.tolist() != whole.losses.tolist()
    half = run(2, seed=3)
    np.testing.assert_array_equal(run(4, seed=3, state=half.state).losses, whole.losses[2:])
    fixed = learn.train(step, {"w": 1.0}, {"t": 1, "seed": 5}, learn.sgd(0.0), steps=3, progress=False)
    assert len(set(fixed.losses)) == 1, "a batch that feeds a seed has its own"


@pytest.mark.parametrize("batches", [{"target": 1.0}, []])
def test_no_steps_give_back_copies(batches: Any) -> None:
    w = np.ones(3)
    result = learn.train(bowl, {"w": w}, batches, learn.adam(0.1), steps=0, progress=False)
    np.testing.assert_array_equal(result.params["w"], w)
    assert not np.shares_memory(result.params["w"], w) and result.losses.shape == result.norms.shape == (0,)


def test_what_is_given_stays() -> None:
    w = np.zeros(2, np.float32)
    params, feeds = {"w": w}, {"target": np.ones(2, np.float32)}

    def step(target: Any, w: Any) -> tuple[Any, dict[str, Any]]:
        return np.sum((w - target) ** 2), {"w": 2 * (w - target)}

    result = learn.train(step, params, feeds, learn.adam(0.1), steps=3, progress=False)
    assert params["w"] is w and not w.any() and (feeds["target"] == 1).all()
    assert result.params["w"].dtype == np.float32 and result.losses.dtype == np.float64


def test_going_on_is_the_same_as_going_through() -> None:
    """With the state, the schedule and Adam's means go on where they were."""
    optimizer = learn.adam(learn.exponential(0.3, 0.9))
    whole = learn.train(bowl, {"w": 0.0}, {"target": 3.0}, optimizer, steps=9, progress=False)
    first = learn.train(bowl, {"w": 0.0}, {"target": 3.0}, optimizer, steps=4, progress=False)
    rest = learn.train(bowl, first.params, {"target": 3.0}, optimizer, steps=5, state=first.state, progress=False)
    np.testing.assert_array_equal(np.concatenate([first.losses, rest.losses]), whole.losses)
    np.testing.assert_array_equal(rest.params["w"], whole.params["w"])


def test_clipping_by_length_and_by_a_function() -> None:
    """The norms are those before clipping, for a limit is chosen by looking at them."""
    result = learn.train(bowl, {"w": 0.0}, {"target": 8.0}, learn.sgd(1.0), steps=3, clip=0.5, progress=False)
    assert float(result.params["w"]) == 1.5
    np.testing.assert_array_equal(result.norms, [16.0, 15.0, 14.0])

    def clip(grads: dict[str, Any]) -> dict[str, Any]:
        return learn.clip_by_value(grads, 2.0)

    result = learn.train(bowl, {"w": 0.0}, {"target": 8.0}, learn.sgd(1.0), steps=3, clip=clip, progress=False)
    assert float(result.params["w"]) == 6.0
    np.testing.assert_array_equal(result.norms, [16.0, 12.0, 8.0])


def test_on_step_sees_every_step_and_can_end() -> None:
    seen: list[tuple[int, float, float]] = []

    def look(number: int, loss: float, params: dict[str, Any]) -> bool:
        seen.append((number, loss, float(params["w"])))
        return loss < 10

    result = learn.train(bowl, {"w": 0.0}, {"target": 8.0}, learn.sgd(0.25), steps=99, on_step=look, progress=False)
    assert seen == [(0, 64.0, 4.0), (1, 16.0, 6.0), (2, 4.0, 7.0)]
    assert float(result.params["w"]) == 7.0 and len(result.losses) == 3 and not result.interrupted


# -- a bad end --------------------------------------------------------------------------------------------------------


def test_divergence_stops_and_keeps_the_last_good_parameters() -> None:
    """At the rate 3 the distance grows fivefold a step, until its square is no float any more."""
    with np.errstate(over="ignore"), pytest.raises(learn.DivergenceError) as caught:
        learn.train(bowl, {"w": np.float64(0.0)}, {"target": 1.0}, learn.sgd(3.0), steps=1000, progress=False)
    error = caught.value
    assert error.code == "L115" and error.loss == np.inf and np.isfinite(error.losses).all()
    assert len(error.losses) == error.step and 200 < error.step < 300
    loss, _ = bowl(1.0, error.params["w"])
    assert loss == error.losses[-1]
    assert f"the loss of step {error.step} is not finite" in str(error)
    assert "lower the rate" in str(error) and "clip" in str(error)
    assert isinstance(error, (ag.AutogradSeqError, ArithmeticError))


def test_a_first_loss_that_is_not_finite_is_not_the_rates_fault() -> None:
    with pytest.raises(learn.DivergenceError, match="look at the feeds") as caught:
        learn.train(bowl, {"w": 2.0}, {"target": np.nan}, learn.sgd(0.1), steps=3, progress=False)
    assert caught.value.step == 0 and float(caught.value.params["w"]) == 2.0 and caught.value.losses.shape == (0,)


def broken(target: Any, w: Any) -> tuple[Any, dict[str, Any]]:
    """A finite loss whose gradient is not, as of √x at 0; after one step that is well."""
    loss, grads = bowl(target, w)
    return loss, grads if w == 0 else {"w": np.nan}


def test_a_gradient_that_is_not_finite_is_found_before_it_does_harm() -> None:
    with pytest.raises(learn.DivergenceError, match="a gradient of step 1") as caught:
        learn.train(broken, {"w": 0.0}, {"target": 8.0}, learn.sgd(0.25), steps=9, progress=False)
    assert float(caught.value.params["w"]) == 4.0 and caught.value.loss == 16.0


def test_without_the_check_it_is_the_next_loss_that_ends_it() -> None:
    with pytest.raises(learn.DivergenceError, match="the loss of step 2") as caught:
        learn.train(broken, {"w": 0.0}, {"target": 8.0}, learn.sgd(0.25), steps=9, check_grads=False, progress=False)
    assert float(caught.value.params["w"]) == 4.0


def test_ctrl_c_returns_what_was_reached() -> None:
    calls = itertools.count()

    def step(target: Any, w: Any) -> tuple[Any, dict[str, Any]]:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return bowl(target, w)

    result = learn.train(step, {"w": 0.0}, {"target": 8.0}, learn.sgd(0.25), steps=99, progress=False)
    assert result.interrupted and result.state.step == len(result.losses) == 3
    assert float(result.params["w"]) == 7.0


def test_errors_of_the_step_pass_through() -> None:
    def step(w: Any) -> Any:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        learn.train(step, {"w": 0.0}, {}, learn.sgd(0.1), steps=1, progress=False)


# -- the bar ----------------------------------------------------------------------------------------------------------


def test_the_bar_tells_description_steps_and_loss(capsys: pytest.CaptureFixture[str]) -> None:
    learn.train(bowl, {"w": 0.0}, {"target": 8.0}, learn.sgd(0.25), steps=4, description="fitting")
    out, err = capsys.readouterr()
    assert not out and "fitting" in err and "4/4" in err and "loss 1" in err


def test_no_bar_if_none_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    learn.train(bowl, {"w": 0.0}, {"target": 8.0}, learn.sgd(0.25), steps=4, progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("batches", "steps", "shown"), [(2, None, "2/2"), (5, 3, "3/3"), (2, 9, "2/2")])
def test_the_bar_knows_how_many_there_will_be(
    batches: int, steps: int | None, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    learn.train(bowl, {"w": 0.0}, [{"target": 8.0}] * batches, learn.sgd(0.25), steps=steps)
    assert shown in capsys.readouterr().err


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error", "change"),
    [
        ("L110", ag.OperationError, {"steps": -1}),
        ("L110", ag.OperationError, {"steps": 2.5}),
        ("L111", ag.OperationError, {"steps": None}),
        ("L112", ag.OperationError, {"batches": None}),
        ("L121", ag.OperationError, {"batches": [[1.0]]}),
        ("L113", ag.FeedError, {"batches": {"target": 1.0, "w": 2.0}}),
        ("L114", ag.OperationError, {"step": lambda target, w: w}),
        ("L114", ag.OperationError, {"step": lambda target, w: (w, [w])}),
        ("L116", ag.ShapeError, {"step": lambda target, w: (np.ones(1), {"w": w})}),
        ("L116", ag.ShapeError, {"step": lambda target, w: (None, {"w": w})}),
        ("L102", ag.GradientError, {"step": lambda target, w: (w, {})}),
        ("L106", ag.OperationError, {"clip": -1.0}),
        ("L101", ag.DTypeError, {"params": {"w": 1}}),
        ("L107", ag.OperationError, {"state": learn.adam(0.1).init({"w": 1.0})}),
    ],
)
def test_refusals(code: str, error: type[ag.AutogradSeqError], change: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "step": bowl, "params": {"w": 0.0}, "batches": {"target": 1.0}, "optimizer": learn.sgd(0.1), "steps": 2,
        "progress": False,
    }  # fmt: skip
    with pytest.raises(error) as caught:
        learn.train(**(given | change))
    assert caught.value.code == code and caught.value.what


# -- a network --------------------------------------------------------------------------------------------------------


def program(loss: ag.Node, params: list[str], **sizes: int) -> Callable[..., tuple[Any, Mapping[str, Any]]]:
    """What a compiled program will be: here the unrolled graph."""
    dag = ag.Graph(loss).unroll(**sizes).grad(params, with_outputs=True)

    def step(**feeds: Any) -> tuple[Any, Mapping[str, Any]]:
        value, *grads = dag.evaluate(**feeds)
        return value, dict(zip(params, grads, strict=True))

    return step


def test_a_gru_learns_to_repeat_what_it_heard_two_steps_ago() -> None:
    """Memory is needed: without it, the best guess of a coin is a loss of 1."""
    t, b = ag.Axis("t"), ag.Axis("b")
    T, B = 8, 16
    x, d = ag.input("x", (1,), over=(t, b)), ag.input("d", (1,), over=(t, b))
    h = nn.gru(x, 8, over=t, name="memory")
    V = ag.param("V", (1, 8))
    loss = ag.mean(ag.mse(V @ h, d), over=(t, b))
    params = nn.init.params(loss, seed=1)
    rng = np.random.default_rng(0)

    def batches() -> Iterator[dict[str, np.ndarray]]:
        while True:
            coins = rng.choice([-1.0, 1.0], size=(T + 2, B, 1))
            coins[:2] = 0.0
            yield {"x": coins[2:], "d": coins[:-2]}

    step = program(loss, list(params), t=T, b=B)
    result = learn.train(step, params, batches(), learn.adam(0.03), steps=150, clip=1.0, progress=False)
    assert result.losses[:5].mean() > 0.7 and result.losses[-5:].mean() < 0.1
