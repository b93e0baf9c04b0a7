"""Gradients of long sequences in little memory: an LSTM with ``memory="sqrt"`` beside the program that stores.

    python benchmarks/checkpointing.py [time] [memory] [segments]

``time`` runs both in turn at T = 10,000 and prints the ratio of their CPU times. ``memory`` takes the gradient at T = 1,000,000
in a process of its own and prints the most memory that was resident. ``segments`` trains on 10 million steps, piece by piece
with a carry, and prints the same: there memory does not grow with T at all, and the gradient is truncated.

The inputs are mapped from a file (``np.memmap``). What counts is the process's own memory (RssAnon of Linux, its highest value
by a thread that looks every few milliseconds); pages of the file are the system's cache, which it drops when it needs the room.
Both are printed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

import autograd_seq as ag

D, H = 8, 64
t = ag.Axis("t")


def lstm() -> ag.Node:
    """An LSTM (64 units) that predicts the next value of its first input."""
    x, y = ag.input("x", (D,), over=t), ag.input("y", over=t)
    h = ag.nn.lstm(x, H, over=t).h
    return ag.sum((ag.param("v", (H,)) @ h[t] - y[t]) ** 2, over=t)


def params(loss: ag.Node, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    nodes = [n for n in ag.Graph(loss).inputs.values() if t not in n.axes]
    return {str(n.name): rng.normal(0, 0.8 / np.sqrt(max(n.shape[-1:] or (1,))), n.shape) for n in nodes}


def series(steps: int, folder: str) -> dict[str, np.ndarray]:
    """Return inputs in files, written in parts."""
    out = {}
    for name, shape in (("x", (steps, D)), ("y", (steps,))):
        array = np.memmap(Path(folder) / name, np.float64, "w+", shape=shape)
        for a in range(0, steps, 100_000):
            k = np.arange(a, min(steps, a + 100_000))
            value = np.sin(0.01 * k)
            array[k[0] : k[-1] + 1] = value if name == "y" else value[:, None] * np.arange(1, D + 1) / D
        array.flush()
        out[name] = np.memmap(Path(folder) / name, np.float64, "r", shape=shape)
    return out


class Watch(threading.Thread):
    """Notes the most memory of this process: its own, and with pages of files."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own = self.all = 0
        self.start()

    def run(self) -> None:
        while True:
            found = {}
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith(("RssAnon", "VmRSS")):
                    found[line.split(":")[0]] = int(line.split()[1])
            self.own, self.all = max(self.own, found["RssAnon"]), max(self.all, found["VmRSS"])
            time.sleep(0.005)

    def __str__(self) -> str:
        return f"{self.own / 1e3:.0f} MB of the process's own, {self.all / 1e3:.0f} MB with pages of the inputs' files"


def compare_time(steps: int = 10_000, rounds: int = 5) -> None:
    loss = lstm()
    with tempfile.TemporaryDirectory() as folder:
        feeds: dict[str, Any] = {**params(loss), **series(steps, folder)}
        step, stored = ag.value_and_grad(loss, memory="sqrt"), ag.value_and_grad(loss)
        got, want = step(**feeds), stored(**feeds)
        off = max(float(np.max(np.abs(got[1][n] - want[1][n])) / np.max(np.abs(want[1][n]))) for n in want[1])
        spent = np.zeros((rounds, 2))
        for i in range(rounds):
            for k, run in enumerate((step, stored)):
                begin = time.process_time()
                run(**feeds)
                spent[i, k] = time.process_time() - begin
        a, b = spent.min(0)
        plan = step.explain(t=steps)
        print(f"T = {steps}: {a:.3f} s of CPU recomputed, {b:.3f} s stored: {a / b:.2f} times; gradients differ by {off:.1e}")
        print(f"  {plan}; stored {stored.cost(t=steps)}")


def measure_memory(steps: int = 1_000_000) -> None:
    loss = lstm()
    with tempfile.TemporaryDirectory() as folder:
        feeds = {**params(loss), **series(steps, folder)}
        step, watch = ag.value_and_grad(loss, memory="sqrt"), Watch()
        begin = time.process_time()
        value, _ = step(**feeds)
        print(f"T = {steps}: loss {float(value):.6g}, {time.process_time() - begin:.0f} s of CPU, {watch}")
        print(f"  {step.explain(t=steps)}")


def train_in_segments(steps: int = 10_000_000, segment: int = 1000) -> None:
    loss = lstm()
    with tempfile.TemporaryDirectory() as folder:
        weights, feeds = params(loss), series(steps, folder)
        step, watch, carry = ag.value_and_grad(loss, carry=True), Watch(), None
        optimizer = ag.learn.adam(1e-3)
        state, begin, losses = optimizer.init(weights), time.process_time(), []
        for a in range(0, steps, segment):
            piece = {name: np.asarray(array[a : a + segment]) for name, array in feeds.items()}
            (value, grads), carry = step(**piece, **weights, carry=carry)
            weights, state = optimizer.update(weights, grads, state)
            losses.append(float(value) / len(piece["y"]))
            if a == segment * 100:
                early = watch.own
        print(f"T = {steps} in segments of {segment}: {time.process_time() - begin:.0f} s of CPU, error {losses[0]:.3g} "
              f"at first, {np.mean(losses[-100:]):.3g} at last")  # fmt: skip
        print(f"  {watch}; after 100 segments {early / 1e3:.0f} MB")


WAYS = {"time": compare_time, "memory": measure_memory, "segments": train_in_segments}

if __name__ == "__main__":
    asked = [a for a in sys.argv[1:] if a in WAYS] or [*WAYS]
    if len(asked) == 1:
        WAYS[asked[0]](*map(int, [a for a in sys.argv[1:] if a.isdigit()]))
    else:
        for way in asked:
            subprocess.run([sys.executable, __file__, way], check=True)
