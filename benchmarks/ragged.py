"""A training step of an LSTM on sequences of unequal lengths, beside PyTorch's packed sequences.

    NUMBA_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/ragged.py

The size is the *medium* one of ``autograd-seq bench``, the lengths are uniform in 50 … 100, the loss is the cross-entropy at
each real step. Both are first checked to agree.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import Any

import numpy as np

import autograd_seq as ag
from autograd_seq.bench.competitor import Competitor, pack, unpack
from autograd_seq.bench.measure import check, take_turns
from autograd_seq.bench.work import Arrays, Workload, make, ours


def compiled(work: Workload, feeds: Arrays, lengths: np.ndarray, backend: str) -> Competitor:
    """Return our step, with ``lengths=``."""
    loss, params = ours(work)
    step = ag.value_and_grad(loss, params, dtype="float32", backend=backend)
    return Competitor(f"ours, {backend}", lambda: step(**feeds, lengths={"t": lengths}), lambda out: (float(out[0]), out[1]))


def packed(work: Workload, feeds: Arrays, lengths: np.ndarray) -> Competitor:
    """Return PyTorch's, which packs the steps of all sequences into one row of batches."""
    import torch

    layer = torch.nn.LSTM(work.D, work.H, bias=False)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.from_numpy(pack(work, feeds, "U", "ifgo")))
        layer.weight_hh_l0.copy_(torch.from_numpy(pack(work, feeds, "W", "ifgo")))
    V = torch.from_numpy(feeds["V"].copy()).requires_grad_()
    x, labels = torch.from_numpy(feeds["x"]), torch.from_numpy(feeds["l"])
    real = torch.from_numpy(np.arange(work.T)[:, None] < lengths)
    params = [layer.weight_ih_l0, layer.weight_hh_l0, V]
    utils = torch.nn.utils.rnn

    def step() -> Any:
        for p in params:
            p.grad = None
        h, _ = layer(utils.pack_padded_sequence(x, torch.from_numpy(lengths), enforce_sorted=False))
        out, _ = utils.pad_packed_sequence(h, total_length=work.T)
        loss = torch.nn.functional.cross_entropy(out[real] @ V.T, labels[real], reduction="sum")
        loss.backward()
        return loss

    def convert(loss: Any) -> tuple[float, Arrays]:
        dU, dW, dV = (p.grad.numpy().copy() for p in params)
        return loss.item(), unpack(work, dU, "U", "ifgo") | unpack(work, dW, "W", "ifgo") | {"V": dV}

    return Competitor("torch, packed", step, convert)


def measure(work: Workload, backends: tuple[str, ...], seconds: float) -> dict[str, float]:
    """Return the median milliseconds of a step by each, all found to agree first."""
    feeds = make(work)
    lengths = np.random.default_rng(0).integers(work.T // 2, work.T + 1, size=work.B)
    theirs = packed(work, feeds, lengths)
    competitors = [*(compiled(work, feeds, lengths, name) for name in backends), theirs]
    for one in competitors[:-1]:
        check(theirs, one)
    times = take_turns(competitors, seconds)
    return {c.name: median(t.values()) * 1e3 for c, t in zip(competitors, times, strict=True)}


def main() -> None:
    """Print the times of all, and ours divided by PyTorch's."""
    from autograd_seq.emit.native import numba

    backends = ("numpy", "numba") if numba.is_available() else ("numpy",)
    found = measure(Workload.of("lstm", "medium"), backends, float(sys.argv[1]) if len(sys.argv) > 1 else 20.0)
    for name, ms in found.items():
        print(f"{name:<16}{ms:>8.1f} ms{ms / found['torch, packed']:>8.2f}")


if __name__ == "__main__":
    main()
