"""Checks of a new graph: names, equations, causality, boundary rows.

A graph is causal if a schedule exists. A strongly connected component is computed step by step along an axis on which all of
its shifts point one way; with these shifts cut, the rest must be schedulable in turn over other axes (Karp, Miller & Winograd
1967; Allen & Kennedy 1987).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, CycleError, NameClashError, StateError
from autograd_seq.core.node import Node
from autograd_seq.graph.order import find_components, find_shortest_cycle, get_rows, get_shift_rows, get_sources, same_step
from autograd_seq.ops.forms import rewritten
from autograd_seq.ops.leaf import INPUT, PARAM
from autograd_seq.ops.reduce import max_over
from autograd_seq.ops.state import CLOSED, EQUILIBRIUM, STATE, UNDEFINED
from autograd_seq.ops.steps import get_delay, reads_any_step
from autograd_seq.ops.time import ALONG, AT, SHIFT, find_row_owner

if TYPE_CHECKING:
    from autograd_seq.graph.system import System

Name = Callable[[Node], str]


def check_axis_names(nodes: Sequence[Node]) -> tuple[Axis, ...]:
    """Return the axes in layout order: as inputs declare them, then states, then the rest.

    If an input over b comes before one over (t, b), t is still first; if two inputs declare opposite orders, the first one
    wins.

    Raises:
        NameClashError: two axes have one name.
    """
    ranked = sorted(nodes, key=lambda n: 0 if n.op is INPUT and not n.attrs else 1 if n.op in CLOSED else 2)
    extra = [a for n in nodes for a in (n.attrs.get("axis"), n.attrs.get("other")) if isinstance(a, Axis)]
    met = list(dict.fromkeys([a for n in ranked for a in n.axes] + extra))
    before: dict[Axis, set[Axis]] = {a: set() for a in met}
    for n in ranked:
        for first, second in pairwise(n.axes if n.op in (INPUT, *CLOSED) else ()):
            if first not in _list_later_axes(before, second):
                before[second].add(first)
    axes: list[Axis] = []
    while left := [a for a in met if a not in axes]:
        axes.append(next(a for a in left if before[a].issubset(axes)))
    names: dict[str, Axis] = {}
    for axis in axes:
        if names.setdefault(axis.name, axis) is not axis:
            raise NameClashError(
                "G301", f'two axes are named "{axis.name}"', node=axis.name,
                expected="one ag.Axis object for each axis", got="two of the same name",
                fix="make the axis once, and use it in every equation",
            )  # fmt: skip
    return tuple(axes)


def _list_later_axes(before: dict[Axis, set[Axis]], axis: Axis) -> set[Axis]:
    """Return the axes that come after one."""
    found = {a for a, firsts in before.items() if axis in firsts}
    return found.union(*(_list_later_axes(before, a) for a in found))


def check_names(nodes: Sequence[Node]) -> None:
    """Refuse two nodes of one name: values are fed and looked up by name."""
    named: dict[str, Node] = {}
    for node in nodes:
        if node.name is None or named.setdefault(node.name, node) is node:
            continue
        first, leaf = named[node.name], node.op in (INPUT, PARAM, *CLOSED)
        raise NameClashError(
            "G302", f'two nodes are named "{node.name}"', node=node.name, where=node.where,
            expected="one node a name", got=f"{first!r} ({first.where or 'no line'}) and {node!r}",
            fix=['declare it once and read it often; layers take name="…"'] * leaf + ['with ag.scope("first"): prefixes names'],
        )  # fmt: skip


def check_defined(nodes: Sequence[Node], name: Name) -> None:
    """Refuse states without an equation."""
    for node in nodes:
        if node.op in CLOSED and node.inputs[0] is UNDEFINED:
            over = ", ".join(a.name for a in node.axes) or "..."
            raise StateError(
                "G210", f"{node.op.name} {name(node)} is never defined", node=node.name, where=node.where,
                expected=f"an equation {name(node)}[{over}] = …", got="none", fix="write it before the graph is made",
            )  # fmt: skip


def check_causal(nodes: Sequence[Node], name: Name) -> None:
    """Refuse a value that depends on itself within one step, and a component for which no schedule exists.

    Raises:
        CycleError: with the whole path, and the reads whose delay would break it.
        StateError: a boundary row depends on the recurrence that it starts.
    """
    position = {n: i for i, n in enumerate(nodes)}
    same = [(position[x], position[n]) for n in nodes for x in same_step(n)]
    for cycle in _find_cyclic(len(nodes), same):
        raise _make_cycle_error([nodes[i] for i in cycle], name)
    full = same + [(position[n.inputs[0]], position[n]) for n in nodes if n.op is EQUILIBRIUM or get_delay(n)]
    for cycle in _find_cyclic(len(nodes), full):
        _check_schedulable([nodes[i] for i in cycle], name)


def _find_cyclic(count: int, edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    if all(a < b for a, b in edges):
        return []
    loops = {a for a, b in edges if a == b}
    return [c for c in find_components(count, edges) if len(c) > 1 or c[0] in loops]


def _make_cycle_error(cycle: list[Node], name: Name) -> CycleError | StateError:
    within = set(cycle)
    start = next((n for n in cycle if n.op is STATE and n.name), cycle[0])
    path = find_shortest_cycle(start, same_step, within) or [start, start]
    shown = [n for i, n in enumerate(path) if i == 0 or n.op is not rewritten or n.name]
    arrows = " → ".join(name(n) for n in shown)
    where = next((n.where for n in path[1:] if n.where), start.where)
    for a, b in pairwise(path):
        if a.op is SHIFT and b in get_shift_rows(a):
            return StateError(
                "G211", f"a boundary row of {name(a.inputs[0])} depends on the recurrence that it starts",
                node=name(a.inputs[0]), where=where, detail=arrows,
                fix="start from a parameter, an input, or a value that the recurrence does not reach",
            )  # fmt: skip
    renamed = _list_renamed(path)
    free = [a for a in start.axes if a not in renamed and all(a in n.axes for n in path)]
    if not free:  # no delay would help: a node on the path needs all steps
        culprit = next(n for n, x in pairwise(path) if n.op is ALONG or reads_any_step(n) or set(x.axes) - set(n.axes))
        needed = [a for a in start.axes if a in renamed or a not in culprit.axes]
        return _make_all_steps_error(start, needed, culprit, arrows, name)
    reads = [(b, a) for a, b in pairwise(path) if b.op is STATE]
    fixes = []
    for state, reader in reads:
        over = ", ".join(a.name for a in state.axes)
        at = f" in {reader.where}" if reader.where else ""
        delayed = ", ".join(f"{a.name} - 1" if a is free[0] else a.name for a in state.axes)
        fixes.append(f"{name(state)}[{over}]{at} → {name(state)}[{delayed}]")
    first, *others = dict.fromkeys(fixes)
    return CycleError(
        "G101", f"{name(start)} depends on itself within one step", node=name(start),
        detail=arrows + (f"      ({where})" if where else ""),
        fix=["delay one of these reads: " + first, *(f"  or {other}" for other in others),
             f'or solve it as a fixed point: ag.equilibrium("{name(start)}", …)'],
    )  # fmt: skip


# -- a schedule must exist --------------------------------------------------------------------------------------------


def _list_renamed(nodes: Sequence[Node]) -> set[Axis]:
    """Return the axes along which some nodes read any step: under another name, or one that a value names."""
    found = {a for n in nodes if n.op is ALONG for a in (n.attrs["axis"], n.attrs["other"])}
    return found | {n.attrs["axis"] for n in nodes if reads_any_step(n)}


def find_loop_axis(component: Sequence[Node]) -> tuple[Axis, int] | None:
    """Return an axis along which a cyclic component can be computed step by step, and the direction (+1 or −1).

    On such an axis every node of the component varies, nothing in it reads the axis under another name, and all reads of other
    steps inside the component point one way.
    """
    within = set(component)
    inside = [n for n in component if get_delay(n) and n.inputs[0] in within]
    renamed = _list_renamed(component)
    for axis in dict.fromkeys(n.attrs["axis"] for n in inside):
        signs = {get_delay(n) > 0 for n in inside if n.attrs["axis"] is axis}
        if len(signs) == 1 and axis not in renamed and all(axis in n.axes for n in component):
            return axis, 1 if signs.pop() else -1
    return None


def is_iterated(component: Sequence[Node]) -> bool:
    """Tell whether a cyclic component passes through an equilibrium, so that iteration computes it."""
    within = set(component)
    return any(n.op is EQUILIBRIUM and n.inputs[0] in within for n in component)


def cut_shifts(component: Sequence[Node], axis: Axis) -> list[list[Node]]:
    """Return the cyclic components that are left when the reads of other steps of ``axis`` are cut."""
    return _cut(component, lambda n: bool(get_delay(n)) and n.attrs["axis"] is axis)


def cut_equilibria(component: Sequence[Node]) -> list[list[Node]]:
    """Return the cyclic components that are left when each iteration computes an equilibrium from the one before."""
    return _cut(component, lambda n: n.op is EQUILIBRIUM)


def _cut(component: Sequence[Node], ends: Callable[[Node], bool]) -> list[list[Node]]:
    position = {n: i for i, n in enumerate(component)}
    reads = [(x, n) for n in component for x in (same_step(n) if ends(n) else get_sources(n))]
    edges = [(position[x], position[n]) for x, n in reads if x in position]
    return [[component[i] for i in c] for c in _find_cyclic(len(component), edges)]


def _check_schedulable(component: list[Node], name: Name) -> None:
    pending = [component]
    while pending:
        part = pending.pop()
        found = find_loop_axis(part)
        if found is not None:
            pending += cut_shifts(part, found[0])
        elif is_iterated(part):
            _check_starts(part, name)
            pending += cut_equilibria(part)
        else:
            raise _make_unschedulable_error(part, name)


def _check_starts(part: list[Node], name: Name) -> None:
    """Refuse an equilibrium that starts from what it is at another step, where all steps are solved together."""
    for n in part:
        if n.op is EQUILIBRIUM and set(n.inputs[1:]) & set(part):
            raise CycleError(
                "G104", f"{name(n)} starts from {name(n.inputs[1])}, but its steps are solved together", node=n.name,
                where=n.where, expected="steps solved one after the other", got="an equation that reads all, or both ways",
                fix="no start=",
            )  # fmt: skip


def _make_unschedulable_error(part: list[Node], name: Name) -> CycleError:
    within = set(part)
    inside = [n for n in part if get_delay(n) and n.inputs[0] in within]
    start = next((n for n in part if n.op is STATE and n.name), part[0])
    arrows = " → ".join(name(n) for n in find_shortest_cycle(start, get_sources, within))
    for axis in dict.fromkeys(n.attrs["axis"] for n in inside):
        back = next((n for n in inside if n.attrs["axis"] is axis and get_delay(n) > 0), None)
        ahead = next((n for n in inside if n.attrs["axis"] is axis and get_delay(n) < 0), None)
        if back is not None and ahead is not None:
            return CycleError(
                "G102", f"{name(start)} depends on both earlier and later steps of {axis}", node=name(start), detail=arrows,
                got=f"{name(back)} ({back.where or 'no line'}) and {name(ahead)} ({ahead.where or 'no line'}) in one cycle",
                fix="give each direction a state of its own, as in a bidirectional network",
            )  # fmt: skip
    axes = dict.fromkeys(n.attrs["axis"] for n in inside)
    culprit = next((n for n in part if any(a not in n.axes for a in axes) or n.op is ALONG or reads_any_step(n)), start)
    return _make_all_steps_error(start, list(axes), culprit, arrows, name)


def _make_all_steps_error(start: Node, axes: Sequence[Axis], culprit: Node, arrows: str, name: Name) -> CycleError:
    over = ", ".join(a.name for a in axes)
    return CycleError(
        "G103", f"{name(start)} depends on itself through all steps of {over}", node=name(start), where=culprit.where,
        detail=arrows, got=f"{name(culprit)}, which needs every step before the first is computed",
        fix="reduce over an axis only what the recurrence does not need, or read the running value of a state; "
        "ag.take(…, earlier=True) reads earlier steps by value",
    )  # fmt: skip


# -- boundary rows ----------------------------------------------------------------------------------------------------


def check_boundary_rows(nodes: Sequence[Node], name: Name) -> None:
    """Refuse a list of boundary rows whose number is not the longest delay: with fewer rows, some read has no value.

    A graph that contains only some of the reads of a state (its gradient, say) may need fewer rows than there are.
    """
    longest: dict[tuple[Node, Axis, str], tuple[int, Node]] = {}
    for node in nodes:
        if node.op is not SHIFT or node.attrs["outside"] == "zero":
            continue
        source, axis, by = find_row_owner(node.inputs[0]), node.attrs["axis"], node.attrs["by"]
        key = (source, axis, "init" if by > 0 else "final")
        if abs(by) > longest.get(key, (0, node))[0]:
            longest[key] = abs(by), node
    for (source, axis, side), (needed, reader) in longest.items():
        bound, given = get_rows(source, axis, side)
        if bound is None or bound.rows is None or bound.rows == needed:
            continue
        if needed < bound.rows <= source.attrs["reach"].get((axis, side), 0):
            continue
        raise StateError(
            "G212", f"{name(source)} has {len(given)} {side} rows, but {name(reader)} needs {needed}", node=name(source),
            where=source.where, expected=f"a list of {needed}, in time order", got=str(len(given)),
            fix="one row for each step that is read outside: "
            f"{side}=[{', '.join(_list_row_names(name(source), axis, side, needed))}]",
        )  # fmt: skip


def check_read(nodes: Sequence[Node], name: Name) -> None:
    """Refuse boundary rows that nothing reads: most likely the other side, or another state, was meant."""
    for node in nodes:
        if node.op is not STATE or node.attrs["inherits"]:
            continue
        reach = node.attrs["reach"]
        unread = [(b.axis, b.side) for b in node.attrs["bounds"] if (b.axis, b.side) not in reach]
        unread += [(None, side) for side in node.attrs.get("waiting", ()) if all(b.side != side for b in node.attrs["bounds"])]
        for axis, side in unread:
            t, other, where = axis or node.axes[0], *_OTHER[side]
            swapped = (t, other) in reach
            raise StateError(
                "G214", f"nothing reads {side}= of {name(node)}", node=name(node), where=node.where,
                expected=f"a read of {name(node)}[{t} {'-' if side == 'init' else '+'} 1]",
                got=f"reads that go to {other}=" if swapped else "none",
                fix=f"{other}= sets the rows {where} step" if swapped else f"leave {side}= out",
            )  # fmt: skip


_OTHER = {"init": ("final", "after the last"), "final": ("init", "before the first")}


def _list_row_names(state: str, axis: Axis, side: str, count: int) -> list[str]:
    if side == "init":
        return [f"{state}[{k}]" for k in range(-count, 0)]
    return [f"{state}[{axis.name.upper()}{f' + {k}' if k else ''}]" for k in range(count)]


# -- lengths ----------------------------------------------------------------------------------------------------------


def make_too_short_error(node: Node, n: int, name: Name, sequence: str = "") -> AxisError:
    """Return the error of picking a step that an axis of ``n`` steps does not have, in a sequence if there are several."""
    axis, index = node.attrs["axis"], node.attrs["index"]
    return AxisError(
        "A207", f"{name(node.inputs[0])} has no step {index}{_name_sequence(sequence)}", node=name(node), where=node.where,
        expected=f"at least {index + 1 if index >= 0 else -index} steps of {axis}", got=f"{axis}={n}",
        fix='ag.at(…, outside="zero") reads 0 there',
    )  # fmt: skip


def make_empty_maximum_error(node: Node, name: Name, sequence: str = "") -> AxisError:
    """Return the error of taking the maximum of no points, in a sequence if there are several."""
    over = ", ".join(a.name for a in node.attrs["axes"])
    return AxisError(
        "A208", f"{name(node)} is a maximum over no steps{_name_sequence(sequence)}", node=name(node), where=node.where,
        expected=f"at least one step of {over}", got=f"{over}=0",
    )  # fmt: skip


def _name_sequence(sequence: str) -> str:
    return f" in the sequence {sequence}" if sequence else ""


def check_lengths(graph: System, sizes: dict[Axis, int]) -> None:
    """Refuse lengths with which some node has nothing to read.

    Raises:
        AxisError: naming the node.
    """
    for node in graph.nodes:
        if node.op is AT and node.attrs["outside"] == "error" and all(sizes[a] for a in node.axes):
            n, index = sizes[node.attrs["axis"]], node.attrs["index"]
            if not -n <= index < n:
                raise make_too_short_error(node, n, graph.name)
        if node.op is max_over and all(sizes[a] for a in node.axes) and not all(sizes[a] for a in node.attrs["axes"]):
            raise make_empty_maximum_error(node, graph.name)
