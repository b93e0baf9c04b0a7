"""Calls side by side, on threads that are kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

_POOL: list[ThreadPoolExecutor] = []


def together(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Return what some calls return, which run at the same time as far as threads are free.

    The first runs on the thread that asks, and so does, later, what no other has begun by then: threads that ask never wait for
    one another. When an error is raised, none of the calls is running any more.

    Args:
        calls: functions that do not depend on one another, and release Python's lock for most of their time.

    Example:
        >>> together([lambda: 1, lambda: 2])
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
        except BaseException as e:  # raised below, when all have ended
            error = error or e
    if error is not None:
        wait(begun)  # one that was interrupted here runs on there
        raise error
    return results


def _forget() -> None:
    _POOL.clear()  # threads do not live on in a process that was forked


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

__all__ = ["together"]
