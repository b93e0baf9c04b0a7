"""Places for the nodes of one acyclic step: rows by dependence, few crossings, straight lines between pairs of nodes.

The four classical stages (Sugiyama, Tagawa & Toda 1981; Gansner et al. 1993), on plain lists, and in an order that does not
depend on hashes: rows by longest path; a bend for each row that a long edge passes; sweeps of
barycentres; then a place along the row, where nodes that follow each other one to one share a vertical line.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from viz.layout.rows import assign_rows

# Keys are any hashable values of the caller; bends have keys of their own.
Key = Any
Edge = tuple[Key, Key]

_SWEEPS = 12
_BEND_WIDTH = 10.0
# In a picture with very many long edges, the longest ones get no bends.
_MOST_BENDS, _LONGEST_BENT = 1500, 4
# Swapping neighbours one by one takes too long in wider rows.
_WIDEST_SWAPPED = 60


@dataclass(frozen=True)
class Places:
    """Where nodes stand: row counts upwards from 0, x in points; bends are where long edges pass rows."""

    row: dict[Key, int]
    x: dict[Key, float]
    bends: dict[Edge, tuple[tuple[int, float], ...]]


def lay_out_rows(
    widths: Mapping[Key, float], edges: Sequence[Edge], heavy: Sequence[Edge] = (), gap: float = 20.0,
    least: Mapping[Edge, int] | None = None,
) -> Places:  # fmt: skip
    """Lay out an acyclic graph in rows.

    Args:
        widths: how wide each node is, points, in the order in which to draw where nothing else decides.
        edges: (tail, head); no cycle.
        heavy: those of the edges that shall be vertical before others.
        gap: free points between neighbours in a row.
        least: how many rows an edge passes at least; 1 for those that are not named.

    Returns:
        The Places; x = 0 at the first heavy edge if there is one, else at the left.

    Raises:
        ValueError: the edges close a cycle.

    Example:
        >>> places = lay_out_rows({"x": 40, "s": 40, "y": 40}, [("x", "s"), ("s", "y")])
        >>> places.row, places.x
        ({'x': 0, 's': 1, 'y': 2}, {'x': 0.0, 's': 0.0, 'y': 0.0})

    Notes:
        About the number of rows' edges times a constant number of sweeps.
    """
    edges = [edge for edge in dict.fromkeys(edges) if edge[0] != edge[1]]
    row = assign_rows(list(widths), edges, least)
    links, chains = _add_bends(edges, row)
    wide = dict(widths) | {bend: _BEND_WIDTH for chain in chains.values() for bend in chain}
    where = dict(row) | {bend: bend[2] for chain in chains.values() for bend in chain}
    rows: list[list[Key]] = [[] for _ in range(max(row.values(), default=-1) + 1)]
    for key, level in where.items():
        rows[level].append(key)
    rows = _untangle(rows, links)
    x = _place_along_rows(rows, links, wide, set(heavy), gap)
    zero = x[heavy[0][0]] if heavy else min(x.values(), default=0.0)
    x = {key: round(value - zero, 1) + 0.0 for key, value in x.items()}
    bends = {edge: tuple((bend[2], x[bend]) for bend in chain) for edge, chain in chains.items() if chain}
    return Places(row, {key: x[key] for key in widths}, bends)


def _add_bends(edges: Sequence[Edge], row: Mapping[Key, int]) -> tuple[list[Edge], dict[Edge, list[tuple]]]:
    """Return edges cut into links between neighbouring rows, and for each edge the bends put in between."""
    links: list[Edge] = []
    chains: dict[Edge, list[tuple]] = {}
    longest = _LONGEST_BENT if sum(row[head] - row[tail] for tail, head in edges) > _MOST_BENDS else len(row)
    for i, (tail, head) in enumerate(edges):
        chain = [("bend", i, level) for level in range(row[tail] + 1, row[head])]
        if len(chain) > longest:
            chains[tail, head] = []
            continue
        chains[tail, head] = chain
        stops = [tail, *chain, head]
        links += list(itertools.pairwise(stops))
    return links, chains


def _list_neighbours(links: Iterable[Edge]) -> tuple[dict[Key, list[Key]], dict[Key, list[Key]]]:
    below: dict[Key, list[Key]] = {}
    above: dict[Key, list[Key]] = {}
    for tail, head in links:
        below.setdefault(head, []).append(tail)
        above.setdefault(tail, []).append(head)
    return below, above


def _untangle(rows: list[list[Key]], links: Sequence[Edge]) -> list[list[Key]]:
    """Return the rows reordered to cross few links: sweeps of barycentres up and down, the best order kept."""
    below, above = _list_neighbours(links)
    best, fewest = rows, _count_crossings(rows, below)
    current = [list(row) for row in rows]
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        upwards = sweep % 2 == 0
        levels = range(1, len(rows)) if upwards else range(len(rows) - 2, -1, -1)
        for level in levels:
            fixed = current[level - 1] if upwards else current[level + 1]
            _sort_by_barycentre(current[level], fixed, below if upwards else above)
        _swap_neighbours(current, below, above)
        crossed = _count_crossings(current, below)
        if crossed < fewest:
            best, fewest = [list(row) for row in current], crossed
    return best


def _sort_by_barycentre(row: list[Key], fixed: Sequence[Key], links: Mapping[Key, list[Key]]) -> None:
    place = {key: i for i, key in enumerate(fixed)}
    weight = {}
    for i, key in enumerate(row):
        seen = [place[other] for other in links.get(key, ())]
        weight[key] = sum(seen) / len(seen) if seen else float(i)
    row.sort(key=weight.__getitem__)


def _swap_neighbours(rows: list[list[Key]], below: Mapping[Key, list[Key]], above: Mapping[Key, list[Key]]) -> None:
    for level, row in enumerate(rows):
        if len(row) > _WIDEST_SWAPPED:
            continue
        places = [
            {key: i for i, key in enumerate(rows[other])} if 0 <= other < len(rows) else {} for other in (level - 1, level + 1)
        ]
        for i in range(len(row) - 1):
            left, right = row[i], row[i + 1]
            gain = 0
            for links, place in zip((below, above), places, strict=True):
                lefts = [place[other] for other in links.get(left, ())]
                rights = [place[other] for other in links.get(right, ())]
                gain += sum((a > b) - (a < b) for a in lefts for b in rights)
            if gain > 0:
                row[i], row[i + 1] = right, left


def _count_crossings(rows: Sequence[Sequence[Key]], below: Mapping[Key, list[Key]]) -> int:
    """Return how many pairs of links cross: inversions, counted row by row."""
    total = 0
    for lower, upper in itertools.pairwise(rows):
        place = {key: i for i, key in enumerate(lower)}
        seen: list[int] = []
        for key in upper:
            spots = sorted(place[other] for other in below.get(key, ()))
            total += sum(len(seen) - bisect_right(seen, spot) for spot in spots)
            for spot in spots:
                insort(seen, spot)
    return total


def _place_along_rows(
    rows: Sequence[Sequence[Key]], links: Sequence[Edge], wide: Mapping[Key, float], heavy: set[Edge], gap: float
) -> dict[Key, float]:
    """Return a place along its row for each node: columns first, then each column is attracted to its links."""
    column = _find_columns(rows, links, heavy)
    least: dict[tuple[Key, Key], float] = {}
    for row in rows:
        for left, right in itertools.pairwise(row):
            pair = (column[left], column[right])
            least[pair] = max(least.get(pair, 0.0), (wide[left] + wide[right]) / 2 + gap)
    lefts: dict[Key, list[tuple[Key, float]]] = {}
    rights: dict[Key, list[tuple[Key, float]]] = {}
    for (left, right), distance in least.items():
        lefts.setdefault(right, []).append((left, distance))
        rights.setdefault(left, []).append((right, distance))
    order = _sort_left_to_right(list(dict.fromkeys(column[key] for row in rows for key in row)), lefts, rights)
    x: dict[Key, float] = {}
    for key in order:
        x[key] = max((x[left] + distance for left, distance in lefts.get(key, ())), default=0.0)
    pulls = _list_pulls(links, column, heavy)
    # A column that reads nothing and stands at the end of its rows gives way to columns that have a wish.
    reads = {column[head] for tail, head in links if column[tail] != column[head]}
    gives_way = {key for key in order if key not in reads and not (rights.get(key) and lefts.get(key))}
    # But not where their reader reads nothing else: the two would push each other along.
    for key, pull in pulls.items():
        if key in reads and not reads.intersection(other for other, _ in pull):
            gives_way -= {other for other, _ in pull}
    # What reads nothing and has one reader is pushed along by what reads something, as far as there is room.
    pushed = {key for key, pull in pulls.items() if key not in reads | gives_way and len(pull) == 1}
    for sweep in range(60):
        for key in reversed(order) if sweep % 2 == 0 else order:
            pull = pulls.get(key, [])
            if not pull:
                continue
            wish = sum(x[other] * weight for other, weight in pull) / sum(weight for _, weight in pull)
            moved = pushed if key in reads else set()
            yields = gives_way if key not in gives_way else set()
            low, high = (_list_bounds(key, x, beside, sign, moved, yields) for beside, sign in ((lefts, 1), (rights, -1)))
            x[key] = max([min([wish, *high]), *low])
            x |= {left: min(x[left], x[key] - d) for left, d in lefts.get(key, ()) if left in moved}
            x |= {right: max(x[right], x[key] + d) for right, d in rights.get(key, ()) if right in moved}
    for key in order:
        x[key] = max([x[key], *(x[left] + d for left, d in lefts.get(key, ()) if left not in gives_way or lefts.get(left))])
    for key in reversed(order):
        if key in gives_way and not lefts.get(key):
            x[key] = min([x[key], *(x[right] - d for right, d in rights.get(key, ()))])
        elif key not in pulls and lefts.get(key):  # of no edge at all: beside what stands left of it
            x[key] = min([max(x[left] + d for left, d in lefts[key]), *(x[right] - d for right, d in rights.get(key, ()))])
    return {key: x[column[key]] for row in rows for key in row}


def _list_bounds(
    key: Key, x: Mapping[Key, float], beside: Mapping[Key, list[tuple[Key, float]]], sign: int, moved: set[Key],
    yields: set[Key],
) -> list[float]:  # fmt: skip
    """Return how far a column can go to one side: to its neighbours there, or, of those that it moves, to theirs."""
    bounds = []
    for other, d in beside.get(key, ()):
        if other in moved:
            bounds += [x[end] + sign * (far + d) for end, far in beside.get(other, ())]
        elif other not in yields:
            bounds.append(x[other] + sign * d)
    return bounds


def _list_pulls(links: Sequence[Edge], column: Mapping[Key, Key], heavy: set[Edge]) -> dict[Key, list[tuple[Key, float]]]:
    """Return the columns that each column is attracted to: (column, weight).

    A column stands over the middle of what it reads; one that reads nothing, under the middle of its readers.
    """
    pulls: dict[Key, list[tuple[Key, float]]] = {}
    settled = {head for _, head in heavy}  # stands over its heavy edge, whatever else it reads
    for upwards in (True, False):
        found: dict[Key, list[tuple[Key, float]]] = {}
        for tail, head in links:
            lower, upper = column[tail], column[head]
            if lower != upper and not (upwards and head in settled and (tail, head) not in heavy):
                weight = 8.0 if (tail, head) in heavy else 1.0
                found.setdefault(upper if upwards else lower, []).append((lower if upwards else upper, weight))
        pulls = found | pulls
    return pulls


def spread_out(wishes: Sequence[tuple[float, float]]) -> list[float]:
    """Return places along a line, in the given order, that do not overlap and are as close to the wishes as possible.

    Args:
        wishes: (wished centre, width) each, points.

    Returns:
        The centres; what would overlap is packed side by side around its common wish (pool adjacent violators).

    Example:
        >>> spread_out([(0.0, 40.0), (0.0, 40.0), (100.0, 10.0)])
        [-20.0, 20.0, 100.0]
    """
    packs: list[tuple[float, float, int, float]] = []  # sum of wishes for the first centre, offset of the last, size, width
    offsets: list[float] = []
    for wish, width in wishes:
        offsets.append(0.0)
        packs.append((wish, 0.0, 1, width))
        while len(packs) > 1:
            (total, reach, size, last), (other, more, count, width) = packs[-2:]
            first = len(offsets) - count
            step = (last + wishes[first][1]) / 2
            if other / count >= total / size + reach + step:
                break
            for i in range(first, len(offsets)):
                offsets[i] += reach + step
            packs[-2:] = [(total + other - count * (reach + step), reach + step + more, size + count, width)]
    starts = [total / size for total, _, size, _ in packs for _ in range(size)]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]


def _find_columns(rows: Sequence[Sequence[Key]], links: Sequence[Edge], heavy: set[Edge]) -> dict[Key, Key]:
    """Return for each node the lowest of its column: heavy and one-to-one links are vertical, where they do not cross."""
    below, above = _list_neighbours(links)
    place = {key: (level, i) for level, row in enumerate(rows) for i, key in enumerate(row)}
    column = {key: key for row in rows for key in row}
    taken: dict[int, list[tuple[int, int]]] = {}
    joined: dict[Key, Key] = {}
    single = [edge for edge in links if edge not in heavy and len(above[edge[0]]) == 1 == len(below[edge[1]])]
    for tail, head in [edge for edge in links if edge in heavy] + single:
        (level, i), (_, j) = place[tail], place[head]
        pairs = taken.setdefault(level, [])
        if all((i - a) * (j - b) > 0 for a, b in pairs):
            pairs.append((i, j))
            joined[head] = tail
    for row in rows:
        for key in row:
            column[key] = column[joined[key]] if key in joined else key
    return column


def _sort_left_to_right(
    keys: Sequence[Key], lefts: Mapping[Key, list[tuple[Key, float]]], rights: Mapping[Key, list[tuple[Key, float]]]
) -> list[Key]:
    """Return columns in an order in which each comes after all to its left; columns do not cross, so there is one."""
    waiting = {key: len(lefts.get(key, ())) for key in keys}
    order = [key for key in keys if not waiting[key]]
    for key in order:  # grows while it is read
        for right, _ in rights.get(key, ()):
            waiting[right] -= 1
            if not waiting[right]:
                order.append(right)
    return order
