"""A pool of threads that runs calls in parallel; and a test for many small products, for which threads do not pay."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from math import prod
from typing import Any, NamedTuple

from autograd_seq.core.axes import Axis
from autograd_seq.emit.contraction import Label, read_contraction
from autograd_seq.ops.linear import CONTRACT
from autograd_seq.plan.passes.dimensions import get_fixed_lengths
from autograd_seq.plan.pipeline import Plan

SHARED_OUT = 1 << 18
"""From this many multiplications on, OpenBLAS splits a product between threads."""
SMALL = 1 << 22
"""A product of at most this many multiplications, about 50 µs, is small: if it is one of many, waiting for threads on busy
cores costs more than they gain."""
MANY = 1 << 23
"""From this many multiplications in all on, setting the number of threads, which takes 10 µs, is worth it."""


class Repeated(NamedTuple):
    """A product that a program computes many times: at each step of its loops, or for each point that its factors share.

    Attributes:
        number, axes: the multiplications of one product: ``number`` times the lengths of ``axes``.
        times, over: how often it is computed: ``times`` times the lengths of ``over``.
    """

    number: int
    axes: tuple[Axis, ...]
    times: int
    over: tuple[Axis, ...]


def find_repeated(plan: Plan, loops: bool) -> list[Repeated]:
    """Return the products of a plan that NumPy computes many times.

    Args:
        plan: the plan.
        loops: whether NumPy also computes the products within loops (in native programs it does not).
    """
    storage, found = plan.storage, []
    lengths = get_fixed_lengths(plan.graph.axes)
    for n in storage.path:
        if n.op is not CONTRACT or (storage.path[n] and not loops):
            continue
        c, stepping = read_contraction(storage, storage.absorbed.get(n, n)), [loop.axis for loop in storage.path[n]]
        sizes: dict[Label, int] = dict(lengths.items())
        sizes |= dict(c.lengths.items())
        if c.product is not None and (c.product.batch or stepping):
            one, many = dict.fromkeys([*c.dims[0], *c.dims[1]]), [*c.product.batch, *stepping]
            parts = [[x for x in one if x not in c.product.batch], many]
            numbers = [prod(sizes[x] for x in part if x in sizes) for part in parts]
            axes = [tuple(x for x in part if isinstance(x, Axis) and x not in sizes) for part in parts]
            found.append(Repeated(numbers[0], axes[0], numbers[1], axes[1]))
    return found


def is_better_on_one_thread(some: Sequence[Repeated], sizes: Mapping[Axis, int]) -> bool:
    """Tell whether so many small products would be split between threads that one thread computes them faster."""
    total = 0
    for p in some:
        one = p.number * prod(sizes[a] for a in p.axes)
        if SHARED_OUT < one <= SMALL:
            total += one * p.times * prod(sizes[a] for a in p.over)
    return total >= MANY


_POOL: list[ThreadPoolExecutor] = []


def run_together(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run calls in parallel as far as threads are free, and return their results.

    The first call runs on the calling thread, and so does, afterwards, each call that no other thread has begun by then:
    callers never wait for one another. When an error is raised, none of the calls is running any more.

    Args:
        calls: functions that do not depend on one another, and release Python's lock for most of their time.

    Example:
        >>> run_together([lambda: 1, lambda: 2])
        [1, 2]
    """
    if not _POOL:
        _POOL.append(ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1), "autograd_seq"))
    begun = [_POOL[0].submit(call) for call in calls[1:]]
    results: list[Any] = []
    error: BaseException | None = None
    for k, call in enumerate(calls):
        try:
            mine = k == 0 or begun[k - 1].cancel()
            results.append(call() if mine and error is None else None if mine else begun[k - 1].result())
        except BaseException as e:  # raised below, after all have ended
            error = error or e
    if error is not None:
        wait(begun)  # an interrupt of this thread does not end the calls on the others
        raise error
    return results


def _forget_pool() -> None:
    _POOL.clear()  # threads do not survive a fork


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)

__all__ = ["MANY", "SHARED_OUT", "SMALL", "Repeated", "find_repeated", "is_better_on_one_thread", "run_together"]
