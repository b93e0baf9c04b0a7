"""The line of the user's program on which a node was written, for error messages, and the scope of its name."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from autograd_seq.core.errors import OperationError

Site = tuple[str, int]
"""A file name and a line number."""

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDS_FOR: ContextVar[Site | None] = ContextVar("stands_for", default=None)
_SCOPE: ContextVar[str] = ContextVar("scope", default="")


def user_site() -> Site | None:
    """Return the innermost line of the call stack outside of this package, or the line set by :func:`stand_for`."""
    if (site := _STANDS_FOR.get()) is not None:
        return site
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((_PACKAGE, "<frozen ")):  # as `python -m` begins
        frame = frame.f_back  # type: ignore[assignment]
    return (frame.f_code.co_filename, frame.f_lineno) if frame is not None else None


@contextmanager
def stand_for(site: Site | None) -> Iterator[None]:
    """Give nodes made within the block another line: that of the node whose gradient they are, say."""
    token = _STANDS_FOR.set(site)
    try:
        yield
    finally:
        _STANDS_FOR.reset(token)


def show_site(site: Site | None) -> str | None:
    """Return ``"model.py:12"``: the path relative to the working directory where it lies below it."""
    if site is None:
        return None
    path, here = site[0], os.getcwd() + os.sep
    return f"{path[len(here) :] if path.startswith(here) else os.path.basename(path)}:{site[1]}"


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Prefix the names given inside the block: ``with scope("encoder"):`` makes ``encoder/h``.

    Args:
        name: the prefix; scopes nest, joined by ``/``.

    Returns:
        A context manager, for ``with``.

    Example:
        >>> import autograd_seq as ag
        >>> with ag.scope("encoder"), ag.scope("layer1"):
        ...     W = ag.param("W", (3, 3))
        >>> W.name
        'encoder/layer1/W'
    """
    token = _SCOPE.set(add_scope(name))
    try:
        yield
    finally:
        _SCOPE.reset(token)


def add_scope(name: Any) -> str:
    """Return ``name`` with the prefix of the scope that is open now.

    Raises:
        OperationError: it is no text, or empty.
    """
    if not isinstance(name, str) or not name:
        raise OperationError(
            "O103", f"a node cannot be named {name!r:.60}", expected="a non-empty string", got=repr(name)[:80],
            fix=f'the name comes first: ag.param("W", {name})' if isinstance(name, tuple) else None,
        )  # fmt: skip
    prefix = _SCOPE.get()
    return f"{prefix}/{name}" if prefix else name


def get_scope() -> str:
    """Return the prefix of the scope that is open now, ``""`` outside of all."""
    return _SCOPE.get()
