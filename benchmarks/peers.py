"""Other ways to take a training step, which ``autograd-seq bench`` measures beside ours where they are installed."""

from __future__ import annotations

from autograd_seq.bench.competitor import Competitor, Peer
from autograd_seq.bench.work import Arrays, Workload
from benchmarks import by_hand_numba, peer_autograd, peer_jax, peer_pytensor, peer_torch


def make_by_hand_natively(workload: Workload, feeds: Arrays) -> Competitor:
    """Return the step written by hand, in numba, for float32."""
    step = by_hand_numba.make_step(workload.cell, *workload.sizes, dtype=feeds["x"].dtype)
    return Competitor("numba", lambda: step(**feeds), lambda out: out)


PEERS: dict[str, Peer] = {
    "numba": Peer("numba", make_by_hand_natively),
    "torch.nn": Peer("torch", peer_torch.make_layer),
    "torch loop": Peer("torch", peer_torch.make_loop),
    "torch.compile": Peer("torch", peer_torch.compile_loop, slow=True),
    "jax": Peer("jax", peer_jax.make_scan),
    "pytensor": Peer("pytensor", peer_pytensor.make_scan, slow=True),
    "autograd": Peer("autograd", peer_autograd.make_loop),
}
"""By name, in the order of the tables."""

__all__ = ["PEERS", "make_by_hand_natively"]
