"""Bach's chorales: which notes will sound on the next beat?

    h_t = GRU(x_t, h_{t-1})      p_t = sigmoid(A x_t + V h_t + c)      L = mean over beats of -Σ_k log p(does note k sound?)

x_t, a column of a piano roll, says which of 54 notes sound on a beat; four voices sing. The network forecasts every note of the
next beat, given all beats before. The chorales are in a random order: the first fifth scores, the second says when to stop, and
the others train, each time in another key, as choirs do.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from xml.etree import ElementTree

import numpy as np

import autograd_seq as ag
from autograd_seq.applications.data_files import find_file
from autograd_seq.applications.outcome import Application, Budget, Outcome
from autograd_seq.applications.training import Arrays, Feeds, make_predictor, train_seeds
from autograd_seq.core.notebook import import_viz

HIDDEN, STEPS, BATCH, LOWEST, NOTES, VOICES, SHIFT = 96, 800, 24, 32, 54, 4, 3
STEP = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
T, B = ag.Axis("t"), ag.Axis("b")


def read_voice(part: ElementTree.Element) -> list[tuple[float, float, int]]:
    """Return start and end of each note of a part of MusicXML, in quarters, with the note: 60 is middle C."""
    notes, place, start, unit = [], 0.0, 0.0, 1.0
    for item in (item for measure in part.iter("measure") for item in measure):
        unit = float(item.findtext("divisions") or unit)
        length = float(item.findtext("duration") or 0) / unit
        if item.tag == "note":
            start = start if item.find("chord") is not None else place
            if (pitch := item.find("pitch")) is not None:
                name, shift, octave = (pitch.findtext(key) or "0" for key in ("step", "alter", "octave"))
                notes.append((start, start + length, STEP[name] + int(shift) + 12 * int(octave) + 12))
            place = max(place, start + length)
        elif item.tag in ("backup", "forward"):
            place += length if item.tag == "forward" else -length
    return notes


def load() -> list[np.ndarray]:
    """Return the piano roll of each chorale for four voices, (T, 54) of 0 and 1, T beats; each chorale once."""
    rolls = {}
    for path in sorted(find_file("music21", "corpus/bach/bwv1.6.mxl").parent.glob("*.mxl")):
        with zipfile.ZipFile(path) as file:
            [name] = (name for name in file.namelist() if name.endswith("xml") and "META" not in name)
            voices = [read_voice(part) for part in ElementTree.fromstring(file.read(name)).iter("part")]
        if len(voices) == VOICES:
            notes = sorted(note for voice in voices for note in voice)
            roll = np.zeros((int(np.ceil(max(end for _, end, _ in notes))), NOTES))
            for start, end, note in notes:
                roll[int(np.ceil(start)) : int(np.ceil(end)), note - LOWEST] = 1.0
            rolls[roll.tobytes()] = roll
    return [*rolls.values()]


def build(hidden: int = HIDDEN) -> tuple[ag.Node, ag.Node]:
    """Return the loss, nats a beat, and the logits; without hidden units it is logistic regression on the last beat."""
    x, d = ag.input("x", (NOTES,), over=(T, B)), ag.input("d", (NOTES,), over=(T, B))
    y = ag.param("A", (NOTES, NOTES)) @ x + ag.param("c", (NOTES,))
    if hidden:
        y = y + ag.param("V", (NOTES, hidden)) @ ag.nn.gru(x, hidden, over=T, name="cell")
    return ag.mean(ag.sum(ag.softplus(y) - d * y, axis=0), over=(T, B)), y


def make_batch(rolls: list[np.ndarray], keys: np.ndarray | None = None) -> Feeds:
    """Return the feeds of chorales, each moved by so many semitones, padded to the longest."""
    x = np.zeros((max(map(len, rolls)), len(rolls), NOTES))
    for i, roll in enumerate(rolls):
        x[: len(roll), i] = roll if keys is None else np.roll(roll, keys[i], axis=1)
    return {"x": x[:-1], "d": x[1:], "lengths": {T: np.array([len(roll) - 1 for roll in rolls])}}


def count_pairs(rolls: list[np.ndarray], test: list[np.ndarray]) -> float:
    """Return the nats a beat where each note depends on whether it sounded a beat before, and on nothing else."""
    (now, after), (x, d) = (
        [np.vstack([roll[k : len(roll) - 1 + k] for roll in part]) for k in (0, 1)] for part in (rolls, test)
    )
    silent, sounding = (((after * was).sum(0) + 1) / (was.sum(0) + 2) for was in (1 - now, now))
    p = np.where(x > 0, sounding, silent)
    return -float(np.mean(np.sum(np.log(np.where(d > 0, p, 1 - p)), axis=1)))


def run(budget: Budget) -> Outcome:
    """Train, and score beside counts of what follows each note, and logistic regression on the last beat."""
    rolls = load()
    order, fifth = np.random.default_rng(0).permutation(len(rolls)), len(rolls) // 5
    test, late, train = ([rolls[i] for i in part] for part in np.split(order, [fifth, 2 * fifth]))

    def draw(seed: int) -> Iterable[Feeds]:
        random = np.random.default_rng(seed)
        while True:
            chosen = random.choice(len(train), BATCH, replace=False)
            yield make_batch([train[i] for i in chosen], random.integers(-SHIFT, SHIFT + 1, BATCH))

    def fit(hidden: int, seeds: Budget) -> tuple[list[Arrays], list[float]]:
        loss, _ = build(hidden)
        nets = train_seeds(loss, draw, make_batch(late), seeds, steps=STEPS, every=50, description="chorales")
        score = make_predictor(loss)
        return [net.params for net in nets], [float(score(net.params, **make_batch(test))) for net in nets]

    nets, scores = fit(HIDDEN, budget)
    _, [line] = fit(0, Budget(budget.seeds[:1], budget.steps))
    silent = 1 / (1 + np.exp(make_predictor(build()[1])(nets[0], x=test[0][:-1, None])[:, 0]))
    shown = {"the score": 1 - test[0][1:].T[::-1], "forecast, darker where more probable": silent.T[::-1]}
    picture = import_viz().plots.images(shown, columns=1, title="A chorale, beat by beat", xlabel="beat", ylabel="note")
    baselines = {"each note after itself": count_pairs(train + late, test), "logistic regression on the last beat": line}
    return Outcome(baselines, f"logistic + GRU, {HIDDEN} units", scores, picture)


APPLICATION = Application(
    "Bach's chorales, a beat ahead", "nats a beat", "scores by M. Greentree, in music21; by permission", run, ("music21",)
)  # fmt: skip
