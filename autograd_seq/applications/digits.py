"""Handwritten digits, read row by row, as an eye that scans a page: which of ten is it?

    h_t = GRU(x_t, h_{t-1})      y = softmax(V h_T + c)      L = mean of -log y_l

x_t holds the eight pixels of row t; the network answers after the last row, and has to remember those before. Of 1,797 digits
by 43 people the first 1,000 train and the next 257 say when to stop; trained again for as long on both, with a fifth of the
pixels blotted out at random, the network is scored on the last 540, which other hands wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

import autograd_seq as ag
from autograd_seq.applications.baselines import classify
from autograd_seq.applications.data_files import read_package_text
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import Feeds, draw_batches, make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

HIDDEN, STEPS, BATCH, TRAIN, TEST = 64, 500, 50, 1000, 540


def load() -> tuple[np.ndarray, np.ndarray]:
    """Return pictures, (N, 8, 8) from 0 to 1, and labels, (N,)."""
    lines = read_package_text("scikit-learn", "datasets/data/digits.csv.gz").splitlines()
    table = np.array([[float(field) for field in line.split(",")] for line in lines])
    return table[:, :64].reshape(-1, 8, 8) / 16, table[:, 64].astype(int)


def build(thin: float = 0.0) -> tuple[ag.Node, ag.Node]:
    """Return the loss and the logits after the last row; ``thin`` is the share of pixels that training blots out."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x, l = ag.input("x", (8,), over=(t, b)), ag.input("l", over=b, dtype=int)
    h = ag.nn.gru(ag.nn.dropout("pixels", x, thin, over=(t, b)), HIDDEN, over=t, name="cell")
    y = ag.param("V", (10, HIDDEN)) @ ag.nn.dropout("units", ag.last(h, over=t), 1.5 * thin, over=b) + ag.param("c", (10,))
    return ag.mean(ag.cross_entropy(y, l), over=b), y


def run(budget: Budget) -> Outcome:
    """Train, and score beside logistic regression on the last row and on all pixels."""
    pictures, labels = load()
    rows, place = pictures.transpose(1, 0, 2), np.arange(len(labels))  # (8, N, 8): time first
    test, late = place >= len(labels) - TEST, (place >= TRAIN) & (place < len(labels) - TEST)

    def draw(chosen: np.ndarray) -> Callable[[int], Iterable[Feeds]]:
        order = draw_batches(BATCH, {"n": place[chosen]}, axis=0)
        return lambda seed: ({"x": rows[:, part["n"]], "l": labels[part["n"]]} for part in order(seed))

    judge, y = build()
    nets = train_seeds(
        build(0.2)[0], draw(~(test | late)), {"x": rows[:, late], "l": labels[late]}, budget, steps=STEPS, every=50,
        whole=draw(~test), judge=judge, description="digits",
    )  # fmt: skip
    predict, truth = make_predictor(y), labels[test]
    guesses = [np.argmax(predict(net.params, x=rows[:, test]), axis=1) for net in nets]
    baselines = {
        "logistic regression, last row": classify(pictures[:, 7], labels, ~test)[test],
        "logistic regression, all pixels": classify(pictures.reshape(-1, 64), labels, ~test)[test],
    }
    wrong = np.flatnonzero(guesses[0] != truth)[:8]
    picture = import_viz().plots.images(
        {f"{i + 1}: {truth[k]} read as {guesses[0][k]}": pictures[test][k] for i, k in enumerate(wrong)},
        title="Digits that the GRU misreads",
    )  # fmt: skip
    return Outcome(
        {name: float(np.mean(guess == truth)) for name, guess in baselines.items()}, f"GRU, {HIDDEN} units",
        [float(np.mean(guess == truth)) for guess in guesses], picture,
    )  # fmt: skip


APPLICATION = Application(
    "handwritten digits, row by row", "share of digits read correctly", "UCI, Alpaydin & Kaynak, in scikit-learn; CC BY 4.0",
    run, ("scikit-learn",), higher=True,
)  # fmt: skip
