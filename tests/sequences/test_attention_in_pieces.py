"""Causal attention in pieces and step by step: rows of earlier steps are kept in an array that grows."""

import numpy as np
import pytest

import autograd_seq as ag

t, b, u = ag.Axis("t"), ag.Axis("b"), ag.Axis("u")


def make_model(seed=0):
    """Return a causal Transformer of two layers, its parameters, and feeds of 40 steps."""
    x = ag.input("x", (4,), over=(t, b))
    y = ag.nn.transformer_encoder(x, 2, 6, 2, over=t, causal=True)
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(size=n.shape) * 0.5 for name, n in ag.Graph(y).inputs.items() if name != "x"}
    return y, weights, rng.normal(size=(40, 3, 4))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_pieces_equal_the_whole(backend):
    if backend == "numba":
        pytest.importorskip("numba")
    y, weights, x = make_model()
    (whole,) = ag.compile(y)(x=x, **weights)
    program, carry, parts = ag.compile(y, carry=True, backend=backend), None, []
    for piece in np.split(x, [7, 8, 30]):
        (part,), carry = program(x=piece, carry=carry, **weights)
        parts.append(part)
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=1e-12)


def test_the_unrolled_graph_goes_on():
    y, weights, x = make_model()
    carry, parts = True, []
    for piece in (x[:2], x[2:3], x[3:6]):
        (part,), carry = ag.Graph(y).evaluate(x=piece, carry=carry, **weights)
        parts.append(part)
    np.testing.assert_allclose(np.concatenate(parts), ag.compile(y)(x=x[:6], **weights)[0], rtol=0, atol=1e-12)


def test_a_stream_branches_and_takes_beams():
    y, weights, x = make_model()
    (whole,), step, carry = ag.compile(y)(x=x, **weights), ag.stream(y).bind(**weights), None
    for k in range(20):
        (now,), carry = step(carry, x=x[k])
        np.testing.assert_allclose(now, whole[k], rtol=0, atol=1e-12)
    kept, order = carry, [2, 0, 0, 1]
    beams = carry.take(b, order)
    _, other = step(kept, x=x[k] + 9.0)
    for k in range(20, 40):
        (now,), carry = step(carry, x=x[k])
        (beam,), beams = step(beams, x=x[k][order])
        _, other = step(other, x=x[k] - 9.0)
        np.testing.assert_allclose(now, whole[k], rtol=0, atol=1e-12)
        np.testing.assert_allclose(beam, whole[k][order], rtol=0, atol=1e-12)


def reads(mask=None, fill=0.0):
    x = ag.input("x", over=t)
    k = x.along(t, u)
    return ag.sum(x * k if mask is None else ag.where(mask, x * k, fill), over=u)


early, late = ag.index(u), ag.index(t)


@pytest.mark.parametrize("mask", [
    early <= late, early < late, late >= early, late - early >= 0, early - late < 1, ~(early > late), early == late,
    ag.logical_and(early <= late, late - early < 5), ag.logical_not(ag.logical_or(early > late, late - early > 3)),
])  # fmt: skip
def test_masks_that_hide_later_steps(mask):
    x, y = np.random.default_rng(1).normal(size=24), reads(mask)
    step, carry, found = ag.stream(y), None, []
    for value in x:
        (now,), carry = step(carry, x=value)
        found.append(now)
    np.testing.assert_allclose(found, ag.compile(y)(x=x)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("mask", "fill"), [
    (None, 0.0), (early >= late, 0.0), (early <= late, 1.0), (early <= late + 1, 0.0), (late - early < 5, 0.0),
    (early - late < 2, 0.0), (early != late, 0.0), (ag.logical_or(early <= late, late < 3), 0.0), (early < 7, 0.0),
])  # fmt: skip
def test_masks_that_do_not(mask, fill):
    with pytest.raises(ag.CarryError, match=r"(?s)K114.*reads all steps of t.*a mask that hides steps of u after that of t"):
        ag.stream(reads(mask, fill), over=t)


@pytest.mark.parametrize("reduce", [ag.mean, ag.max, ag.min, lambda y, over: ag.last(y, over=over)])
def test_reductions_that_see_what_is_hidden(reduce):
    x = ag.input("x", over=t)
    with pytest.raises(ag.CarryError, match="K114"):
        ag.stream(reduce(ag.where(early <= late, x.along(t, u), 0.0), over=u), over=t)


