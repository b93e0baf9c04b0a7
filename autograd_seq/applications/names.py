"""First names, letter by letter: the chain rule of probability, and names that nobody bears.

    h_t = GRU(E x_t, h_{t-1})      p(x_{t+1} | x_1 … x_t) = softmax(V h_t + c)      log p(name) = Σ_t log p(x_{t+1} | x_≤t)

Every name ends with a letter of its own, so that the probabilities of all names sum to 1. The baselines count: what letter
followed the last n - 1, mixed with shorter contexts where these are rare (Witten & Bell 1991). Of 5,163 names, in a random
order, the first tenth scores, the second says when to stop, and the others train.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

import autograd_seq as ag
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import Arrays, Feeds, make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

HIDDEN, STEPS, BATCH, LENGTH, SYMBOLS = 96, 1200, 64, 12, 27
T, B = ag.Axis("t"), ag.Axis("b")


def encode(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return x (12, N), letters from 1 after a 0 at the start; l, the letters that follow, a 0 at the end; and lengths n."""
    x, l = np.zeros((2, LENGTH, len(names)), int)
    for i, name in enumerate(names):
        l[: len(name), i] = [ord(letter) - 64 for letter in name]
    x[1:] = l[:-1]
    return {"x": x, "l": l, "n": np.array([len(name) + 1 for name in names])}


def select(text: dict[str, np.ndarray], chosen: np.ndarray) -> Feeds:
    """Return the feeds of a batch."""
    return {"x": text["x"][:, chosen], "l": text["l"][:, chosen], "lengths": {T: text["n"][chosen]}}


def build(thin: float = 0.0) -> tuple[ag.Node, ag.Node]:
    """Return the loss, nats a letter, and the logits; ``thin`` is the share of units left out, the same for a whole name."""
    x, l = ag.input("x", over=(T, B), dtype=int), ag.input("l", over=(T, B), dtype=int)
    letter = ag.nn.dropout("letters", ag.take(ag.param("E", (SYMBOLS, SYMBOLS)), x), thin / 2, over=B)
    h = ag.nn.dropout("units", ag.nn.gru(letter, HIDDEN, over=T, name="cell"), thin, over=B)
    y = ag.param("V", (SYMBOLS, HIDDEN)) @ h + ag.param("c", (SYMBOLS,))
    return ag.mean(ag.cross_entropy(y, l), over=(T, B)), y


def count_contexts(order: int, train: Iterable[str], test: Iterable[str]) -> float:
    """Return the nats a letter of an n-gram model of that order."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name in train:
        text = "^" * (order - 1) + name + "$"
        for i in range(order - 1, len(text)):
            for back in range(order):
                seen[text[i - back : i]][text[i]] += 1
    logs = []
    for name in test:
        text = "^" * (order - 1) + name + "$"
        for i in range(order - 1, len(text)):
            p = 1 / SYMBOLS
            for back in range(order):
                if after := seen.get(text[i - back : i]):
                    p = (after[text[i]] + len(after) * p) / (after.total() + len(after))
            logs.append(np.log(p))
    return -float(np.mean(logs))


def sample(params: Arrays, logits: ag.Node, count: int, seed: int = 0) -> list[str]:
    """Return names, drawn letter by letter."""
    random, predict = np.random.default_rng(seed), make_predictor(logits)
    x = np.zeros((LENGTH + 1, count), int)
    for step in range(LENGTH):
        noise = random.gumbel(size=(count, SYMBOLS))
        x[step + 1] = np.argmax(predict(params, x=x[: step + 1])[-1] + noise, axis=1)
    return ["".join(chr(64 + k) for k in column[1:]).split("@")[0].title() for column in x.T]


def run(budget: Budget) -> Outcome:
    """Train, and score beside n-grams."""
    names = sorted(set(ag.datasets.names().name))
    order, tenth = np.random.default_rng(0).permutation(len(names)), len(names) // 10
    test, late, train = ([names[i] for i in part] for part in np.split(order, [tenth, 2 * tenth]))
    text, judge = encode(train), build()

    def draw(seed: int) -> Iterable[Feeds]:
        random = np.random.default_rng(seed)
        while True:
            yield select(text, random.choice(len(train), BATCH, replace=False))

    every = [select(encode(part), np.arange(len(part))) for part in (late, test)]
    nets = train_seeds(
        build(0.3)[0], draw, every[0], budget, steps=STEPS, rate=0.005, every=100, judge=judge[0], description="names"
    )  # fmt: skip
    score, logs = make_predictor(judge[0]), make_predictor(ag.log_softmax(judge[1]))
    drawn = [name for name in sample(nets[0].params, judge[1], 40) if name and name.upper() not in names][:8]
    example = "MARIANNE"
    places, letter = np.arange(len(example) + 1), encode([example])
    surprise = -logs(nets[0].params, x=letter["x"])[places, 0, letter["l"][places, 0]]
    picture = import_viz().plots.curves(
        [*example, "end"], {"−log p of this letter, given those before": surprise, "their sum so far": np.cumsum(surprise)},
        title=f"The chain rule on a name: the last sum is −log p({example.title()})", ylabel="nats",
    )  # fmt: skip
    baselines = {f"{n}-gram": count_contexts(n, train + late, test) for n in (2, 3, 4, 5)}
    return Outcome(
        baselines, f"GRU, {HIDDEN} units", [float(score(net.params, **every[1])) for net in nets], picture,
        f"Drawn from the network, and on no list: {', '.join(drawn)}.",
    )  # fmt: skip


APPLICATION = Application(
    "first names, letter by letter", "nats a letter", "US Census Bureau 1990, in the package; public domain", run
)  # fmt: skip
