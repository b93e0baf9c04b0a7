"""Who is speaking? Nine men say the Japanese vowels /ae/.

    f_t = GRU(x_t, f_{t-1})      b_t = GRU(x_t, b_{t+1})      y = softmax(V [mean f_t; mean b_t] + c)      L = mean of -log y_l

x_t holds 12 cepstrum coefficients of one frame, every 6.4 ms; an utterance has 7 to 29 of them, and the same weights read all.
Of the 30 training utterances of each man the last six say when to stop; trained again for as long on all 30, with a share of
the units left out at random, the network is scored on the 370 that were recorded at other times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

import autograd_seq as ag
from autograd_seq.applications.baselines import classify
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import Feeds, draw_batches, make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

HIDDEN, STEPS, BATCH, EACH, LATE = 64, 400, 45, 30, 6
T, B = ag.Axis("t"), ag.Axis("b")


def build(thin: float = 0.0) -> tuple[ag.Node, ag.Node]:
    """Return the loss and the logits; ``thin`` is the share of units that training leaves out."""
    x, l = ag.input("x", (12,), over=(T, B)), ag.input("l", over=B, dtype=int)
    seen = ag.nn.dropout("frames", x, 0.3 * thin, over=B)
    h = ag.concat([ag.nn.gru(seen, HIDDEN, over=T, name="f"), ag.nn.gru(seen, HIDDEN, over=T, name="b", reverse=True)])
    h = ag.nn.dropout("units", ag.mean(h, over=T), thin, over=B)
    y = ag.param("V", (9, 2 * HIDDEN)) @ h + ag.param("c", (9,))
    return ag.mean(ag.cross_entropy(y, l), over=B), y


def summarise(x: np.ndarray, lengths: np.ndarray, parts: int) -> np.ndarray:
    """Return the means of the frames of each of so many parts of equal length, one row an utterance: (N, 12 parts)."""
    return np.array([np.hstack([part.mean(0) for part in np.array_split(x[:n, i], parts)]) for i, n in enumerate(lengths)])


def run(budget: Budget) -> Outcome:
    """Train, and score beside logistic regression on the mean frame and on the means of thirds."""
    x, lengths, speaker, training = ag.datasets.vowels()
    x = (x - x.sum((0, 1)) / lengths.sum()) / 0.4
    place = np.arange(len(speaker))
    late = training & (place % EACH >= EACH - LATE)

    def select(chosen: np.ndarray) -> Feeds:
        return {"x": x[:, chosen], "l": speaker[chosen], "lengths": {T: lengths[chosen]}}

    def draw(chosen: np.ndarray) -> Callable[[int], Iterable[Feeds]]:
        order = draw_batches(BATCH, {"n": place[chosen]}, axis=0)
        return lambda seed: (select(part["n"]) for part in order(seed))

    judge, y = build()
    nets = train_seeds(
        build(0.5)[0], draw(training & ~late), select(late), budget, steps=STEPS, every=50, whole=draw(training), judge=judge,
        description="vowels",
    )  # fmt: skip
    predict, heard, truth = make_predictor(y), select(~training), speaker[~training]
    guesses = [np.argmax(predict(net.params, x=heard["x"], lengths=heard["lengths"]), axis=1) for net in nets]
    baselines = {
        f"logistic regression, {what}": classify(summarise(x, lengths, parts), speaker, training)[~training]
        for what, parts in (("mean frame", 1), ("mean frames of thirds", 3))
    }
    chosen = [int(np.flatnonzero(training & (speaker == k))[0]) for k in (0, 1, 2, 3)]
    picture = import_viz().plots.images(
        {f"speaker {speaker[i] + 1}, {lengths[i]} frames": x[: lengths[i], i].T for i in chosen},
        title="What the network reads of an utterance of /ae/", xlabel="frame", ylabel="coefficient",
    )  # fmt: skip
    scores = {name: float(np.mean(guess == truth)) for name, guess in baselines.items()}
    found = [float(np.mean(guess == truth)) for guess in guesses]
    why = "Beginning, middle and end say nearly all; what the GRU learned beyond does not carry over to other days."
    remark = "" if np.mean(found) > max(scores.values()) else why
    return Outcome(scores, f"bidirectional GRU, 2 × {HIDDEN} units", found, picture, remark)


APPLICATION = Application(
    "who says /ae/? Japanese vowels", "share of speakers recognised", "UCI, Kudo, Toyama & Shimbo, in the package; CC BY 4.0",
    run, higher=True,
)  # fmt: skip