def test_what_is_summed_over_steps_is_seen():
    x = ag.input("x", over=t)
    columns = ag.sum(ag.where(early <= late, x * x.along(t, u), 0.0), over=t)
    with pytest.raises(ag.CarryError, match="K114"):
        ag.stream(x * ag.sum(columns, over=u), over=t)


def test_gradients_are_refused():
    y, *_ = make_model()
    with pytest.raises(ag.CarryError, match="K114"):
        ag.compile(ag.grad(ag.sum(y, over=(t, b)).sum(), [n for n in ag.Graph(y).inputs.values() if n.name != "x"]), carry=t)
    with pytest.raises(ag.CarryError, match=r"(?s)K115.*reads all steps of others, as attention does.*gradients of whole seq"):
        ag.value_and_grad(ag.sum(ag.sum(y * y), over=(t, b)), carry=t)


def run_ragged(run, plan, feeds, padding, whole):
    """Run pieces of which each sequence has its own number of steps, compare them with the whole, and return the carry."""
    carry, at = None, np.zeros(len(plan[0]), int)
    for lengths in plan:
        spans = [(k, n, slice(start, start + n)) for k, (start, n) in enumerate(zip(at, lengths, strict=True))]
        piece = {
            name: np.full((max(lengths) + 1, *value.shape[1:]), padding[name], value.dtype) for name, value in feeds.items()
        }
        for name, value in feeds.items():
            for k, n, span in spans:
                piece[name][:n, k] = value[span, k]
        found, carry = run(lengths={t: lengths}, carry=carry, **piece)
        for got, want in zip(found, whole, strict=True):
            for k, n, span in spans:
                np.testing.assert_allclose(got[:n, k], want[span, k], rtol=0, atol=1e-12)
                assert not np.any(got[n:, k])
        at = at + lengths
    assert list(carry.steps) == list(at)
    return carry


UNEVEN = [[3, 0, 5], [1, 7, 2], [0, 0, 1], [6, 9, 2], [12, 1, 1], [3, 3, 3]]


def test_sequences_of_different_lengths_go_on():
    y, weights, x = make_model()
    whole, program = ag.compile(y)(x=x, **weights), ag.compile(y, carry=True)
    carry = run_ragged(lambda **fed: program(**fed, **weights), UNEVEN, {"x": x}, {"x": np.nan}, whole)
    step = ag.stream(y).bind(**weights)
    for order in ([0, 1, 2], [2, 0, 0, 1]):
        other = carry if len(order) == 3 else carry.take(b, order)
        for _ in range(3):
            (now,), left = step(other, x=x[other.steps, order])
            np.testing.assert_allclose(now, whole[0][other.steps, order], rtol=0, atol=1e-12)
            other = left
    short = {"x": x[:12]}
    run_ragged(lambda **fed: ag.Graph(y).evaluate(**fed, **weights), UNEVEN[:2], short, {"x": np.nan}, [whole[0][:12]])


