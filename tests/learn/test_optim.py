"""Optimisers against first steps computed by hand, and against torch.optim over many steps."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from each import each

import autograd_seq as ag
from autograd_seq import learn

Arrays = dict[str, np.ndarray]

# Ours at a rate, and the class and arguments of torch.optim.
PAIRS: dict[str, tuple[Callable[[Any], learn.Optimizer], str, dict[str, Any]]] = {
    "sgd": (learn.sgd, "SGD", {}),
    "sgd, decay": (lambda rate: learn.sgd(rate, weight_decay=0.1), "SGD", {"weight_decay": 0.1}),
    "momentum": (lambda rate: learn.momentum(rate, beta=0.8), "SGD", {"momentum": 0.8}),
    "nesterov": (lambda rate: learn.momentum(rate, beta=0.8, nesterov=True), "SGD", {"momentum": 0.8, "nesterov": True}),
    "adam": (lambda rate: learn.adam(rate, 0.8, 0.95, 1e-6), "Adam", {"betas": (0.8, 0.95), "eps": 1e-6}),
    "adamw": (
        lambda rate: learn.adamw(rate, 0.8, 0.95, 1e-6, weight_decay=0.1), "AdamW",
        {"betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1},
    ),
} | {
    f"rmsprop, {list(extra)}": (
        lambda rate, extra=extra: learn.rmsprop(rate, 0.9, 1e-6, **extra), "RMSprop", {"alpha": 0.9, "eps": 1e-6} | extra,
    )
    for extra in ({}, {"centered": True}, {"momentum": 0.7}, {"centered": True, "momentum": 0.7})
}  # fmt: skip
OPTIMIZERS = {name: ours for name, (ours, *_) in PAIRS.items()}


def start() -> Arrays:
    rng = np.random.default_rng(0)
    return {"W": rng.normal(size=(3, 2)), "b": rng.normal(size=3), "c": np.array(rng.normal())}


def gradient(params: Any, step: int) -> Arrays:
    """The gradient of a bowl, with a noise of its own in each step: it depends on the parameters, as in training."""
    rng = np.random.default_rng(100 + step)
    return {name: np.asarray(0.7 * p + rng.normal(size=p.shape)) for name, p in params.items()}


def run(optimizer: learn.Optimizer, params: Any, steps: int) -> tuple[Any, learn.State]:
    state = optimizer.init(params)
    for step in range(steps):
        params, state = optimizer.update(params, gradient(params, step), state)
    return params, state


# -- by hand ----------------------------------------------------------------------------------------------------------

# From p = 2 with the gradients 4, then -1, at the rate 0.5.
BY_HAND: dict[str, tuple[learn.Optimizer, float, float]] = {
    "sgd": (learn.sgd(0.5), 0.0, 0.5),
    "sgd with decay: g + 0.5 p = 5, then -1.25": (learn.sgd(0.5, weight_decay=0.5), -0.5, 0.125),
    "momentum: v = 4, then 2 - 1 = 1": (learn.momentum(0.5, beta=0.5), 0.0, -0.5),
    "nesterov: g + v/2 = 6, then -1 + 1/2": (learn.momentum(0.5, beta=0.5, nesterov=True), -1.0, -0.75),
    # m = 2, v = 12, each divided by what is missing at the start, 1/2 and 3/4: 4/√16. Then m = 0.5·2 - 0.5 = 1/2 over 3/4,
    # and v = 0.25·12 + 0.75 = 3.75 over 15/16: (2/3)/√4
    "adam": (learn.adam(0.5, 0.5, 0.25, 0.0), 1.5, 1.5 - 0.5 / 3),
    # the same, and a fraction 0.5·0.2 of p off before each: 1.8 - 0.5 = 1.3, then 1.17 - 1/6
    "adamw": (learn.adamw(0.5, 0.5, 0.25, 0.0, weight_decay=0.2), 1.3, 1.17 - 0.5 / 3),
    # v = 12, g/√v = 2/√3; then v = 3.75
    "rmsprop": (learn.rmsprop(0.5, 0.25, 0.0), 2 - 1 / np.sqrt(3), 2 - 1 / np.sqrt(3) + 0.5 / np.sqrt(3.75)),
    # v = 4, and eps is added to the root, not under it: 4/(2 + 2); then v = 3.25
    "rmsprop, eps": (learn.rmsprop(0.5, 0.75, 2.0), 1.5, 1.5 + 0.5 / (np.sqrt(3.25) + 2)),
    # the mean of g is 3, then 0: v - mean² = 12 - 9 = 3, then 3.75
    "centered": (
        learn.rmsprop(0.5, 0.25, 0.0, centered=True), 2 - 2 / np.sqrt(3), 2 - 2 / np.sqrt(3) + 0.5 / np.sqrt(3.75)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_two_steps_by_hand(name: str) -> None:
    optimizer, first, second = BY_HAND[name]
    params, state = optimizer.update({"p": 2.0}, {"p": 4.0}, optimizer.init({"p": 2.0}))
    assert float(params["p"]) == pytest.approx(first, abs=1e-14)
    params, state = optimizer.update(params, {"p": -1.0}, state)
    assert float(params["p"]) == pytest.approx(second, abs=1e-14)
    assert state.step == 2


# -- torch ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("falling", [False, True])
@each("name", OPTIMIZERS)
def test_every_step_is_that_of_torch(name: str, falling: bool) -> None:
    torch = pytest.importorskip("torch")
    _, kind, arguments = PAIRS[name]
    params, theirs = start(), {k: torch.nn.Parameter(torch.tensor(v)) for k, v in start().items()}
    other = getattr(torch.optim, kind)(theirs.values(), lr=0.05, **arguments)
    rate = learn.exponential(0.05, 0.9) if falling else 0.05
    optimizer = OPTIMIZERS[name](rate)
    state = optimizer.init(params)
    for step in range(30):
        grads = gradient(params, step)
        params, state = optimizer.update(params, grads, state)
        for key, p in theirs.items():
            p.grad = torch.tensor(grads[key])
        for group in other.param_groups:
            group["lr"] = 0.05 * 0.9**step if falling else 0.05
        other.step()
        for key, p in theirs.items():
            np.testing.assert_allclose(params[key], p.detach().numpy(), rtol=1e-10, atol=1e-12, err_msg=f"{key}, step {step}")


# -- every optimiser --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_nothing_given_is_modified_and_nothing_returned_is_shared(name: str) -> None:
    optimizer, params = OPTIMIZERS[name](0.1), start()
    _, state = run(optimizer, params, 2)
    grads = gradient(params, 2)
    given = [params, grads, *state.slots.values()]
    before = copy.deepcopy(given)
    for array in [a for arrays in given for a in arrays.values()]:
        array.flags.writeable = False
    new, after = optimizer.update(params, grads, state)
    np.testing.assert_equal(given, before)
    assert state.step == 2 and after.step == 3
    for key, p in new.items():
        assert isinstance(p, np.ndarray) and p.shape == params[key].shape
        assert not np.shares_memory(p, params[key]) and not np.shares_memory(p, grads[key])


@pytest.mark.parametrize("width", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_width_stays_that_of_the_parameter(name: str, width: Any) -> None:
    """Even where the gradient is wider and the rate a NumPy number."""
    optimizer = OPTIMIZERS[name](lambda step: np.float64(0.1))
    params, state = run(optimizer, {k: v.astype(width) for k, v in start().items()}, 3)
    assert {p.dtype for p in params.values()} == {np.dtype(width)}
    assert {a.dtype for s in state.slots.values() for a in s.values()} <= {np.dtype(width)}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_wider_gradient_is_rounded_to_the_width_of_its_parameter(name: str) -> None:
    """So that a step is the same whether the gradient was computed in float64 or rounded on the way."""
    optimizer, narrow = OPTIMIZERS[name](0.1), {k: v.astype(np.float32) for k, v in start().items()}
    grads, state = gradient(start(), 1), optimizer.init(narrow)
    wide, _ = optimizer.update(narrow, grads, state)
    rounded, _ = optimizer.update(narrow, {k: g.astype(np.float32) for k, g in grads.items()}, state)
    for key, p in wide.items():
        np.testing.assert_array_equal(p, rounded[key])


def test_rounding_makes_no_variance_negative() -> None:
    """Where all gradients are alike, v - mean² is zero up to rounding, and its root must be a number."""
    optimizer, grads = learn.rmsprop(0.1, 0.5, 1e-3, centered=True), {"p": np.linspace(0.1, 1.0, 50)}
    params, state = {"p": np.zeros(50)}, optimizer.init({"p": np.zeros(50)})
    for _ in range(100):
        params, state = optimizer.update(params, grads, state)
    assert np.isfinite(params["p"]).all()
    assert (state.slots["square"]["p"] < state.slots["mean"]["p"] ** 2).any()  # it does happen here


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_goes_on_from_a_saved_state(name: str) -> None:
    optimizer = OPTIMIZERS[name](learn.exponential(0.1, 0.9))
    whole, _ = run(optimizer, start(), 8)
    params, state = run(optimizer, start(), 4)
    params, state = pickle.loads(pickle.dumps((params, state)))
    for step in range(4, 8):
        params, state = optimizer.update(params, gradient(params, step), state)
    for key, p in whole.items():
        np.testing.assert_array_equal(params[key], p)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_finds_the_bottom_of_a_bowl(name: str) -> None:
    """Of Σ k (p_k - k)²/2, stretched tenfold; weight decay pulls the bottom towards zero, so it is left out."""
    if "decay" in name or name == "adamw":
        return
    stretch, bottom = np.array([1.0, 10.0]), np.array([1.0, 2.0])
    optimizer = OPTIMIZERS[name](learn.cosine(0.05, 1000))
    params = {"p": np.array([-1.0, 4.0])}
    state = optimizer.init(params)
    for _ in range(1000):
        params, state = optimizer.update(params, {"p": stretch * (params["p"] - bottom)}, state)
    np.testing.assert_allclose(params["p"], bottom, atol=1e-3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_zero_gradient_from_the_start_moves_nothing_but_by_decay(name: str) -> None:
    """0/(√0 + eps) is 0, not NaN."""
    optimizer, params = OPTIMIZERS[name](0.1), start()
    new, _ = optimizer.update(params, {k: np.zeros_like(v) for k, v in params.items()}, optimizer.init(params))
    factor = 1 - 0.1 * 0.1 if "decay" in name or name == "adamw" else 1.0
    for key, p in params.items():
        np.testing.assert_allclose(new[key], factor * p, rtol=1e-14)


def test_a_schedule_counts_updates_from_zero() -> None:
    seen: list[int] = []

    def rate(step: int) -> float:
        seen.append(step)
        return 0.1

    run(learn.sgd(rate), start(), 3)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_overflow_is_infinite_and_no_warning(name: str) -> None:
    optimizer, params = OPTIMIZERS[name](0.1), {"p": np.array([1.0, 1.0], np.float32)}
    huge = {"p": np.array([1e30, 1.0], np.float32)}  # its square is no float32
    state = optimizer.init(params)
    for _ in range(3):
        params, state = optimizer.update(params, huge, state)
    assert params["p"].shape == (2,) and np.isfinite(params["p"][1])


def test_what_is_not_finite_spreads_to_its_own_entry_only() -> None:
    optimizer = learn.adam(0.1)
    params, _ = optimizer.update({"p": np.ones(2)}, {"p": np.array([np.nan, 1.0])}, optimizer.init({"p": np.ones(2)}))
    assert np.isnan(params["p"][0]) and params["p"][1] == pytest.approx(0.9)


@each(
    ("code", "error", "change"),
    [
        ("L102", ag.GradientError, lambda g: g.pop("b")),
        ("L103", ag.DTypeError, lambda g: g.update(c=None)),
        ("L104", ag.ShapeError, lambda g: g.update(W=g["W"].T)),
        ("L104", ag.ShapeError, lambda g: g.update(c=g["c"].reshape(1))),  # would broadcast
        ("L105", ag.GradientError, lambda g: g.update(V=1.0)),
    ],
)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_that_do_not_fit(name: str, code: str, error: type[ag.AutogradSeqError], change: Any) -> None:
    optimizer, params = OPTIMIZERS[name](0.1), start()
    grads = gradient(params, 0)
    change(grads)
    with pytest.raises(error) as caught:
        optimizer.update(params, grads, optimizer.init(params))
    assert caught.value.code == code
    assert caught.value.node in {"L102": "b", "L103": "c", "L104": "Wc", "L105": "V"}[code]


def test_a_slip_in_a_name_is_answered() -> None:
    optimizer = learn.sgd(0.1)
    with pytest.raises(ag.GradientError, match='did you mean "encoder/W"'):
        optimizer.update({"encoder/W": 1.0}, {"encoder/W": 1.0, "encoder/V": 1.0}, optimizer.init({"encoder/W": 1.0}))


@pytest.mark.parametrize("params", [{"k": np.arange(3)}, {"k": 1}, {"k": np.ones(2, complex)}, {"k": "one"}])
def test_only_floats_are_trained(params: dict[str, Any]) -> None:
    for call in (lambda o: o.init(params), lambda o: o.update(params, params, o.init({}))):
        with pytest.raises(ag.DTypeError, match="k cannot be trained") as caught:
            call(learn.adam(0.1))
        assert caught.value.code == "L101"


@pytest.mark.parametrize(
    "state",
    [
        learn.sgd(0.1).init(start()),
        learn.momentum(0.1).init(start()),
        learn.adam(0.1).init({"W": np.ones((3, 2))}),
        learn.adam(0.1).init(start() | {"b": np.ones(4)}),
    ],
)
def test_a_state_of_another_optimizer_or_model(state: learn.State) -> None:
    params = start()
    with pytest.raises(ag.OperationError, match=r"optimizer\.init\(params\)") as caught:
        learn.adam(0.1).update(params, gradient(params, 0), state)
    assert caught.value.code == "L107"


@pytest.mark.parametrize(
    "call",
    [
        lambda: learn.sgd(-0.1),
        lambda: learn.sgd("fast"),  # type: ignore[arg-type]
        lambda: learn.sgd(0.1, weight_decay=-1),
        lambda: learn.momentum(0.1, beta=1.0),
        lambda: learn.adam(0.1, b1=1.0),
        lambda: learn.adam(0.1, b2=-0.1),
        lambda: learn.adam(0.1, eps=-1e-8),
        lambda: learn.adamw(0.1, weight_decay=np.nan),
        lambda: learn.rmsprop(0.1, decay=1.5),
        lambda: learn.rmsprop(0.1, momentum=1.0),
    ],
)
def test_arguments_out_of_range(call: Callable[[], Any]) -> None:
    with pytest.raises(ag.OperationError) as caught:
        call()
    assert caught.value.code == "L106"
