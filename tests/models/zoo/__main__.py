"""Time models of the zoo, a training step (loss and all gradients) by each backend:

    cd tests/models && python -m zoo min_gru transformer --T 128 --B 8 --D 16 --H 64 --backends numpy numba auto

Without names all models. Times are CPU times of this thread, medians of calls in turns, in float32; those in brackets are of
the first call, compiling included. A model whose numbers differ between backends is said to.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

import numpy as np

import autograd_seq as ag
from zoo import MODELS, Case


def timed(of: Case, backends: list[str], seconds: float = 1.0) -> dict[str, tuple[float, float]]:
    """Return by backend the ms of a call and the seconds of the first one.

    Raises:
        AssertionError: two backends disagree about the loss or a gradient.
    """
    feeds = {k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in of.feeds.items()}
    programs: dict[str, Any] = {}
    first: dict[str, float] = {}
    want: Any = None
    for name in backends:
        start = time.thread_time()
        programs[name] = ag.compile(of.gradients(of.params), backend=name)
        got = programs[name](**feeds)
        first[name] = time.thread_time() - start
        want = got if want is None else want
        for label, a, b in zip(["loss", *of.params], got, want, strict=True):
            off = np.max(np.abs(a - b), initial=0.0) / max(1e-3, np.max(np.abs(b), initial=0.0))
            assert off < 1e-3, f"{of.entry.name}: {label} of {name} is {off:.1e} off that of {backends[0]}"
    times: dict[str, list[float]] = {name: [] for name in backends}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[backends[0]]) < 3:
        for name, program in programs.items():
            start = time.thread_time()
            program(**feeds)
            times[name].append((time.thread_time() - start) * 1e3)
    return {name: (median(times[name]), first[name]) for name in backends}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m zoo", description="Time models of the zoo.")
    parser.add_argument("names", nargs="*", metavar="model", help=f"of {', '.join(MODELS)}")
    for size, usual in (("T", 100), ("U", 20), ("B", 8), ("D", 16), ("H", 32), ("K", 16)):
        parser.add_argument(f"--{size}", type=int, default=usual)
    parser.add_argument("--backends", nargs="+", default=["numpy"])
    given = vars(parser.parse_args())
    names, backends = given.pop("names") or list(MODELS), given.pop("backends")
    if strange := [name for name in names if name not in MODELS]:
        parser.error(f"there is no model {strange[0]}; there are {', '.join(MODELS)}")
    print(f"{'ms of a step (first call, s)':<32}", *(f"{name:>20}" for name in backends))
    for name in names:
        try:
            found = timed(MODELS[name].made(**given), backends)
        except AssertionError as error:
            print(f"{name:<32} {error}")
            continue
        print(f"{name:<32}", *(f"{f'{ms:.2f} ({first:.1f})':>20}" for ms, first in found.values()), flush=True)


if __name__ == "__main__":
    main()
