"""Sums and maxima over paths, against lists of all paths; CTC against PyTorch's where it is installed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import nn

T, K = 4, 3
t, u, b = ag.Axis("t"), ag.Axis("u"), ag.Axis("b")


def draw(steps: int = T, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"e": rng.normal(size=(steps, K)), "A": rng.normal(size=(K, K)), "s": rng.normal(size=K)}


def list_paths(e: np.ndarray, A: np.ndarray, s: np.ndarray) -> dict[tuple[int, ...], float]:
    """The score of every path."""
    found = {}
    for path in itertools.product(range(K), repeat=len(e)):
        moves = sum(A[i, j] for i, j in itertools.pairwise(path))
        found[path] = s[path[0]] + moves + sum(e[k, state] for k, state in enumerate(path))
    return found


def leaves(over: Any = t) -> tuple[ag.Node, ag.Node, ag.Node]:
    return ag.input("e", (K,), over=over), ag.param("A", (K, K)), ag.param("s", (K,))


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_sum_over_all_paths_and_the_probabilities_of_states(steps: int) -> None:
    e, A, s = leaves()
    total = nn.sum_paths(e, A, over=t, start=s)
    v = draw(steps)
    scores = list_paths(**v)
    log_z, posterior, moves = ag.Graph(total, *ag.grad(total, [e, A])).evaluate(**v)
    assert float(log_z) == pytest.approx(np.log(np.sum(np.exp([*scores.values()]))), rel=1e-12)
    p = {path: np.exp(score - float(log_z)) for path, score in scores.items()}
    want = [[sum(w for path, w in p.items() if path[k] == i) for i in range(K)] for k in range(steps)]
    np.testing.assert_allclose(posterior, want, rtol=1e-10)
    pairs = [[sum(w * sum((a, c) == (i, j) for a, c in itertools.pairwise(q)) for q, w in p.items()) for j in range(K)]
             for i in range(K)]  # fmt: skip
    np.testing.assert_allclose(moves, pairs, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_best_path(steps: int) -> None:
    e, A, s = leaves()
    graph = ag.Graph(*nn.best_path(e, A, over=t, start=s))
    for seed in range(5):
        v = draw(steps, seed)
        v = {name: np.round(value) for name, value in v.items()} if seed > 2 else v  # then several paths are equally good
        scores = list_paths(**v)
        truth = max(scores, key=lambda path: (scores[path], [-k for k in path[::-1]]))
        for score, path in (graph.evaluate(**v), ag.compile(graph, backend="numpy")(**v)):
            assert float(score) == pytest.approx(scores[truth]) and tuple(path) == truth


def test_the_loss_of_a_crf_is_a_probability() -> None:
    e, A, s = leaves()
    y = ag.input("y", over=t, dtype=int)
    loss = ag.Graph(nn.crf_loss(e, A, y, over=t, start=s))
    v = draw()
    total = sum(np.exp(-float(loss.evaluate(**v, y=path)[0])) for path in itertools.product(range(K), repeat=T))
    assert total == pytest.approx(1.0, rel=1e-12)
    ag.check_grad(loss.outputs[0], [e, A, s], {**v, "y": [0, 2, 1, 1]}, tol=1e-8)


def test_a_padded_batch_of_crfs_is_each_by_itself() -> None:
    e, A, s = leaves((t, b))
    y = ag.input("y", over=(t, b), dtype=int)
    loss = nn.crf_loss(e, A, y, over=t, start=s)
    lengths, v = [4, 1, 3], draw()
    es, ys = np.random.default_rng(2).normal(size=(4, 3, K)), np.random.default_rng(3).integers(0, K, (4, 3))
    got = ag.compile(loss, backend="numpy")(e=es, y=ys, A=v["A"], s=v["s"], lengths={t: lengths})[0]
    for k, n in enumerate(lengths):
        scores = list_paths(es[:n, k], v["A"], v["s"])
        want = np.log(np.sum(np.exp([*scores.values()]))) - scores[tuple(ys[:n, k])]
        assert got[k] == pytest.approx(want, rel=1e-11)


def read_as(path: tuple[int, ...]) -> tuple[int, ...]:
    """Merge what is repeated, then remove blanks."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)


@pytest.mark.parametrize("labels", [[], [1], [1, 2], [1, 1], [2, 1, 2]])
def test_ctc_is_the_sum_over_all_paths_that_read_as_the_labels(labels: list[int]) -> None:
    p = ag.input("p", (K,), over=t)
    loss = nn.ctc_loss(p, ag.input("l", over=u, dtype=int), over=t, labels_over=u)
    z = np.random.default_rng(1).normal(size=(T, K))
    logp = z - np.log(np.exp(z).sum(-1, keepdims=True))
    want = sum(np.exp(sum(logp[k, c] for k, c in enumerate(path)))
               for path in itertools.product(range(K), repeat=T) if read_as(path) == tuple(labels))  # fmt: skip
    feeds = {"p": logp, "l": nn.add_blanks(labels)}
    assert float(ag.Graph(loss).evaluate(**feeds)[0]) == pytest.approx(-np.log(want), rel=1e-10)
    assert float(ag.compile(loss, backend="numpy")(**feeds)[0]) == pytest.approx(-np.log(want), rel=1e-10)
    ag.check_grad(loss, [p], feeds, tol=1e-7)


