"""What a program costs besides its time at one size: to compile, in memory, and as sequences grow.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 AUTOGRAD_SEQ_BACKEND=numpy python benchmarks/budget.py

It prints the ms to import the package and NumPy, and from equations to source with all gradients (schedule, passes and
emission; medians of 9), the peak memory of a training step divided by that of the program by hand, and the µs a step takes in
sequences of 100 to 100,000 steps. What it printed is in ``RESULTS.md``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from autograd_seq.bench.measure import growth, memory
from autograd_seq.bench.work import GATES, SIZES, Workload, ours
from autograd_seq.run.compile import value_and_grad


def compile_ms(cell: str, repeats: int = 9) -> float:
    """Return how long it takes from the equations of a cell to the source of its training step."""
    times = []
    for _ in range(repeats):
        loss, params = ours(Workload.of(cell, "tiny"))
        start = time.perf_counter()
        _ = value_and_grad(loss, params, backend="numpy").source
        times.append((time.perf_counter() - start) * 1e3)
    return median(times)


def import_ms(package: str, repeats: int = 9) -> float:
    """Return how long it takes a new process to import a package."""
    code = f"import time; a = time.perf_counter(); import {package}; print(time.perf_counter() - a)"
    run = [sys.executable, "-c", code]
    return 1e3 * median(float(subprocess.check_output(run, text=True)) for _ in range(repeats))


def main() -> None:
    """Print the tables."""
    print("ms to import:", ", ".join(f"{package} {import_ms(package):.0f}" for package in ("autograd_seq", "numpy")))
    print("ms to compile:", ", ".join(f"{cell} {compile_ms(cell):.0f}" for cell in GATES))
    print("\npeak memory, ours / by hand (bytes of ours)")
    for size in SIZES:
        found = {cell: memory(Workload.of(cell, size)) for cell in GATES}
        print(f"{size:<8}", *(f"{cell} {m['ours'] / m['by hand']:.3f} ({m['ours']})" for cell, m in found.items()), sep="  ")
    print("\nµs a step of an RNN takes, one sequence: ours, by hand")
    for T, us in growth():
        print(f"T = {T:>7,}", *(f"{v:.2f}" for v in us.values()), sep="  ")


if __name__ == "__main__":
    main()
