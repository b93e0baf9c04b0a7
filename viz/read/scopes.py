"""Scopes collapsed to one vertex each: an encoder, an attention, a layer as one box."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from math import prod

from autograd_seq.core.node import Node
from autograd_seq.ops.leaf import INPUT, PARAM
from viz.errors import DrawError
from viz.read.graph import Folder, Read, Reading
from viz.read.reaches import find_reaches


def choose_scopes(reading: Reading, depth: int | None, collapse: Collection[str] | Callable[[str], bool] | None) -> list[str]:
    """Return the scopes to collapse, none of them within another.

    Args:
        reading: the graph.
        depth: all scopes at this depth: 1 collapses "encoder", 2 "encoder/0".
        collapse: names of scopes, or a function that tells for a scope's name whether to collapse it.

    Raises:
        DrawError: there is no scope of a name, or depth is no depth.
    """
    scopes = sorted({"/".join(parts[:i]) for parts in _list_scopes(reading) for i in range(1, len(parts) + 1)})
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 1):
        raise DrawError(
            "P213", f"depth={depth!r:.40} is no depth of scopes", expected="an integer, 1 or more", got=f"{depth!r:.40}"
        )
    chosen = [scope for scope in scopes if depth is not None and scope.count("/") == depth - 1]
    if depth is not None and not chosen and depth > 1:
        deepest = max((scope.count("/") + 1 for scope in scopes), default=0)
        raise DrawError("P260", f"no scope lies at depth {depth}", expected=f"at most {deepest}" if deepest else "scopes",
                        got=f"depth={depth}", fix="depth=1 draws the outermost scopes as boxes")  # fmt: skip
    if callable(collapse):
        chosen += [scope for scope in scopes if collapse(scope)]
    elif collapse is not None:
        names = [collapse] if isinstance(collapse, str) else list(collapse)
        for name in names:
            if name not in scopes:
                raise DrawError("P214", f"there is no scope {name!r:.60}", expected=f"one of {', '.join(scopes[:8]) or 'none'}",
                                got=f"{name!r:.60}", fix='with ag.scope("encoder"): … names one')  # fmt: skip
        chosen += names
    return [scope for scope in dict.fromkeys(chosen) if not any(_is_within(scope, other) for other in chosen if other != scope)]


def _list_scopes(reading: Reading) -> Iterable[list[str]]:
    return [scope.split("/") for vertex in reading.vertices if (scope := get_scope(vertex))]


def get_scope(vertex: Node) -> str:
    """Return the scope in which a vertex was made, "" for none; inputs belong to none, whatever their name."""
    if vertex.op is INPUT:
        return ""
    return vertex.name.rpartition("/")[0] if vertex.name else vertex.scope


def _is_within(scope: str, other: str) -> bool:
    return scope == other or scope.startswith(other + "/")


def collapse_scopes(reading: Reading, scopes: Collection[str]) -> Reading:
    """Return the reading with one vertex for each of the scopes, which reads what any vertex of the scope read from outside.

    Raises:
        DrawError: what leaves a scope comes back into it within one step, so that a box could not be computed at once.
    """
    groups: dict[str, list[Node]] = {}
    for vertex in reading.vertices:
        scope = next((scope for scope in scopes if _is_within(get_scope(vertex), scope)), None)
        if scope is not None:
            groups.setdefault(scope, []).append(vertex)
    box: dict[Node, Node] = {}
    folders: dict[Node, Folder] = {}
    ahead: dict[Node, str] = {}  # which steps are read of what the sequence reads along an axis of its own
    reaches = find_reaches(reading)
    for scope, members in groups.items():
        computed = [vertex for vertex in members if vertex.op is not PARAM]
        if not computed:
            continue
        inside = set(members)
        shared = {p for p in members if p.op is PARAM and any(_is_apart(r, scope, inside, reading) for r in reading.readers[p])}
        read = [v for v in computed if v in reading.outputs or any(r not in inside for r in reading.readers[v])]
        face = max(read or computed, key=lambda vertex: len(vertex.axes))
        count = sum(prod(p.shape) for p in inside if p.op is PARAM and p not in shared)
        folders[face] = Folder(scope, count, len(computed))
        box |= dict.fromkeys(inside - shared, face)
        ahead |= _find_ahead(computed, reading, reaches)
    out = Reading(axes=reading.axes, folders=folders)
    out.outputs = dict.fromkeys(box.get(vertex, vertex) for vertex in reading.outputs)
    reads: dict[Node, dict[Read, None]] = {}
    for vertex in reading.vertices:
        here = box.get(vertex, vertex)
        found = reads.setdefault(here, {})
        for item in reading.reads[vertex]:
            below = box.get(item.vertex, item.vertex)
            if below is not here or item.shifts:
                whole = item.whole or (ahead.get(vertex, "") if below is not here else "")
                found[replace(item, vertex=below, whole=whole)] = None
        rows = [(axis, i, box.get(node, node)) for axis, i, node in reading.starts[vertex]]
        out.starts[here] = (*out.starts.get(here, ()), *(row for row in rows if row[2] is not here))
    out.vertices = _sort(reads, folders)
    for vertex in out.vertices:
        unique = {(id(item.vertex), item.shifts, item.whole): item for item in reads[vertex]}
        out.reads[vertex] = tuple(unique.values())
        folder = folders.get(vertex)
        out.names[vertex] = folder.scope if folder else reading.names[vertex]
    return out


def _is_apart(reader: Node, scope: str, inside: set[Node], reading: Reading) -> bool:
    """Return whether a reader of a parameter of a scope belongs elsewhere; its result does not, if it has a name of its own."""
    if reader in inside:
        return False
    goes_on = any(item.vertex in inside and item.vertex.op is not PARAM for item in reading.reads[reader])
    return not (goes_on and reader.scope and _is_within(reader.scope, scope))


def _find_ahead(members: list[Node], reading: Reading, reaches: dict[Node, str]) -> dict[Node, str]:
    """Return the vertices of a scope of which every step reads many later in it, as attention does, and which these are."""
    inside = set(members)
    found = {vertex: reaches[vertex] for vertex in members if vertex in reaches}
    waiting = list(found)
    while waiting:
        reader = waiting.pop()
        for read in reading.reads[reader]:
            if read.vertex in inside and read.vertex not in found:
                found[read.vertex] = found[reader]
                waiting.append(read.vertex)
    return found


def _sort(reads: dict[Node, dict[Read, None]], folders: dict[Node, Folder]) -> list[Node]:
    """Return the vertices, each after what it reads within one step, otherwise in their order."""
    below = {vertex: {item.vertex for item in found if not item.shifts} for vertex, found in reads.items()}
    order: list[Node] = []
    done: set[Node] = set()
    open_: set[Node] = set()
    for root in reads:
        stack = [(root, False)]
        while stack:
            vertex, leave = stack.pop()
            if leave:
                open_.discard(vertex)
                done.add(vertex)
                order.append(vertex)
            elif vertex in open_ and vertex not in done:
                continue
            elif vertex not in done:
                open_.add(vertex)
                stack.append((vertex, True))
                for node in reads[vertex]:
                    if node.vertex in below[vertex] and not node.shifts:
                        if node.vertex in open_:
                            _refuse(vertex, node.vertex, folders)
                        if node.vertex not in done:
                            stack.append((node.vertex, False))
    return order


def _refuse(vertex: Node, other: Node, folders: dict[Node, Folder]) -> None:
    folder = folders.get(vertex) or folders.get(other) or next(iter(folders.values()))
    raise DrawError("P215", f"scope {folder.scope!r:.60} is no box: what leaves it comes back into it within one step",
                    expected="scopes that are computed at once", got=f"{folder.scope!r:.60}",
                    fix="collapse a scope around it, or those within it")  # fmt: skip
