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


def test_gradients_and_lengths_are_refused():
    y, weights, x = make_model()
    with pytest.raises(ag.CarryError, match="K114"):
        ag.compile(ag.grad(ag.sum(y, over=(t, b)).sum(), [n for n in ag.Graph(y).inputs.values() if n.name != "x"]), carry=t)
    with pytest.raises(ag.CarryError, match="K121"):
        ag.compile(y, carry=True)(x=x, lengths={t: [3, 40, 5]}, **weights)


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
    step, carry = ag.stream([s, flag]), None
    for k in range(20):
        (now, chosen), carry = step(carry, **{name: value[k] for name, value in feeds.items()})
        np.testing.assert_allclose(now, whole[0][k], rtol=0, atol=1e-12)
        assert np.array_equal(chosen, whole[1][k])
    with pytest.raises(ag.FeedError, match=r"expected -1 … 19, as it is read at step 20 of t, got i\[0, 0, 0\] = 20"):
        step(carry, x=feeds["x"][0], i=feeds["i"][0] * 0 + 20)
    with pytest.raises(ag.CarryError, match="K122"):
        ag.compile(ag.grad(ag.sum(ag.sum(s), over=(t, b)), [x]), carry=t)
