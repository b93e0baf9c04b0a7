"""Who takes part: the compiler, the gradients written by hand, and those other libraries that are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any, NamedTuple

from autograd_seq.bench import by_hand, by_hand_numba, peer_autograd, peer_jax, peer_pytensor, peer_torch, work
from autograd_seq.bench.competitor import Competitor
from autograd_seq.bench.work import Arrays, Workload
from autograd_seq.core.errors import OperationError, did_you_mean
from autograd_seq.run.compile import value_and_grad

OURS, BY_HAND = "ours", "by hand"


class Peer(NamedTuple):
    """A competitor that may take part.

    Attributes:
        package: what must be installed for it; empty if nothing.
        make: from a workload and its feeds to a :class:`Competitor`; ``None`` if it does not take part in this one.
        slow: whether it compiles for a minute or more: it takes part only where it is named.
    """

    package: str
    make: Callable[[Workload, Arrays], Competitor | None]
    slow: bool = False


def compiled(workload: Workload, feeds: Arrays, **options: Any) -> Competitor:
    """Return the program that ``ag.value_and_grad`` makes of the equations.

    Args:
        workload, feeds: what to run.
        options: for ``ag.value_and_grad`` (``backend=``).

    Example:
        >>> tiny = Workload.of("rnn", "tiny")
        >>> ours = compiled(tiny, work.make(tiny))
        >>> loss, grads = ours.convert(ours.step())
        >>> round(loss, 2), list(grads)
        (105.85, ['U', 'W', 'V'])
    """
    f = value_and_grad(*work.ours(workload), **options)
    name = ", ".join([OURS, *(str(o) for o in options.values())])
    return Competitor(name, lambda: f(**feeds), lambda out: (float(out[0]), out[1]))


def written(workload: Workload, feeds: Arrays) -> Competitor:
    """Return the step written by hand, in NumPy.

    Example:
        >>> tiny = Workload.of("rnn", "tiny")
        >>> hand = written(tiny, work.make(tiny))
        >>> round(hand.convert(hand.step())[0], 2)
        105.85
    """
    step = by_hand.FACTORIES[workload.cell](*workload.sizes, dtype=feeds["x"].dtype)
    return Competitor(BY_HAND, lambda: step(**feeds), lambda out: out)


def written_natively(workload: Workload, feeds: Arrays) -> Competitor:
    """Return the step written by hand, in numba, for float32."""
    step = by_hand_numba.factory(workload.cell)(*workload.sizes, dtype=feeds["x"].dtype)
    return Competitor("numba", lambda: step(**feeds), lambda out: out)


PEERS: dict[str, Peer] = {
    OURS: Peer("", compiled),
    BY_HAND: Peer("", written),
    "numba": Peer("numba", written_natively),
    "torch.nn": Peer("torch", peer_torch.layer),
    "torch loop": Peer("torch", peer_torch.loop),
    "torch.compile": Peer("torch", peer_torch.compiled, slow=True),
    "jax": Peer("jax", peer_jax.scan),
    "pytensor": Peer("pytensor", peer_pytensor.scan, slow=True),
    "autograd": Peer("autograd", peer_autograd.loop),
}
"""By name, in the order of the tables."""


def choose(names: Iterable[str] | None = None) -> tuple[dict[str, Peer], list[str]]:
    """Return those that can take part, and the names of those whose package is not installed.

    Args:
        names: of peers; all that are not slow by default. Ours and the one by hand always take part.

    Raises:
        OperationError: there is no such peer.

    Example:
        >>> list(choose([])[0])
        ['ours', 'by hand']
    """
    wanted = {n for n, p in PEERS.items() if not p.slow} if names is None else set(names)
    for name in sorted(wanted - set(PEERS)):
        raise OperationError(
            "B102",
            f"there is no competitor {name!r:.60}",
            expected=", ".join(PEERS),
            got=repr(name),
            fix=did_you_mean(name, PEERS),
        )
    chosen = {n: p for n, p in PEERS.items() if n in wanted | {OURS, BY_HAND}}
    missing = [n for n, p in chosen.items() if p.package and find_spec(p.package) is None]
    return {n: p for n, p in chosen.items() if n not in missing}, missing


__all__ = ["BY_HAND", "OURS", "PEERS", "Peer", "choose", "compiled", "written", "written_natively"]