def test_labels_that_do_not_fit_are_impossible() -> None:
    """Two of the same need a blank between them: three steps at least."""
    loss = nn.ctc_loss(ag.input("p", (K,), over=t), ag.input("l", over=u, dtype=int), over=t, labels_over=u)
    p = np.log(np.full((2, K), 1 / K))
    assert np.isinf(ag.Graph(loss).evaluate(p=p, l=nn.add_blanks([1, 1]))[0])


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_ctc_of_a_padded_batch_is_that_of_pytorch(zero_infinity: bool) -> None:
    """With an empty target, and without steps; and, where they count nothing, with targets that do not fit."""
    torch = pytest.importorskip("torch")
    steps, labels, classes = [7, 5, 6, 0], [[1, 2, 2], [3], [], []], 4
    if zero_infinity:
        steps, labels = [*steps, 2, 1, 0], [*labels, [3, 3], [1, 2], [1]]
    z = np.random.default_rng(0).normal(size=(7, len(steps), classes))
    z_ = torch.tensor(z, requires_grad=True)
    flat, sizes = torch.tensor([c for row in labels for c in row]), torch.tensor([len(row) for row in labels])
    options: dict[str, Any] = {"reduction": "none", "zero_infinity": zero_infinity}
    want = torch.nn.functional.ctc_loss(z_.log_softmax(-1), flat, torch.tensor(steps), sizes, **options)
    want.sum().backward()
    x = ag.input("z", (classes,), over=(t, b))
    padded, l = np.zeros((7, len(steps)), np.int64), ag.input("l", over=(u, b), dtype=int)
    loss = nn.ctc_loss(ag.log_softmax(x), l, over=t, labels_over=u, zero_infinity=zero_infinity)
    for k, row in enumerate(labels):
        padded[: 2 * len(row) + 1, k] = nn.add_blanks(row)
    program = ag.compile([loss, ag.grad(ag.sum(loss, over=b), x)], backend="numpy")
    got, grad = program(z=z, l=padded, lengths={t: steps, u: [2 * len(row) + 1 for row in labels]})
    np.testing.assert_allclose(got, want.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(grad, z_.grad.numpy(), rtol=1e-8, atol=1e-11)


def test_labels_that_do_not_fit_may_count_nothing() -> None:
    """With zero_infinity the loss and its gradient are 0 there, as PyTorch has it; the others of a batch keep theirs."""
    x, labels = ag.input("z", (K,), over=(t, b)), ag.input("l", over=(u, b), dtype=int)
    loss = nn.ctc_loss(ag.log_softmax(x), labels, over=t, labels_over=u, zero_infinity=True)
    z = np.random.default_rng(0).normal(size=(2, 2, K))
    padded = np.stack([nn.add_blanks([1, 1]), nn.add_blanks([1, 2])], axis=1)
    graph = ag.Graph(loss, ag.grad(ag.sum(loss, over=b), x))
    for values, slopes in (graph.evaluate(z=z, l=padded), ag.compile(graph, backend="numpy")(z=z, l=padded)):
        assert values[0] == 0 and values[1] > 0
        assert not slopes[:, 0].any() and np.isfinite(slopes).all() and slopes[:, 1].all()


def test_drawn_paths_have_their_probabilities() -> None:
    """Of a padded batch, so that paths of several lengths are drawn at once."""
    e, A, s = leaves((t, b))
    path = ag.compile(nn.draw_path("path", e, A, over=t, start=s), backend="numpy")
    v, lengths, count = draw(3), [3, 1, 2], 2500
    which = np.repeat(lengths, count)
    es = np.repeat(v["e"][:, None], len(which), axis=1)
    found = path(e=es, A=v["A"], s=v["s"], lengths={t: which}, seed=1)[0]
    for n in lengths:
        scores = list_paths(v["e"][:n], v["A"], v["s"])
        want = np.exp([*scores.values()])
        codes = found[:n, which == n].T @ K ** np.arange(n)[::-1]
        np.testing.assert_allclose(np.bincount(codes, minlength=K**n) / count, want / want.sum(), atol=0.03)


def test_an_hmm_draws_what_it_scores() -> None:
    """States from the chain itself, symbols given the states; how often a string comes is its likelihood."""
    rng, count = np.random.default_rng(0), 4000
    A, B, pi = (np.log(rng.dirichlet(np.ones(2), size=n).squeeze()) for n in (2, 2, 1))
    nothing = ag.input("nothing", (2,), over=(t, b))
    states = nn.draw_path("states", nothing, ag.constant(A), over=t, start=pi)
    seen = ag.categorical("seen", ag.take(ag.constant(B), states), over=(t, b))
    drawn = ag.compile(seen, backend="numpy")(nothing=np.zeros((2, count, 2)), seed=3)[0]
    y = ag.input("y", over=t, dtype=int)
    score = ag.Graph(nn.sum_paths(ag.take(ag.constant(B.T), y), ag.constant(A), over=t, start=pi))
    want = [np.exp(float(score.evaluate(y=string)[0])) for string in itertools.product(range(2), repeat=2)]
    assert sum(want) == pytest.approx(1.0)
    np.testing.assert_allclose(np.bincount(drawn[0] * 2 + drawn[1], minlength=4) / count, want, atol=0.03)


def test_paths_read_as_labels() -> None:
    for path in itertools.product(range(K), repeat=4):
        assert tuple(nn.read_labels(path)) == read_as(path)
    assert nn.read_labels([2, 0, 2, 2], blank=2) == [0]


def test_a_label_must_be_a_class() -> None:
    loss = nn.ctc_loss(ag.input("p", (K,), over=t), ag.input("l", over=u, dtype=int), over=t, labels_over=u)
    with pytest.raises(ag.FeedError, match="l is out of range"):
        ag.Graph(loss).evaluate(p=np.zeros((4, K)), l=nn.add_blanks([K]))


def test_labels_without_blanks_have_no_loss() -> None:
    loss = ag.Graph(nn.ctc_loss(ag.input("p", (K,), over=t), ag.input("l", over=u, dtype=int), over=t, labels_over=u))
    for labels in ([1, 2], [1, 2, 1], [0, 1, 0, 1]):
        assert np.isnan(loss.evaluate(p=np.zeros((4, K)), l=labels)[0])


def test_transitions_may_change_from_step_to_step_and_from_chain_to_chain() -> None:
    e, A = ag.input("e", (K,), over=t), ag.input("A", (K, K), over=(t, b))
    graph = ag.Graph(nn.sum_paths(e, A, over=t), *nn.best_path(e, A, over=t))
    es, As = draw(3)["e"], np.random.default_rng(1).normal(size=(3, 2, K, K))
    totals, best, paths = graph.evaluate(e=es, A=As)
    for k in range(2):
        scores = {
            path: sum(es[i, s] for i, s in enumerate(path)) + sum(As[i, k, path[i - 1], path[i]] for i in (1, 2))
            for path in itertools.product(range(K), repeat=3)
        }
        truth = max(scores, key=lambda path: scores[path])
        assert totals[k] == pytest.approx(np.log(np.sum(np.exp([*scores.values()]))))
        assert best[k] == pytest.approx(scores[truth]) and tuple(paths[:, k]) == truth


def test_two_chains_in_one_model() -> None:
    e, A, s = leaves()
    both = ag.Graph(nn.sum_paths(e, A, over=t) + nn.sum_paths(2 * e, A, over=t, start=s))
    v = draw()
    one, two = list_paths(v["e"], v["A"], 0 * v["s"]), list_paths(2 * v["e"], v["A"], v["s"])
    want = sum(np.log(np.sum(np.exp([*scores.values()]))) for scores in (one, two))
    assert float(both.evaluate(**v)[0]) == pytest.approx(want)


def test_refusals() -> None:
    e, A, _ = leaves()
    for call, code in (
        (lambda: nn.sum_paths(ag.param("e", (K,)), A, over=t), "N141"),
        (lambda: nn.sum_paths(e, ag.param("B", (K, 2)), over=t), "N142"),
        (lambda: nn.ctc_loss(e, ag.input("l", dtype=int), over=t, labels_over=u), "N140"),
        (lambda: nn.ctc_loss(e, ag.input("l", over=u, dtype=int), over=t, labels_over=u, blank=K), "N149"),
        (lambda: nn.score_path(e, A, ag.input("y", over=t, dtype=int), over=t, start=ag.param("s", (K + 1,))), "N142"),
        (lambda: nn.best_path(e, A, over=t, start=[0.0, 1.0]), "N142"),
        (lambda: nn.draw_path("p", ag.param("e", (K,)), A, over=t), "N141"),
        (lambda: nn.score_path(e, A, ag.input("y", over=t), over=t), "N157"),
        (lambda: nn.ctc_loss(ag.input("e", over=t), ag.input("l", over=u, dtype=int), over=t, labels_over=u), "N102"),
        (lambda: nn.crf_loss(e, A, over=t), "O135"),
        (lambda: nn.ctc_loss(ag.softmax(e), ag.input("l", over=u, dtype=int), over=t, labels_over=u), "N160"),
        (lambda: nn.add_blanks([1, 0, 2]), "N154"),
        (lambda: nn.add_blanks("abc"), "N156"),
        (lambda: nn.add_blanks([1], blank="_"), "N149"),
        (lambda: nn.read_labels([[0, 1]]), "N155"),
        (lambda: nn.read_labels([0.2, 1.5]), "N156"),
    ):
        with pytest.raises(ag.AutogradSeqError) as caught:
            call()
        assert caught.value.code == code
