"""What each pass buys: the program without it divided by the one with all of them, on the workloads and on models of the zoo.

CPU time of one thread, in turns, medians of the ratios: above 1 the pass pays. A point stands where the program is the same.
``OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/ablation.py --sizes tiny,small``

``--passes join,halve+pack`` leaves out these, those with a ``+`` together; ``--backend numba`` measures native programs,
``--batch 1`` one sequence; ``--hand`` adds the program with all passes divided by the one written by hand. What has been
measured is kept in a file (``--keep``), line by line, so that a run that was interrupted goes on where it ended.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import autograd_seq as ag
from autograd_seq.bench.peers import make_by_hand
from autograd_seq.bench.work import GATES, SIZES, Workload, make, ours
from autograd_seq.plan.pipeline import PASSES

Step = Callable[[], object]
Outputs = list[ag.Node]
Feeds = dict[str, Any]

ZOO = (
    "multi_head_attention", "transformer_encoder", "language_model", "s4d", "lru", "min_gru", "mamba_block", "seq2seq",
    "multi_head_decoder", "peephole_lstm", "gru_as_published", "lstm_gru", "bidirectional_lstm", "layer_norm_lstm",
    "residual_rnn", "ctc", "chain_crf", "kalman", "kalman_of_two", "grid_rnn", "neural_ode",
)  # fmt: skip
"""Models of the zoo that are measured by default."""

ROOM = {"T": 100, "U": 20, "D": 16, "H": 32, "K": 16}
"""Their sizes."""

HAND = "by hand"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--passes", default=",".join(PASSES), type=_names)
    parser.add_argument("--cells", default=",".join(GATES), type=_names)
    parser.add_argument("--sizes", default=",".join(SIZES), type=_names)
    parser.add_argument("--models", default=",".join(ZOO), type=_names, help='of the zoo, "" for none')
    parser.add_argument("--batch", default="1,16", type=_names)
    parser.add_argument("--backend", default="numpy", choices=("numpy", "numba"))
    parser.add_argument("--seconds", type=float, default=2.0, help="of CPU for each line, compiling aside")
    parser.add_argument("--hand", action="store_true")
    parser.add_argument("--keep", type=Path, help="a file of lines of JSON")
    given = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    if given.keep is not None and given.keep.exists():
        found = dict(json.loads(line) for line in given.keep.read_text().splitlines())
    columns = [*given.passes, *([HAND] if given.hand else [])]
    print(" " * 34, *(f"{name:>10}" for name in columns))
    most = dict.fromkeys(columns, 0.0)
    for name, outputs, feeds, hand in _cases(given):
        label = f"{given.backend} {name}"
        if not {*columns} <= {*found.get(label, {})}:
            found[label] = measure(outputs, feeds, given.passes, given.backend, given.seconds, hand if given.hand else None)
            if given.keep is not None:
                with given.keep.open("a") as file:
                    file.write(json.dumps([label, found[label]]) + "\n")
        print(f"{label:<34}", *(_cell(found[label].get(column)) for column in columns), flush=True)
        most = {c: max(m, found[label].get(c) or 0.0) for c, m in most.items()}
    print(f"{'most':<34}", *(_cell(m) for m in most.values()))


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _cell(ratio: float | None) -> str:
    return f"{'·' if ratio is None or ratio == 1 else f'{ratio:.2f}':>10}"


def measure(
    outputs: Outputs, feeds: Feeds, left_out: list[str], backend: str, seconds: float, hand: Step | None = None
) -> dict[str, float]:
    """Return by name of what is left out the time without it, divided by the time with it.

    Args:
        outputs: what is computed.
        feeds: by name.
        left_out: names of passes, those with a ``+`` together.
        backend: of all programs.
        seconds: to go on.
        hand: the same step by hand; then ``by hand`` is the time of the program with all passes divided by that one's.
    """
    whole, source = _program(outputs, feeds, PASSES, backend)
    steps: dict[str, Step] = {"": whole}
    out = {}
    for name in left_out:
        step, other = _program(outputs, feeds, [p for p in PASSES if p not in name.split("+")], backend, unless=source)
        if other == source:
            out[name] = 1.0
        else:
            steps[name] = step
    if hand is not None:
        steps[HAND] = hand
    if len(steps) == 1:
        return out
    often = {name: _often(step) for name, step in steps.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    end = time.thread_time() + seconds
    while time.thread_time() < end or len(times[""]) < 7:
        for name, step in steps.items():
            step()  # for the caches
            times[name].append(_seconds(step, often[name]))
    for name in steps:
        ratio = median(a / b for a, b in zip(times[name], times[""], strict=True))
        if name:
            out[name] = 1 / ratio if name == HAND else ratio
    return out


def _program(outputs: Outputs, feeds: Feeds, passes: Any, backend: str, unless: str = "") -> tuple[Step, str]:
    """Return the program with some passes, after its first call, and its source: the one that runs on these feeds."""
    program = ag.compile(outputs, passes=passes, backend=backend)
    if program.source != unless:
        program(**feeds)
    sources = [program.source, *(p.source for p in [vars(program).get("single")] if p is not None)]
    return (lambda: program(**feeds)), sources[-1]


def _often(step: Step) -> int:
    step()
    return max(1, int(2e-3 / max(1e-7, min(_seconds(step, 1) for _ in range(3)))))


def _seconds(step: Step, often: int) -> float:
    start = time.thread_time()
    for _ in range(often):
        step()
    return (time.thread_time() - start) / often


def _cases(given: Any) -> Iterator[tuple[str, Outputs, Feeds, Step | None]]:
    """Yield a name, what is computed, what is fed, and the same by hand, of all that is asked for."""
    for cell in given.cells:
        for size in given.sizes:
            for batch in map(int, given.batch):
                work = replace(Workload.of(cell, size), B=batch)
                loss, params = ours(work)
                feeds = make(work)
                yield f"{work}, {batch}", [loss, *ag.grad(loss, params)], feeds, make_by_hand(work, feeds).step
    if given.models:
        sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "models"))
        from zoo import MODELS

        for name in given.models:
            for batch in map(int, given.batch):
                of = MODELS[name].made(**{**ROOM, "B": None if batch == 1 else batch})
                yield f"{name}, {batch}", of.gradients(of.params), {k: _float32(v) for k, v in of.feeds.items()}, None


def _float32(value: np.ndarray) -> np.ndarray:
    return value.astype(np.float32) if value.dtype == np.float64 else value


if __name__ == "__main__":
    main()