@pytest.mark.parametrize("mask", [early <= late, (early <= late) & (late - early < 5), (early < late) & (early + 2 >= late)])
def test_each_sequence_has_a_window_of_its_own(mask):
    values, x = np.random.default_rng(1).normal(size=(60, 3)), ag.input("x", over=(t, b))
    y = ag.sum(ag.where(mask, x * x.along(t, u) + ag.index(u), 0.0), over=u)
    (whole,), program = ag.compile(y)(x=values), ag.compile(y, carry=True)
    carry = run_ragged(program, UNEVEN, {"x": values}, {"x": np.nan}, [whole])
    for kept in (carry, ag.Carry(dict(carry), carry.steps), carry):  # the last one no longer has the newest rows
        for _ in range(2):
            at = kept.steps
            (now,), kept = program(x=np.stack([values[at + k, [0, 1, 2]] for k in range(9)]), carry=kept)
            np.testing.assert_allclose(now, np.stack([whole[at + k, [0, 1, 2]] for k in range(9)]), rtol=0, atol=1e-12)
    _, carry = program(x=values[:7])  # all sequences are equally long
    for start, steps, lengths in ((7, 3, 3), (10, 2, [2, 2, 2])):
        (now,), carry = program(x=values[start : start + 5], lengths={t: lengths}, carry=carry)
        np.testing.assert_allclose(now[:steps], whole[start : start + steps], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("mask", "window"), [
    (ag.logical_and(early <= late, late - early < 5), 5), ((early <= late) & (early > late - 3), 3),
    ((early <= late) & (early >= late - 3), 4), ((early < late) & (early + 2 >= late), 3), (early == late, None),
    ((early <= late) & ((late - early < 5) | (early < 2)), None),
])  # fmt: skip
def test_a_window_keeps_as_many_rows(mask, window):
    """Whatever the pieces are; an earlier carry goes on as it was."""
    x = np.random.default_rng(1).normal(size=90)
    program = ag.compile(reads(mask), carry=True)
    (whole,) = ag.compile(reads(mask))(x=x)
    carry, found, kept = None, [], None
    for k, piece in enumerate(np.split(x, [1, 2, 3, 20, 21, 30, 31, 32, 33, 60])):
        (part,), carry = program(x=piece, carry=carry)
        found.append(part)
        kept = carry if k == 3 else kept
        (rows,) = carry.values()
        assert len(rows) == (carry.steps if window is None else min(carry.steps, window))
        assert window is None or len(next(iter(carry.buffers.values())).array) <= 2 * (window + 30)
    np.testing.assert_allclose(np.concatenate(found), whole, rtol=0, atol=1e-12)
    np.testing.assert_allclose(program(x=x[20:40], carry=kept)[0][0], whole[20:40], rtol=0, atol=1e-12)
    restored = ag.Carry(dict(kept), kept.steps)
    np.testing.assert_allclose(program(x=x[20:40], carry=restored)[0][0], whole[20:40], rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_earlier_steps_are_read_by_value_in_pieces(backend, in_python):
    x, i = ag.input("x", (2,), over=(t, b)), ag.input("i", (2,), over=(t, b), dtype=int)
    s = ag.state("s", (2,), over=(t, b))
    s[t] = ag.sin(x + 0.3 * ag.sum(ag.take(s, i, over=t, earlier=True), axis=0) + 0.1 * s[t - 1])
    flag = ag.take(ag.sum(x) > 0, i[0], over=t, earlier=True)
    rng = np.random.default_rng(0)
    feeds = {"x": rng.normal(size=(20, 3, 2)), "i": rng.integers(-1, np.arange(20)[:, None, None], (20, 3, 2))}
    whole = ag.compile([s, flag], backend="numpy")(**feeds)
    for cuts in ([1, 2, 3, 12], range(1, 20)):
        program, carry, parts = ag.compile([s, flag], carry=True, backend=backend), None, []
        for piece in zip(*[np.split(value, cuts) for value in feeds.values()], strict=True):
            part, carry = program(**dict(zip(feeds, piece, strict=True)), carry=carry)
            parts.append(part)
        for found, want in zip(zip(*parts, strict=True), whole, strict=True):
            np.testing.assert_allclose(np.concatenate(found), want, rtol=0, atol=1e-12)
    uneven, padding = [[3, 0, 5], [1, 7, 2], [9, 4, 6], [1, 1, 1]], {"x": np.nan, "i": 99}
    run_ragged(ag.compile([s, flag], carry=True, backend=backend), uneven, feeds, padding, whole)
    step, carry = ag.stream([s, flag]), None
    for k in range(20):
        (now, chosen), carry = step(carry, **{name: value[k] for name, value in feeds.items()})
        np.testing.assert_allclose(now, whole[0][k], rtol=0, atol=1e-12)
        assert np.array_equal(chosen, whole[1][k])
    with pytest.raises(ag.FeedError, match=r"expected -1 … 19, as it is read at step 20 of t, got i\[0, 0, 0\] = 20"):
        step(carry, x=feeds["x"][0], i=feeds["i"][0] * 0 + 20)
    with pytest.raises(ag.CarryError, match="K123"):
        ag.compile(ag.grad(ag.sum(ag.sum(s), over=(t, b)), [x]), carry=t)
