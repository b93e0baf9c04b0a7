"""Trainings: epochs, validation, carried states, files to go on from, histories, and how they end."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import learn

T, B = ag.Axis("t"), ag.Axis("b")
W, TARGET = ag.param("w"), ag.input("target")
BOWL = (W - TARGET) ** 2


def fit(batches: Any, optimizer: learn.Optimizer | None = None, loss: Any = BOWL, **options: Any) -> learn.Result:
    return learn.train(loss, {"w": 0.0}, batches, optimizer or learn.sgd(0.25), progress=False, **options)


def feeds_of(*targets: float) -> list[dict[str, float]]:
    return [{"target": target} for target in targets]


# -- epochs -----------------------------------------------------------------------------------------------------------


def test_epochs_go_through_the_batches_again() -> None:
    seen: list[tuple[int, int]] = []
    whole = fit(feeds_of(1.0, 2.0) * 3)
    again = fit(feeds_of(1.0, 2.0), epochs=3, callbacks=[lambda m: seen.append((m.step, m.epoch))])
    np.testing.assert_array_equal(again.losses, whole.losses)
    assert seen == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2)]
    assert len(fit(feeds_of(1.0, 2.0), epochs=3, steps=5).losses) == 5
    assert len(fit({"target": 1.0}, epochs=4).losses) == 4


def test_a_function_makes_the_batches_of_each_epoch() -> None:
    asked: list[int] = []

    def batches(epoch: int) -> Iterator[dict[str, float]]:
        asked.append(epoch)
        yield from feeds_of(epoch, epoch)

    assert len(fit(batches, steps=5).losses) == 5 and asked == [0, 1, 2]
    assert len(fit(batches, epochs=2).losses) == 4


def test_the_bar_says_loss_norm_validation_and_speed(capsys: pytest.CaptureFixture[str]) -> None:
    learn.train(BOWL, {"w": 0.0}, feeds_of(8.0) * 4, learn.sgd(0.25), valid={"target": 8.0})
    last = capsys.readouterr().err.split("\r")[-1]
    assert all(word in last for word in ("4/4", "loss 1", "norm 2", "valid 0.25", "step/s")), last


# -- validation -------------------------------------------------------------------------------------------------------


def test_the_parameters_with_the_least_validation_loss_come_back() -> None:
    """On the way to 8 the parameter passes 5, where validation is best."""
    seen: list[float | None] = []
    result = fit({"target": 8.0}, steps=6, valid={"target": 5.0}, callbacks=[lambda m: seen.append(m.valid)])
    assert float(result.params["w"]) == 4.0 and float(result.last["w"]) == 7.875
    np.testing.assert_array_equal(result.valid, [[k + 1, (8 - 8 / 2 ** (k + 1) - 5) ** 2] for k in range(6)])
    assert seen == result.valid[:, 1].tolist()


def test_patience_ends_it() -> None:
    result = fit({"target": 8.0}, steps=99, valid={"target": 5.0}, patience=3)
    assert len(result.losses) == 4 and float(result.params["w"]) == 4.0 and not result.interrupted


@pytest.mark.parametrize(("options", "steps"), [({}, [2, 4, 5]), ({"validate_every": 2}, [2, 4]), ({"validate_every": 9}, [])])
def test_validation_comes_at_the_end_of_epochs_or_as_often_as_wanted(options: dict[str, Any], steps: list[int]) -> None:
    for batches in (feeds_of(1.0, 2.0), lambda epoch: iter(feeds_of(1.0, 2.0))):
        result = fit(batches, steps=5, epochs=9, valid=feeds_of(1.0, 3.0), **options)
        assert result.valid[:, 0].tolist() == steps
    assert fit(feeds_of(1.0), valid=lambda params: abs(params["w"])).valid.tolist() == [[1, 0.5]]


def test_nothing_is_dropped_out_in_validation_and_programs_are_judged_too() -> None:
    loss = ag.sum(ag.nn.dropout("units", ag.ones((40,)) * W, 0.5, over=()))
    for step in (loss, ag.value_and_grad(loss), ag.bptt(loss + 0 * ag.sum(ag.input("x", over=T)[T - 1], over=T), segment=2)):
        feeds = {"x": np.zeros(3)} if hasattr(step, "truncated") else {}
        result = learn.train(step, {"w": 1.0}, feeds, learn.sgd(0.0), steps=3, valid=feeds, progress=False)
        assert len({*result.losses}) > 1 and result.valid[:, 1].tolist() == [40.0] * 3


# -- how a loss is compiled -------------------------------------------------------------------------------------------


def make_echo() -> ag.Node:
    x, s = ag.input("x", over=(T, B)), ag.state("s", over=(T, B))
    s[T] = ag.tanh(W * s[T - 1] + x[T])
    return ag.mean(s[T] ** 2, over=(T, B))


@pytest.mark.parametrize("cut", [{"segment": 2}, {"window": 2}, {"every": 2, "window": 3}, {"backend": "plain"}])
def test_a_loss_is_compiled_as_asked(cut: dict[str, Any]) -> None:
    x = np.random.default_rng(0).normal(size=(7, 3))
    loss = make_echo()
    step = ag.bptt(loss, **cut) if "backend" not in cut else ag.value_and_grad(loss, **cut)
    one = learn.train(loss, {"w": 0.5}, {"x": x}, learn.adam(0.1), steps=4, progress=False, **cut)
    other = learn.train(step, {"w": 0.5}, {"x": x}, learn.adam(0.1), steps=4, progress=False)
    np.testing.assert_array_equal(one.losses, other.losses)
    np.testing.assert_array_equal(one.norms, other.norms)


def test_a_loss_is_recomputed_instead_of_stored(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(30, 3))
    loss = make_echo()
    common: dict[str, Any] = {"steps": 4, "progress": False, "valid": {"x": x[::-1]}}
    stored, given, made = (
        learn.train(step, {"w": 0.5}, {"x": x}, learn.adam(0.1), **options, **common)
        for step, options in ((loss, {}), (loss, {"memory": "sqrt"}), (ag.value_and_grad(loss, memory="sqrt"), {}))
    )
    for other in (given, made):
        np.testing.assert_allclose(other.losses, stored.losses, rtol=1e-12)
        np.testing.assert_allclose(other.valid, stored.valid, rtol=1e-12)
    common |= {"save": tmp_path / "run.npz", "resume": True}
    learn.train(loss, {"w": 0.5}, {"x": x}, learn.adam(0.1), **common)
    resumed = learn.train(loss, {"w": 0.5}, {"x": x}, learn.adam(0.1), memory="sqrt", **(common | {"steps": 5}))
    assert (resumed.resumed, len(resumed.losses)) == (4, 5), "the same equations, however they are computed"
    x[20, 1] = np.nan
    error = diverge(loss, {"x": x}, memory="sqrt")
    assert error.finding is not None and error.finding.step == {"t": 20, "b": 1}


def test_parameters_that_are_not_trained_are_fed() -> None:
    loss = (ag.param("a") * W - 6.0) ** 2
    result = learn.train(loss, {"w": 1.0}, {"a": 2.0}, learn.sgd(0.1), steps=50, progress=False)
    assert {*result.params} == {"w"} and abs(result.params["w"] - 3.0) < 1e-6


# -- long sequences in segments ---------------------------------------------------------------------------------------


def test_states_are_carried_from_segment_to_segment_of_each_sequence() -> None:
    """With the rate 0 the losses of the segments are those of the whole sequences, weighted by their steps."""
    x = np.random.default_rng(0).normal(size=(7, 5))
    loss, w = make_echo(), {"w": np.float64(0.9)}
    pieces = learn.segments({"x": x}, 3)
    assert [p["x"].shape[0] for p in pieces] == [3, 3, 1] and np.shares_memory(pieces[0]["x"], x)
    result = learn.train(loss, w, pieces, learn.sgd(0.0), epochs=2, carry=True, valid=pieces, progress=False)
    whole, _ = ag.value_and_grad(loss)(x=x, **w)
    assert np.isclose(result.losses[:3] @ [3, 3, 1] / 7, whole, rtol=1e-14)
    np.testing.assert_array_equal(result.losses[:3], result.losses[3:])  # an epoch starts anew
    np.testing.assert_allclose(result.valid[:, 1], np.mean(result.losses[:3]), rtol=1e-14)
    assert result.carry is not None and result.carry.steps == 7
    # of several batches each begins anew, though all come from one epoch
    several = [piece for part in (x[:, :2], x[:, 2:]) for piece in learn.segments({"x": part}, 3)]
    losses = learn.train(loss, w, several, learn.sgd(0.0), carry=T, progress=False).losses
    ends = [ag.value_and_grad(loss)(x=part, **w)[0] for part in (x[:, :2], x[:, 2:])]
    np.testing.assert_allclose(losses.reshape(2, 3) @ [3, 3, 1] / 7, ends, rtol=1e-14)


def test_segments_of_padded_sequences() -> None:
    x, lengths = np.random.default_rng(0).normal(size=(6, 3)), np.array([6, 2, 4])
    s, X = ag.state("s", over=(T, B)), ag.input("x", over=(T, B))
    s[T] = ag.tanh(W * s[T - 1] + X[T])
    loss = ag.sum(s[T] ** 2, over=(T, B))
    pieces = learn.segments({"x": x, "lengths": {T: lengths}}, 4)
    assert [p["lengths"][T].tolist() for p in pieces] == [[4, 2, 4], [2, 0, 0]]
    result = learn.train(loss, {"w": 0.9}, pieces, learn.sgd(0.0), carry=True, progress=False)
    assert np.isclose(result.losses.sum(), ag.compile(loss)(x=x, w=0.9, lengths={T: lengths})[0], rtol=1e-13)


@pytest.mark.parametrize("method", ["rtrl", "uoro"])
def test_online_learning_along_a_stream(method: str, tmp_path: Path) -> None:
    """A step of the stream at a time, or segments of it; it is gone on with from a file."""
    x = np.random.default_rng(0).normal(size=(12, 3))
    X, s = ag.input("x", over=(T, B)), ag.state("s", over=(T, B))
    s[T] = ag.tanh(W * s[T - 1] + X[T])
    step = ag.online(ag.sum(ag.sum(s[T] ** 2, over=B), over=T), over=T, method=method)
    weights: dict[str, Any] = {"w": np.float64(0.9)}
    optimizer, carry, losses = learn.sgd(0.01), None, []
    state = optimizer.init(weights)
    for k, row in enumerate(x):
        seed = {"seed": learn.loop.make_step_seed(3, k)} if method == "uoro" else {}
        (loss, grads), carry = step(carry, x=row, **seed, **weights)
        weights, state = optimizer.update(weights, grads, state)
        losses.append(loss)
    common: dict[str, Any] = {"progress": False, "seed": 3, "save": tmp_path / "run.npz", "resume": True}
    feeds = [{"x": row} for row in x]
    found = [learn.train(step, {"w": 0.9}, feeds, optimizer, steps=n, **common) for n in (5, 12)]
    np.testing.assert_array_equal(found[-1].losses, losses)
    assert found[-1].params["w"] == weights["w"]
    pieces = learn.segments({"x": x}, 5)
    assert len(learn.train(step, {"w": 0.9}, pieces, optimizer, progress=False, valid=pieces).valid) == 1


def test_batches_hold_each_example_once_an_epoch_in_a_new_order() -> None:
    x = np.arange(10.0).reshape(1, 5, 2)
    feeds = {"x": x, "l": np.arange(5), "rate": 0.5, "lengths": {T: np.arange(5)}}
    made = learn.batches(feeds, 2, axis={"x": 1, "l": 0}, seed=3)
    epochs = [[made(e)[i] for i in range(len(made(e)))] for e in (0, 1, 0)]
    orders = [[k for batch in epoch for k in batch["l"].tolist()] for epoch in epochs]
    assert sorted(orders[0]) == sorted(orders[1]) == [*range(5)] and orders[0] == orders[2] != orders[1]
    for batch in epochs[0]:
        assert (batch["x"][0, :, 0] == 2 * batch["l"]).all() and (batch["lengths"][T] == batch["l"]).all()
        assert batch["rate"] == 0.5
    assert [len(b["x"][0]) for b in made(0)] == [2, 2, 1]
    assert [len(b["x"][0]) for b in learn.batches({"x": x}, 2, drop_last=True)(0)] == [2, 2]
    assert [b["x"][0, :, 0].tolist() for b in learn.batches({"x": x}, 4, seed=None)(7)[:1]] == [[0, 2, 4, 6]]


# -- files ------------------------------------------------------------------------------------------------------------


def make_noisy() -> tuple[ag.Node, dict[str, np.ndarray], learn.Optimizer, Any]:
    """A loss with dropout and a carried state, on shuffled data in segments."""
    x, s = ag.input("x", (3,), over=(T, B)), ag.state("s", (4,), over=(T, B))
    U, V = ag.param("U", (4, 3)), ag.param("V", (4, 4))
    s[T] = ag.tanh(ag.nn.dropout("units", U @ x[T], 0.3, over=(T, B)) + V @ s[T - 1])
    loss = ag.mean(ag.mean(s[T] ** 2), over=(T, B))
    data = {"x": np.random.default_rng(0).normal(size=(7, 6, 3))}
    shuffled = learn.batches(data, 2, seed=5)
    rate = learn.cosine(0.05, 30)
    return loss, ag.nn.init.params(loss, seed=1), learn.adam(rate), lambda epoch: [
        piece for batch in shuffled(epoch) for piece in learn.segments(batch, 3)
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_a_training_goes_on_bit_for_bit(suffix: str, tmp_path: Path) -> None:
    """Dropout, Adam, a schedule, shuffled data, carried states, early stopping: n steps, a file, n steps = 2n steps."""
    loss, params, optimizer, batches = make_noisy()
    common: dict[str, Any] = {"carry": True, "clip": 0.1, "seed": 3, "progress": False, "validate_every": 4}
    common["valid"] = batches(0)
    whole = learn.train(loss, params, batches, optimizer, steps=22, **common)
    path = tmp_path / f"run.{suffix}"
    for before, n in ((0, 7), (7, 14), (14, 22)):  # the third starts in the middle of a sequence
        other, again, optimizer, batches = make_noisy()  # as in another process
        part = learn.train(other, again, batches, optimizer, steps=n, save=path, resume=True, **common)
        assert (part.resumed, len(part.losses)) == (before, n)
    np.testing.assert_array_equal(part.losses, whole.losses)
    np.testing.assert_array_equal(part.norms, whole.norms)
    np.testing.assert_array_equal(part.valid, whole.valid)
    for name, array in whole.last.items():
        np.testing.assert_array_equal(part.last[name], array)
        np.testing.assert_array_equal(part.params[name], whole.params[name])
    for slot in whole.state.slots:
        np.testing.assert_array_equal(part.state.slots[slot]["V"], whole.state.slots[slot]["V"])
    done = learn.train(loss, params, batches, optimizer, steps=22, save=path, resume=True, **common)
    assert done.resumed == len(done.losses) == 22 and learn.load(path, graph=loss)["step"] == 22


def test_a_training_that_diverges_leaves_what_was_good(tmp_path: Path) -> None:
    """The file is of the last step whose loss was finite: a lower rate goes on from there."""
    path, common = tmp_path / "run.npz", {"progress": False, "save": tmp_path / "run.npz"}
    loss = ag.exp(W * W) + 0.0 * ag.param("p", (2,))[0]
    with pytest.raises(learn.DivergenceError) as caught:
        learn.train(loss, {"w": 1.0, "p": np.ones(2)}, {}, learn.sgd(1.0), steps=50, **common)
    held = learn.load(path, graph=loss)
    assert held["step"] == caught.value.step - 1 and np.isfinite(held["history"]).all()
    assert held["params"]["w"] == caught.value.params["w"] and np.isfinite(np.exp(held["params"]["w"] ** 2))
    rest = learn.train(loss, {"w": 1.0, "p": np.ones(2)}, {}, learn.sgd(1e-20), steps=50, resume=True, **common)
    assert rest.resumed == held["step"] and len(rest.losses) == 50
    path.unlink()
    with pytest.raises(learn.DivergenceError):
        learn.train(loss, {"w": 100.0, "p": np.ones(2)}, {}, learn.sgd(1.0), steps=5, **common)
    assert not path.exists(), "there was nothing good"


def test_arguments_that_are_none() -> None:
    """Each in a sentence, before the first step; a single function is a callback as well as a list of one."""
    given: list[tuple[dict[str, Any], str]] = [
        ({"seed": "a"}, "L150"), ({"state": 3}, "L149"), ({"callbacks": [3]}, "L151"), ({"on_step": 3}, "L151"),
        ({"callbacks": None}, "L151"), ({"clip": lambda grads: None}, "L152"),
    ]  # fmt: skip
    for change, code in given:
        with pytest.raises(ag.OperationError) as caught:
            fit({"target": 1.0}, steps=2, **change)
        assert caught.value.code == code
    assert len(fit({"target": 1.0}, steps=9, callbacks=lambda moment: moment.step == 2).losses) == 3
    with pytest.raises(ag.DTypeError, match="complex"):
        fit({"target": 1.0 + 1.0j}, steps=2)


def test_lengths_that_do_not_fit_are_not_the_end_of_an_epoch() -> None:
    """An IndexError while a batch is cut would end the epoch in silence, and with it the training on the other examples."""
    x = np.zeros((4, 7))
    with pytest.raises(ag.DataError, match=r"B215.*lengths of t are not one for each example"):
        learn.batches({"x": x, "lengths": {T: [1, 2, 3, 4, 4]}}, 3)
    for cut in (lambda: learn.batches([x], 3), lambda: learn.segments([x], 3)):  # type: ignore[arg-type]
        with pytest.raises(ag.DataError, match="B216"):
            cut()


def test_where_nothing_can_be_saved_nothing_is_trained(tmp_path: Path) -> None:
    """The error is there before the first step, and names the file that was meant."""
    (tmp_path / "run.npz").mkdir()
    for path in (tmp_path / "run.npz", tmp_path / "0" / "run.npz", Path("/proc/run.npz")):
        with pytest.raises((OSError, ag.OperationError)) as caught:
            fit({"target": 1.0}, steps=2, save=path, on_step=lambda *_: pytest.fail("it trains"))
        assert "run.npz" in str(caught.value) and ".part" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.npz"]


def test_an_equilibrium_that_does_not_settle_ends_a_training() -> None:
    """As a loss that is not finite does: with the parameters before, and what the equilibrium says of itself."""
    c, z = ag.param("c"), ag.equilibrium("z", max_steps=300)
    z[...] = c * z + 1.0
    with pytest.raises(learn.DivergenceError, match=r"the loss of step 2 cannot be computed: z has not settled") as caught:
        learn.train((z - 20.0) ** 2, {"c": 0.0}, {}, learn.sgd(0.012), steps=9, progress=False)
    assert (caught.value.step, len(caught.value.losses)) == (2, 2) and caught.value.params["c"] < 1
    assert isinstance(caught.value.__cause__, ag.EquilibriumError) and "expected f(z) − z within tol" in str(caught.value)


def test_a_file_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    fit({"target": 1.0}, steps=2, save=path)
    for change, code in (({"loss": 2.0 * BOWL}, "L135"), ({"loss": ag.value_and_grad(2.0 * BOWL)}, "L135")):
        with pytest.raises(ag.LoadError) as caught:
            fit({"target": 1.0}, steps=4, save=path, resume=True, **change)
        assert caught.value.code == code
    with pytest.raises(ag.LoadError, match="float32"):
        learn.train(
            BOWL, {"w": np.float32(0)}, {"target": 1.0}, learn.sgd(0.1), steps=4, save=path, resume=True, progress=False
        )
    sound = learn.load(path)
    for change in (
        {"epoch": -1},
        {"state": None},
        {"validation": {**sound["validation"], "losses": [1]}},
        {"carry": 3},
        {"history": np.ones((1, 2))},
    ):
        learn.save(path, graph=BOWL, **(sound | change))
        with pytest.raises(ag.LoadError, match="no file of a training"):
            fit({"target": 1.0}, steps=4, save=path, resume=True)
    learn.save(path, graph=BOWL, params={"w": np.ones(())})
    with pytest.raises(ag.LoadError, match="no file of a training"):
        fit({"target": 1.0}, steps=4, save=path, resume=True)


def test_batches_that_were_used_are_not_made_again(tmp_path: Path) -> None:
    made: list[tuple[int, int]] = []

    class Numbered(list[dict[str, float]]):
        def __init__(self, epoch: int) -> None:
            super().__init__(feeds_of(1.0, 2.0, 3.0))
            self.epoch = epoch

        def __getitem__(self, i: Any) -> Any:
            made.append((self.epoch, i))
            return super().__getitem__(i)

    for n in (5, 8):
        fit(Numbered, steps=n, save=tmp_path / "run.npz", resume=True)
    assert made == [(1, 1), (1, 2)], "the last one that was used is compared"


def test_a_training_goes_on_with_the_batches_of_its_file_and_no_others(tmp_path: Path) -> None:
    """Other values, shapes, names, batch sizes, orders: refused in words, or warned of where batches may be drawn anew."""
    path, x = tmp_path / "run.npz", np.arange(12.0).reshape(1, 12)
    loss = ag.mean((W * ag.input("x", over=(T, B)) - 1.0) ** 2, over=(T, B))

    def go_on(batches: Any, steps: int) -> int:
        done = learn.train(loss, {"w": 0.0}, batches, learn.sgd(1e-3), steps=steps, save=path, resume=True, progress=False)
        return len(done.losses)

    def cut(size: int, seed: int = 0, data: np.ndarray = x) -> Any:
        return learn.batches({"x": data}, size, seed=seed)

    given: list[tuple[Any, list[Any], str]] = [
        (cut(5), [cut(5, 1), cut(5, 0, x + 1.0)], r"expected float64 of shape \(1, 5\), values with digest \w+"),
        (cut(5), [cut(4), cut(12)], r"x of the last one that it used differs.*expected float64 of shape"),
        ({"x": x}, [{"x": x[:, :3]}], r"expected float64 of shape \(1, 12\), got float64 of shape \(1, 3\)\n"),
        ([{"x": x}, {"x": x + 1.0}, {"x": x}], [[{"x": x}] * 3, [{"y": x}] * 3, [{"x": x}]], "digest|got none|no such batch"),
    ]
    for before, others, words in given:
        path.unlink(missing_ok=True)
        assert go_on(before, 2) == 2
        for other in others:
            with pytest.raises(ag.LoadError, match=f"(?s)L153.*{words}"):
                go_on(other, 3)
        assert go_on(before, 3) == 3, "what is refused leaves the file as it was"
    path.unlink()
    random = np.random.default_rng(0)
    draw = lambda epoch: ({"x": random.normal(size=(1, 3))} for _ in range(5))  # noqa: E731
    assert go_on(draw, 2) == 2
    with pytest.warns(learn.OtherBatchesWarning, match=r"run.npz is of a training on other batches.*goes on"):
        assert go_on(draw, 3) == 3
    with pytest.raises(ag.LoadError, match="no such batch"):
        go_on([{"x": x}], 4)
    things = learn.load(path)
    learn.save(path, graph=loss, **{name: value for name, value in things.items() if name != "last_batch"})
    assert go_on({"x": x}, 4) == 4, "a file of an earlier version does not know"
    learn.save(path, graph=loss, **(things | {"last_batch": {"x": 3}}))
    with pytest.raises(ag.LoadError, match="no file of a training"):
        go_on({"x": x}, 5)


def test_files_come_every_so_many_steps_and_at_the_end(tmp_path: Path) -> None:
    path, seen = tmp_path / "run.npz", []

    def look(number: int, loss: float, params: Any) -> None:
        seen.append(int(learn.load(path)["step"]) if path.exists() else None)

    fit({"target": 1.0}, steps=5, save=path, save_every=2, on_step=look)
    assert seen == [None, None, 2, 2, 4] and learn.load(path)["step"] == 5


# -- histories --------------------------------------------------------------------------------------------------------


def test_a_history_of_a_training_that_was_killed_has_each_step_once(tmp_path: Path) -> None:
    path, saved = tmp_path / "run.csv", tmp_path / "run.npz"
    whole = fit({"target": 8.0}, steps=6, valid={"target": 5.0}, validate_every=2)

    def kill(moment: learn.Moment) -> None:
        if moment.step == 3:  # after the row of step 3; the last file is from step 2
            raise ZeroDivisionError

    common: dict[str, Any] = {"save": saved, "save_every": 2, "valid": {"target": 5.0}, "validate_every": 2, "resume": True}
    with pytest.raises(ZeroDivisionError):
        fit({"target": 8.0}, steps=6, callbacks=[learn.CsvLog(path), kill], **common)
    fit({"target": 8.0}, steps=6, callbacks=[learn.CsvLog(path)], **common)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert rows[0] == ["step", "epoch", "loss", "norm", "valid", "seconds"]
    assert [row[0] for row in rows[1:]] == ["0", "1", "2", "3", "4", "5"]
    np.testing.assert_array_equal([float(row[2]) for row in rows[1:]], whole.losses)
    np.testing.assert_array_equal([float(row[4]) for row in rows[1:] if row[4]], whole.valid[:, 1])


def test_a_history_for_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    result = fit({"target": 8.0}, steps=3, callbacks=[learn.TensorBoardLog(tmp_path)])
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [float(make_ndarray(e.tensor_proto)) for e in events.Tensors("loss")] == result.losses.tolist()
    assert [e.step for e in events.Tensors("norm")] == [0, 1, 2]


def test_without_tensorboard_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboard.summary", None)
    with pytest.raises(ag.OperationError, match="pip install tensorboard"):
        learn.TensorBoardLog("runs")


# -- ends -------------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_after_the_step_and_saves(tmp_path: Path) -> None:
    calls = itertools.count()
    inner = ag.value_and_grad(BOWL)

    def step(**feeds: Any) -> Any:
        out = inner(**feeds)
        if next(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return out

    result = fit({"target": 8.0}, loss=step, steps=99, save=tmp_path / "run.npz")
    assert result.interrupted and result.state.step == len(result.losses) == 3
    assert learn.load(tmp_path / "run.npz")["step"] == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_twice_ends_within_the_step_and_saves_the_one_before(tmp_path: Path) -> None:
    def step(target: float, w: Any) -> Any:
        if w > 5:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("the second ends it")
        return (w - target) ** 2, {"w": 2 * (w - target)}

    result = fit(lambda epoch: feeds_of(8.0, 8.0, 8.0), loss=step, steps=99, save=tmp_path / "run.npz")
    saved = learn.load(tmp_path / "run.npz")
    assert result.interrupted and float(result.params["w"]) == 6.0
    assert (saved["step"], saved["epoch"], saved["batch"]) == (2, 0, 2)


def test_callbacks_end_it() -> None:
    assert len(fit({"target": 8.0}, steps=99, callbacks=[lambda m: m.loss < 10, lambda m: None]).losses) == 3


# -- numbers that are not finite --------------------------------------------------------------------------------------


def diverge(loss: Any, feeds: Any, **options: Any) -> learn.DivergenceError:
    with pytest.raises(learn.DivergenceError) as caught, np.errstate(all="ignore"):
        learn.train(loss, {"w": 1.0}, feeds, learn.sgd(0.1), steps=9, progress=False, **options)
    return caught.value


@pytest.mark.parametrize("options", [{}, {"segment": 3}])
def test_the_error_names_the_node_the_step_and_the_sequence(options: dict[str, Any]) -> None:
    """In 40 sequences of 60 steps one number is 0; unrolled as they are they would be 10,000 nodes and more."""
    x = np.random.default_rng(0).uniform(1.0, 2.0, (60, 40))
    x[33, 7] = 0.0
    X, s = ag.input("x", over=(T, B)), ag.state("s", over=(T, B))
    s[T] = 0.5 * s[T - 1] + ag.log(W * X[T]).named("inner")
    error = diverge(ag.mean(s, over=(T, B)), {"x": x}, **options)
    assert error.finding is not None and error.finding.step == {"t": 33, "b": 7} and error.finding.name == "inner"
    assert "inner = log(w * x[t, b]) makes infinity at t = 33, b = 7" in str(error)
    assert error.where is not None and "test_training.py:" in error.where


def test_the_node_is_found_in_gradients_in_later_pieces_and_with_lengths() -> None:
    X, s = ag.input("x", over=(T, B)), ag.state("s", over=(T, B))
    s[T] = 0.5 * s[T - 1] + ag.sqrt(W * X[T])
    loss = ag.sum(s[T], over=(T, B))
    x = np.ones((6, 3))
    x[4, 1] = 0.0
    error = diverge(loss, {"x": x})  # the slope of a root at 0
    assert error.finding is not None and error.finding.in_gradient and error.finding.step["b"] == 1
    x[4, 1] = -1.0
    error = diverge(loss, learn.segments({"x": x}, 3), carry=True)
    assert error.finding is not None and error.finding.step == {"t": 1, "b": 1} and error.step == 1  # of the second piece
    error = diverge(loss, {"x": x, "lengths": {T: np.array([6, 5, 3])}})
    assert error.finding is not None and error.finding.step == {"t": 4, "b": 1}


def test_a_sequence_too_long_to_unroll_is_run_to_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state itself makes it: what came before counts. In gradients it is not found then, and not said."""
    monkeypatch.setattr("autograd_seq.analyse.fewer.MOST_POINTS", 500)
    X, s = ag.input("x", over=(T, B)), ag.state("s", over=(T, B), init=1.0)
    s[T] = s[T - 1] + ag.log(s[T - 1] + W * X[T])
    x = np.ones((300, 4))
    x[:, 2] = np.where(np.arange(300) < 250, 0.0, -0.1)  # 1.00, 0.89, 0.66, 0.09, and below 0 from 253 on
    error = diverge(ag.mean(s, over=(T, B)), {"x": x})
    assert error.finding is not None and error.finding.step == {"t": 253, "b": 2} and "log" in error.finding.expression
    r = ag.state("r", over=(T, B))
    r[T] = 0.5 * r[T - 1] + ag.sqrt(W * X[T])
    error = diverge(ag.mean(r, over=(T, B)), {"x": 1.0 - (x < 0)})
    assert error.finding is None and "gradient of step 0" in str(error)


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("L122", {"epochs": -1}), ("L111", {"steps": None, "batches": lambda epoch: []}),
        ("L119", {"batches": lambda epoch: []}),
        ("L118", {"batches": iter(feeds_of(1.0)), "epochs": 2}), ("L120", {"patience": 2}), ("L120", {"validate_every": 2}),
        ("B206", {"patience": 0, "valid": {"target": 1.0}}), ("L123", {"valid": []}), ("L124", {"valid": 3}),
        ("L125", {"resume": True}),
        ("B206", {"save_every": 0}), ("O130", {"patiense": 2}), ("O130", {"segments": 2}),
        ("L117", {"step": ag.value_and_grad(BOWL), "segment": 2}), ("L134", {"save": "run.pt"}),
        ("L128", {"step": 3}), ("L129", {"params": None}), ("L144", {"optimizer": learn.adam}),
    ],
)  # fmt: skip
def test_refusals(code: str, change: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "step": BOWL,
        "params": {"w": 0.0},
        "batches": {"target": 1.0},
        "optimizer": learn.sgd(0.1),
        "steps": 2,
    }
    with pytest.raises(ag.AutogradSeqError) as caught:
        learn.train(**(given | change))
    assert caught.value.code == code and caught.value.what


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("B212", lambda: learn.batches({"x": np.ones((2, 3)), "y": np.ones((2, 4))}, 2)),
        ("B213", lambda: learn.batches({"x": np.ones(2)}, 2)),
        ("B206", lambda: learn.batches({"x": np.ones((2, 3))}, 0)),
        ("B214", lambda: learn.segments({"x": np.ones(3), "y": np.ones(4)}, 2)),
        ("B214", lambda: learn.segments({}, 2)),
    ],
)
def test_refusals_of_data(code: str, call: Any) -> None:
    with pytest.raises(ag.DataError) as caught:
        call()
    assert caught.value.code == code
