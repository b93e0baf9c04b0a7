"""Lengths within lengths: words in sentences in documents, each sentence and each document of its own length.

The oracle is the same model written as loops over what is there, without any padding; complex steps through it are the
gradients (an imaginary part of 1e-30 is the derivative, to the last bit: Squire and Trapp 1998).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compare import difference

import autograd_seq as ag

w, s, b = ag.Axis("w"), ag.Axis("s"), ag.Axis("b")
N = 2
NAN = np.nan
WORDS = np.array([[3, 1, 4], [0, 2, 1], [2, 9, 4], [9, 9, 1]])  # by sentence and document; what is 9 is in no document
SENTENCES = np.array([3, 2, 4])
CLASSES = {"W": (N, N), "U": (N, N), "A": (N, N), "B": (N, N), "C": (N, N), "v": (N,), "d0": (N,)}


def model() -> tuple[ag.Node, list[ag.Node]]:
    """A reader of words both ways that begins each sentence with what it knows of the document so far."""
    x = ag.input("x", (N,), over=(w, s, b))
    p = {name: ag.param(name, shape) for name, shape in CLASSES.items()}
    d = ag.state("d", (N,), over=(s, b), init={s: p["d0"]})
    h = ag.state("h", (N,), over=(w, s, b), init={w: p["C"] @ d[s - 1]})
    h[w, s, b] = ag.tanh(p["W"] @ h[w - 1] + p["U"] @ x + 0.1)
    r = ag.state("r", (N,), over=(w, s, b))
    r[w, s, b] = ag.tanh(p["W"] @ r[w + 1] + h[w] * x + 0.2)
    weights = ag.softmax(ag.dot(r + 0.3, p["v"]), over=w)
    sentence = ag.sum(weights * h, over=w) + ag.at(r, w, 0, outside="zero") + 0.1 * ag.at(h, w, -1, outside="zero")
    d[s, b] = ag.tanh(p["A"] @ sentence + p["B"] @ d[s - 1])
    back = ag.state("back", (N,), over=(s, b))
    back[s, b] = 0.5 * back[s + 1] + d
    per_document = ag.sum(back * back, over=s) + ag.last(d, over=s) + ag.max(back, over=s)
    mean = ag.mean(ag.sum(h * r + 0.5, over=w), over=s)
    words = ag.sum(ag.mean(h + 1.0, over=(w, s)))
    loss = ag.sum(ag.sum(per_document * mean) + 0.1 * words, over=b).named("L")
    return loss, [sentence, d, per_document, mean, ag.sum(ag.size(w) * ag.cos(d), over=(s, b))]


def document(x: list[np.ndarray], p: dict[str, np.ndarray]) -> tuple[Any, list[np.ndarray], list[np.ndarray], Any, Any]:
    """The model on one document: a list of sentences, each of shape (words, N)."""
    sentences, ds, both, d = [], [], [], p["d0"]
    for xs in x:
        h, hs, r, rs = p["C"] @ d, [], np.zeros(N), []
        for x_w in xs:
            h = np.tanh(p["W"] @ h + p["U"] @ x_w + 0.1)
            hs.append(h)
        for h_w, x_w in zip(hs[::-1], xs[::-1], strict=True):
            r = np.tanh(p["W"] @ r + h_w * x_w + 0.2)
            rs.insert(0, r)
        e = [np.exp((r_w + 0.3) @ p["v"]) for r_w in rs]
        read = sum((e_w / sum(e) * h_w for e_w, h_w in zip(e, hs, strict=True)), np.zeros(N))
        read = read + (rs[0] + 0.1 * hs[-1] if hs else 0.0)
        d = np.tanh(p["A"] @ read + p["B"] @ d)
        sentences.append(read)
        ds.append(d)
        both.append((hs, rs))
    back, backs = np.zeros(N), []
    for d in ds[::-1]:
        back = 0.5 * back + d
        backs.insert(0, back)
    top = [max((v[i] for v in backs), key=lambda z: z.real) for i in range(N)]
    per = sum(v * v for v in backs) + ds[-1] + np.array(top)
    mean = sum(sum((h * r + 0.5 for h, r in zip(hs, rs, strict=True)), np.zeros(N)) for hs, rs in both) / len(x)
    words = [h + 1.0 for hs, _ in both for h in hs]
    loss = np.sum(per * mean) + 0.1 * np.sum(sum(words) / len(words))
    return loss, sentences, ds, per, mean


def documents(x: np.ndarray, p: dict[str, np.ndarray]) -> list[list[np.ndarray]]:
    return [[x[: WORDS[j, i], j, i] for j in range(SENTENCES[i])] for i in range(len(SENTENCES))]


def total(feeds: dict[str, np.ndarray]) -> Any:
    p = {name: feeds[name] for name in CLASSES}
    return sum(document(doc, p)[0] for doc in documents(feeds["x"], p))


def made(seed: int = 0) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Feeds, and the same with NaN wherever no word is."""
    rng = np.random.default_rng(seed)
    feeds = {name: rng.normal(size=shape) / 1.5 for name, shape in CLASSES.items()} | {"x": rng.normal(size=(4, 4, 3, N))}
    dirty = feeds["x"].copy()
    real = np.arange(4)[:, None, None] < np.where(np.arange(4)[:, None] < SENTENCES, WORDS, 0)
    dirty[~real] = NAN
    return feeds, {**feeds, "x": dirty}


