"""How it is measured: all competitors agree first, then take turns; medians of many rounds, and ratios within rounds.

Other load on the machine slows a whole round, not one competitor, so a ratio is the median of the ratios of each round.
Threads are left as each library sets them: a product on two cores is part of what a user gets.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median, median_low

import numpy as np

from autograd_seq.bench.competitor import Competitor
from autograd_seq.bench.floor import least
from autograd_seq.bench.peers import BY_HAND, OURS, choose, compile_ours, make_by_hand
from autograd_seq.bench.work import WORKLOADS, Workload, make
from autograd_seq.core.errors import GradientCheckError

SAMPLE = 2e-3  # seconds that one sample takes at least
ROUNDS = 5  # at least
FLOOR = "floor"
TOLERANCE = 1e-4  # of the largest entry of each gradient, in float32
_BOTH = {OURS: compile_ours, BY_HAND: make_by_hand}
LENGTHS = (100, 1_000, 10_000, 100_000)


@dataclass(frozen=True)
class Row:
    """One competitor on one workload.

    Attributes:
        work: the workload.
        competitor: its name.
        ms: the median time of a training step, ``None`` if its package is not installed.
        ratio: our time divided by its time: below 1 we are faster.
        samples: how often it was timed.
    """

    work: Workload
    competitor: str
    ms: float | None
    ratio: float | None
    samples: int


def check(reference: Competitor, other: Competitor, tolerance: float = TOLERANCE) -> None:
    """Raise unless two competitors return the same loss and gradients.

    Args:
        tolerance: relative to the loss, and to the largest entry of each gradient.

    Raises:
        GradientCheckError: they differ, or their gradients have other names or shapes.
    """
    (loss, grads), (loss2, grads2) = reference.convert(reference.step()), other.convert(other.step())
    shapes, shapes2 = ({n: np.shape(g) for n, g in gs.items()} for gs in (grads, grads2))
    if shapes != shapes2:
        raise GradientCheckError(
            "B103", f"{other.name} returns other gradients than {reference.name}", expected=str(shapes), got=str(shapes2)
        )
    errors = {n: float(np.max(np.abs(grads2[n] - g)) / max(np.max(np.abs(g)), 1e-30)) for n, g in grads.items()}
    errors["the loss"] = abs(loss2 - loss) / max(abs(loss), 1e-30)
    worst = max(errors, key=lambda n: np.inf if np.isnan(errors[n]) else errors[n])
    if not errors[worst] <= tolerance:
        raise GradientCheckError(
            "B104", f"{other.name} and {reference.name} differ in {worst}", expected=f"an error of at most {tolerance:g}",
            got=f"{errors[worst]:.1e} of the largest entry",
        )  # fmt: skip


def take_turns(competitors: Sequence[Competitor], seconds: float) -> list[dict[int, float]]:
    """Return for each competitor the seconds of a step, by the number of the round in which it ran.

    A sample is one step that is not timed, for caches and for threads that others have left spinning, then as many as take
    2 ms. A competitor that takes far longer than the others sits most rounds out.

    Args:
        competitors: those to compare.
        seconds: how long to go on; five rounds are taken in any case.

    Example:
        >>> nap = Competitor("nap", lambda: time.sleep(1e-3), lambda _: (0.0, {}))
        >>> times = take_turns([nap, nap], 0.0)
        >>> [len(t) for t in times], min(times[0].values()) >= 1e-3
        ([5, 5], True)
    """
    costs = [min(_seconds(c, 1) for _ in range(2)) for c in competitors]
    repeats = [max(1, int(np.ceil(SAMPLE / cost))) for cost in costs]
    samples = [cost * n for cost, n in zip(costs, repeats, strict=True)]
    every = [max(1, round(s / (4 * median_low(samples)))) for s in samples]
    times: list[dict[int, float]] = [{} for _ in competitors]
    end, turn = time.perf_counter() + seconds, 0
    while turn < ROUNDS or time.perf_counter() < end:
        for k, competitor in enumerate(competitors):
            if turn % every[k] == 0:
                if costs[k] < 0.5:
                    competitor.step()
                times[k][turn] = _seconds(competitor, repeats[k])
        turn += 1
    return times


def _seconds(competitor: Competitor, repeats: int) -> float:
    step, start = competitor.step, time.perf_counter()
    for _ in range(repeats):
        step()
    return (time.perf_counter() - start) / repeats


def measure(
    works: Iterable[Workload] = tuple(WORKLOADS),
    peers: Iterable[str] | None = None,
    *,
    seconds: float = 20.0,
    seed: int = 0,
    backend: str | None = None,
    done: Callable[[list[Row]], object] = lambda rows: None,
) -> list[Row]:
    """Measure competitors on workloads.

    Args:
        works: the workloads; all fifteen by default.
        peers: names of competitors (``peers.find_peers()``), by default all that do not compile for a minute; what is not
            installed is left out. Ours and the one by hand always run.
        seconds: to spend on each workload.
        seed: of data and parameters.
        backend: of ours, as for :func:`autograd_seq.compile`.
        done: is called with the rows of each workload as soon as they are there.

    Returns:
        A row for each workload and competitor, those that are not installed included, and one for the least time that is
        possible (``autograd_seq.bench.floor``).

    Raises:
        GradientCheckError: a competitor does not compute what the one by hand computes.
        OperationError: there is no such competitor.

    Example:
        >>> rows = measure([Workload.of("rnn", "tiny")], [], seconds=0.1)
        >>> [(row.competitor, row.samples > 4) for row in rows]
        [('ours', True), ('by hand', True), ('floor', False)]
    """
    chosen, missing = choose(peers)
    rows: list[Row] = []
    for work in works:
        feeds = make(work, seed)
        made = {name: peer.make(work, feeds) for name, peer in chosen.items() if name != OURS}
        competitors = {OURS: compile_ours(work, feeds, backend=backend), **{n: c for n, c in made.items() if c is not None}}
        for name, competitor in competitors.items():
            if name != BY_HAND:
                check(competitors[BY_HAND], competitor)
        times = dict(zip(competitors, take_turns(list(competitors.values()), seconds), strict=True))
        new = [
            Row(work, n, median(t.values()) * 1e3, median(times[OURS][k] / t[k] for k in t.keys() & times[OURS].keys()), len(t))
            for n, t in times.items()
        ] + [Row(work, n, None, None, 0) for n in missing]
        floor = least(work, feeds)
        new.append(Row(work, FLOOR, floor * 1e3, median(times[OURS].values()) / floor, 0))
        done(new)
        rows += new
    return rows


def report(rows: Sequence[Row]) -> str:
    """Return the rows as a table in plain text, a line a workload.

    Example:
        >>> work = Workload.of("rnn", "tiny")
        >>> rows = [Row(work, "ours", 0.0712, 1.0, 9), Row(work, "jax", 0.141, 0.505, 9), Row(work, "torch", None, None, 0)]
        >>> print(report(rows))
        ms for one training step; in brackets our time divided by theirs: below 1 ours is faster
        <BLANKLINE>
                     ours            jax
        rnn tiny  0.07120  0.1410 (0.51)
        <BLANKLINE>
        not installed, left out: torch
    """
    here = [n for n in dict.fromkeys(r.competitor for r in rows) if any(r.competitor == n and r.ms is not None for r in rows)]
    missing = [n for n in dict.fromkeys(r.competitor for r in rows) if n not in here]
    cells = {(r.work, r.competitor): _cell(r) for r in rows}
    table = [["", *here]] + [[str(w), *(cells.get((w, n), "") for n in here)] for w in dict.fromkeys(r.work for r in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in table]
    head = ["ms for one training step; in brackets our time divided by theirs: below 1 ours is faster", ""]
    return "\n".join(head + lines + (["", f"not installed, left out: {', '.join(missing)}"] if missing else []))


def _cell(row: Row) -> str:
    if row.ms is None:
        return ""
    ms = f"{row.ms:.0f}" if row.ms >= 1000 else f"{row.ms:#.4g}"
    if row.competitor == OURS or row.ratio is None:
        return ms
    return f"{ms} ({row.ratio:.2f})" if row.ratio >= 0.1 else f"{ms} ({row.ratio:.3f})"


def memory(work: Workload, seed: int = 0) -> dict[str, int]:
    """Return by name, ours and by hand, the bytes held and used at the peak of a training step.

    Counted is what Python and NumPy allocate for the lengths of the workload: arrays, the rows that loops go through, results.
    Not counted are the data, and code: by hand it is read from its file before, ours is made by a call with one step.

    Example:
        >>> sorted(memory(Workload.of("rnn", "tiny")))
        ['by hand', 'ours']
    """
    feeds, shown = make(work, seed), make(replace(work, T=1), seed)
    ours, peaks = compile_ours(work, shown), {}
    ours.step()
    make_by_hand(work, feeds).step()  # what the first one ever imports and caches is not its own
    shown.update(feeds)
    for name, made in {OURS: lambda: ours, BY_HAND: lambda: make_by_hand(work, feeds)}.items():
        gc.collect()
        tracemalloc.start()
        competitor = made()
        competitor.step()
        gc.collect()
        tracemalloc.reset_peak()
        competitor.step()
        peaks[name] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peaks


def growth(lengths: Sequence[int] = LENGTHS, *, seconds: float = 2.0) -> list[tuple[int, dict[str, float]]]:
    """Return how the time depends on the length: an RNN with 32 hidden units on one sequence.

    Args:
        lengths: numbers of steps T.
        seconds: to spend on each.

    Returns:
        For each T the microseconds that one of its steps takes, there and back, ours and by hand; constant if time is linear.

    Example:
        >>> [(T, sorted(us)) for T, us in growth([10, 20], seconds=0.0)]
        [(10, ['by hand', 'ours']), (20, ['by hand', 'ours'])]
    """
    out = []
    for T in lengths:
        work = Workload("rnn", f"T={T}", T, 1, 16, 32, 16)
        feeds = make(work)
        competitors = [make_one(work, feeds) for make_one in _BOTH.values()]
        times = take_turns(competitors, seconds)
        out.append((T, {c.name: median(t.values()) / T * 1e6 for c, t in zip(competitors, times, strict=True)}))
    return out


__all__ = ["Row", "check", "growth", "measure", "memory", "report", "take_turns"]
