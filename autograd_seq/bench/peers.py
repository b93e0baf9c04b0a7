"""Which competitors take part: the compiler, the gradients written by hand, and in a checkout other libraries."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from autograd_seq.bench import by_hand, work
from autograd_seq.bench.competitor import Competitor, Peer
from autograd_seq.bench.work import Arrays, Workload
from autograd_seq.core.errors import OperationError, did_you_mean
from autograd_seq.run.compile import value_and_grad

OURS, BY_HAND = "ours", "by hand"
ELSEWHERE = "torch, jax, autograd, pytensor, and numba by hand"
"""What takes part in a checkout only, in words."""


def compile_ours(workload: Workload, feeds: Arrays, **options: Any) -> Competitor:
    """Return the program that ``ag.value_and_grad`` makes of the equations.

    Args:
        workload, feeds: what to run.
        options: for ``ag.value_and_grad`` (``backend=``).

    Example:
        >>> tiny = Workload.of("rnn", "tiny")
        >>> ours = compile_ours(tiny, work.make(tiny))
        >>> loss, grads = ours.convert(ours.step())
        >>> round(loss, 2), list(grads)
        (105.85, ['U', 'W', 'V'])
    """
    f = value_and_grad(*work.ours(workload), **options)
    name = ", ".join([OURS, *(str(o) for o in options.values())])
    return Competitor(name, lambda: f(**feeds), lambda out: (float(out[0]), out[1]))


def make_by_hand(workload: Workload, feeds: Arrays) -> Competitor:
    """Return the step written by hand, in NumPy.

    Example:
        >>> tiny = Workload.of("rnn", "tiny")
        >>> hand = make_by_hand(tiny, work.make(tiny))
        >>> round(hand.convert(hand.step())[0], 2)
        105.85
    """
    step = by_hand.FACTORIES[workload.cell](*workload.sizes, dtype=feeds["x"].dtype)
    return Competitor(BY_HAND, lambda: step(**feeds), lambda out: out)


OWN: dict[str, Peer] = {OURS: Peer("", compile_ours), BY_HAND: Peer("", make_by_hand)}
"""Those that need nothing but this package; they always take part."""


def find_peers(root: Path | None = None) -> dict[str, Peer]:
    """Return by name all that may take part, in the order of the tables.

    Other libraries take part in a checkout of the repository only: the code that runs them is no part of the package.

    Args:
        root: the folder of the checkout; the current one by default.

    Returns:
        Ours and the one by hand; in a checkout also what its ``benchmarks/peers.py`` lists, installed or not.

    Example:
        >>> list(find_peers())[:2]
        ['ours', 'by hand']
    """
    root = Path.cwd() if root is None else root
    start = root / "benchmarks" / "__init__.py"
    if not (start.is_file() and (root / "autograd_seq" / "bench" / "peers.py").is_file()):
        return dict(OWN)
    if "benchmarks" not in sys.modules:  # by its place: the root of the checkout would hide the installed package
        spec = spec_from_file_location("benchmarks", start, submodule_search_locations=[str(start.parent)])
        assert spec is not None and spec.loader is not None
        sys.modules["benchmarks"] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules["benchmarks"])
    return OWN | import_module("benchmarks.peers").PEERS


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
    known = find_peers()
    wanted = {n for n, p in known.items() if not p.slow} if names is None else set(names)
    for name in sorted(wanted - set(known)):
        alone = known == OWN
        raise OperationError(
            "B102", f"there is no competitor {name!r:.60}" + (" outside of a checkout of the repository" if alone else ""),
            expected=", ".join(known), got=repr(name),
            fix=f"start in a checkout for {ELSEWHERE}" if alone else did_you_mean(name, known),
        )  # fmt: skip
    chosen = {n: p for n, p in known.items() if n in wanted | set(OWN)}
    missing = [n for n, p in chosen.items() if p.package and find_spec(p.package) is None]
    return {n: p for n, p in chosen.items() if n not in missing}, missing


__all__ = ["BY_HAND", "ELSEWHERE", "OURS", "OWN", "choose", "compile_ours", "find_peers", "make_by_hand"]