LENGTHS: dict[Any, Any] = {w: WORDS, s: SENTENCES}


@pytest.mark.parametrize("way", ["unrolled", "compiled", "no passes", "native"])
def test_words_in_sentences_in_documents(way: str, in_python: None) -> None:
    loss, extras = model()
    wrt = [n for n in ag.Graph(loss).inputs.values() if n.dtype is float]
    outputs = [loss, *extras, *ag.grad(loss, wrt)]
    feeds, dirty = made()
    options = {"compiled": {}, "no passes": {"passes": ()}, "native": {"backend": "numba"}}
    run = ag.Graph(outputs).evaluate if way == "unrolled" else ag.compile(outputs, **options[way])
    with np.errstate(all="ignore"):  # native code that is run as Python warns, as it does not when it is compiled
        got = run(lengths=LENGTHS, **dirty)
    p = {name: feeds[name] for name in CLASSES}
    each = [document(doc, p) for doc in documents(feeds["x"], p)]
    assert difference(got[0], np.asarray(total(feeds))) <= 1e-13
    want = [np.zeros((4, 3, N)), np.zeros((4, 3, N)), np.zeros((3, N)), np.zeros((3, N))]
    for i, (_, sentences, ds, per, mean) in enumerate(each):
        want[0][: len(ds), i], want[1][: len(ds), i], want[2][i], want[3][i] = sentences, ds, per, mean
    for a, b_ in zip(got[1:5], want, strict=True):
        assert difference(a, b_) <= 1e-13
    counted = [(n, d) for i, (_, _, ds, *_) in enumerate(each) for n, d in zip(WORDS[:, i], ds, strict=False)]
    assert np.allclose(got[5], np.sum([n * np.cos(d) for n, d in counted], axis=0), rtol=1e-13)
    for node, g in zip(wrt, got[1 + len(extras) :], strict=True):
        numeric = np.zeros(feeds[node.name].shape)
        for at in np.ndindex(*numeric.shape):
            moved = {**feeds, node.name: feeds[node.name].astype(complex)}
            moved[node.name][at] += 1e-30j
            numeric[at] = np.imag(total(moved)) / 1e-30
        assert difference(g, numeric) <= 1e-12, node.name


@pytest.mark.parametrize("lengths", [
    {s: SENTENCES, w: WORDS}, {"w": WORDS, "s": SENTENCES}, {(w, s, b): WORDS, (s, b): SENTENCES},
    {(w, b, s): WORDS.T, s: SENTENCES},
])  # fmt: skip
def test_lengths_are_told_in_any_order(lengths: Any) -> None:
    loss, _ = model()
    feeds, dirty = made()
    (value,) = ag.compile(loss)(lengths=lengths, **dirty)
    assert difference(value, np.asarray(total(feeds))) <= 1e-13


