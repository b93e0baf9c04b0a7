"""Loops in native code that end before the last step: after one at which a truth value is false everywhere."""

from __future__ import annotations

from autograd_seq.core.node import Node
from autograd_seq.emit.native.lines import LineWriter
from autograd_seq.emit.places import Entry
from autograd_seq.plan.memory.views import get_root


def clear_steps(w: LineWriter, end: Node) -> None:
    """Write, before a loop, that a truth value is false at all steps: those that the loop leaves out stay so."""
    root = get_root(end)
    with w.open_loops(w.list_lifted_loops(w.storage.homes[root].axes)):
        w.add_line(f"{w.write_element(Entry(root, w.get_point(root), ()))} = False")


def leave_loop(w: LineWriter, end: Node) -> None:
    """Write, at the end of a step, that the loop is left if the truth value is false everywhere."""
    root, going = get_root(end), w.names.new("going")
    w.add_line(f"{going} = False")
    with w.open_loops(w.list_lifted_loops(w.storage.homes[root].axes)):
        w.add_line(f"{going} = {going} or {w.write_element(Entry(root, w.get_point(root), ()))}")
    w.add_line(f"if not {going}:")
    w.add_line("    break")


__all__ = ["clear_steps", "leave_loop"]
