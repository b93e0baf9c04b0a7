"""Which scopes of a graph are drawn as boxes and which are open: all ways, or the ones that a reader asks for first."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from viz.read.graph import Reading
from viz.read.scopes import get_scope


def list_scopes(reading: Reading) -> list[str]:
    """Return the scopes of a graph in which something is computed, the outer ones first, in the order of computing."""
    found: dict[str, None] = {}
    for vertex in reading.vertices:
        parts = get_scope(vertex).split("/")
        if parts[0] and reading.reads[vertex]:
            found |= dict.fromkeys("/".join(parts[:i]) for i in range(1, len(parts) + 1))
    return list(found)


def list_foldings(scopes: Sequence[str], most: int) -> list[tuple[str, ...]]:
    """Return ways to fold a graph: for each, the scopes that are closed, none of them within another.

    Args:
        scopes: names; "a/b" is within "a".
        most: how many to return.

    Returns:
        All of them, where they are no more than that; otherwise those in which everything is open, everything at one depth is
        closed, all but one scope is closed, or only one is.

    Example:
        >>> list_foldings(["a", "b"], 9)
        [(), ('a', 'b'), ('b',), ('a',)]
        >>> list_foldings(["a", "a/b"], 9)
        [(), ('a',), ('a/b',)]
    """
    first = list(dict.fromkeys(_list_ordinary(scopes)))
    every = list(itertools.islice(_list_every(scopes, ""), most + 1))
    return list(dict.fromkeys([*first, *every] if len(every) <= most else first))[:most]


def _list_ordinary(scopes: Sequence[str]) -> Iterator[tuple[str, ...]]:
    yield ()
    for depth in range(max((scope.count("/") for scope in scopes), default=-1) + 1):
        yield tuple(scope for scope in scopes if scope.count("/") == depth)
    for scope in scopes:
        yield _list_outer([other for other in scopes if not scope.startswith(f"{other}/") and other != scope], scopes)
    for scope in scopes:
        yield (scope,)


def _list_outer(found: Sequence[str], scopes: Sequence[str]) -> tuple[str, ...]:
    """Return those of the scopes found that are within no other of them."""
    inside = set(found)
    return tuple(s for s in scopes if s in inside and not any(s.startswith(f"{other}/") for other in found))


def _list_every(scopes: Sequence[str], parent: str) -> Iterator[tuple[str, ...]]:
    """Yield all ways to fold what is within a scope; each of its own is closed, or open and folded within."""
    lead = f"{parent}/" if parent else ""
    own = [scope for scope in scopes if scope.startswith(lead) and "/" not in scope[len(lead) :]]

    def choose(scope: str) -> Iterator[tuple[str, ...]]:
        yield from _list_every(scopes, scope)
        yield (scope,)

    def join(rest: Sequence[str]) -> Iterator[tuple[str, ...]]:
        if not rest:
            yield ()
            return
        for one in choose(rest[0]):
            for others in join(rest[1:]):
                yield (*one, *others)

    return join(own)