def test_what_is_padding_needs_no_words() -> None:
    """A sentence that is there needs a last word; one that is not needs none, whatever is said of it."""
    x = ag.input("x", over=(w, s, b))
    f = ag.compile(ag.sum(ag.last(x + 1.0, over=w) + ag.max(x, over=w), over=(s, b)))
    data = np.arange(8.0).reshape(2, 2, 2)
    (value,) = f(x=data, lengths={w: [[2, 1], [0, 1]], s: [1, 2]})
    assert value == (5 + 4) + (2 + 1) + (4 + 3)
    with pytest.raises(ag.AxisError, match="A207"):
        f(x=data, lengths={w: [[2, 1], [0, 1]], s: [2, 2]})
    with pytest.raises(ag.FeedError, match="at most 2, got 5"):
        f(x=data, lengths={w: [[2, 5], [9, 1]], s: [1, 2]})


def test_documents_in_pieces_of_sentences() -> None:
    """Carried from sentence to sentence, each document from its own end."""
    x = ag.input("x", (N,), over=(w, s, b))
    d = ag.state("d", (N,), over=(s, b))
    h = ag.state("h", (N,), over=(w, s, b), init={w: 0.5 * d[s - 1]})
    h[w, s, b] = ag.tanh(ag.param("W", (N, N)) @ h[w - 1] + x)
    d[s, b] = ag.tanh(ag.at(h, w, -1, outside="zero") + d[s - 1])
    feeds, dirty = made(1)
    given = {"W": feeds["W"], "x": dirty["x"]}
    (whole,) = ag.compile(d)(lengths=LENGTHS, **given)
    f, carry = ag.compile(d, carry=s), None
    for first, stop in ((0, 2), (2, 4)):
        here = np.clip(SENTENCES - first, 0, stop - first)
        (got,), carry = f(carry=carry, W=given["W"], x=given["x"][:, first:stop],
                          lengths={w: WORDS[first:stop], s: here})  # fmt: skip
        for i, n in enumerate(here):
            assert difference(got[:n, i].copy(), whole[first : first + n, i].copy()) <= 1e-14


@pytest.mark.parametrize(("make", "what"), [
    (lambda x: x[s - 1] * 1.0, "x[s - 1] reads x"), (lambda x: ag.at(x, s, 0), "reads x"),
    (lambda x: x.along(s, ag.Axis("k")), "reads x"),
])  # fmt: skip
def test_words_of_another_sentence_are_not_read(make: Any, what: str) -> None:
    """There may be none at this place."""
    x = ag.input("x", over=(w, s))
    f = ag.compile(ag.sum(make(x), over=w))
    with pytest.raises(ag.AxisError, match="A301") as caught:
        f(x=np.ones((3, 2)), lengths={w: [1, 3]})
    assert what in str(caught.value) and "where w has another length" in str(caught.value)
    f(x=np.ones((3, 2)), lengths={w: 2})


def test_lengths_do_not_vary_over_each_other() -> None:
    f = ag.compile(ag.sum(ag.input("x", over=(w, s)), over=(w, s)))
    with pytest.raises(ag.AxisError, match="A311") as caught:
        f(x=np.ones((2, 2)), lengths={(w, s): [1, 2], (s, w): [1, 2]})
    assert "lengths of w and of s that vary over one another" in str(caught.value)


@pytest.mark.parametrize(("over", "lengths"), [
    ((w, s), {w: [[0, 1], [2, 1]], s: [1, 2]}), ((w, s, b), {w: [[0, 0], [2, 2]], s: [1, 1]}),
    ((w, b), {w: [[1, 0], [0, 0]], s: [2, 1]}),
])  # fmt: skip
def test_padding_is_no_sentence_to_choose_from(over: Any, lengths: Any) -> None:
    """A document whose sentences have no words has no largest word, however many sentences are padded."""
    f = ag.compile(ag.max(ag.input("x", over=(w, s, b)), over=over))
    with pytest.raises(ag.AxisError, match="A208"):
        f(x=np.ones((2, 2, 2)), lengths=lengths)


def test_a_sum_over_sequences_has_the_steps_of_the_longest() -> None:
    f = ag.compile(ag.at(ag.sum(ag.input("x", over=(w, b)), over=b), w, 0))
    assert f(x=np.ones((2, 2)), lengths={w: [0, 2]})[0] == 1.0
    with pytest.raises(ag.AxisError, match="A207"):
        f(x=np.ones((2, 2)), lengths={w: [0, 0]})
