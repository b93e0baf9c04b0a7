"""Breaking the compiler on purpose: whether the tests would notice.

Tests break it here and nowhere else, through what the engine declares: the records of ``pipeline.LIST``, the two steps that
every plan takes (``make_legal`` and ``Storage``), and the public data of these. So what happens inside of a pass may be moved
and renamed freely. Only wrong numbers count as noticed: a KeyError says that the sabotage is out of date, not that it is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

import autograd_seq as ag
from autograd_seq.core.sites import stand_for
from autograd_seq.graph.rebuild import rebuild
from autograd_seq.ops.parts import CONCAT
from autograd_seq.plan import pipeline
from autograd_seq.plan.memory.storage import Storage

Wrong = Callable[[ag.Node, tuple[ag.Node, ...]], ag.Node | None]
"""``wrong(node, inputs)`` returns what is to stand for a node, or ``None`` where the node is to stay."""


def break_pass(monkeypatch: pytest.MonkeyPatch, name: str, wrong: Wrong, every: bool = False) -> None:
    """Change the nodes that a pass makes itself; with ``every`` also those that it keeps or copies."""
    mark = f"made by the pass {name}", 0

    def spoil(given: pipeline.CompilerPass) -> pipeline.CompilerPass:
        right = given.run
        if given.name != name or right is None:
            return given

        def run(outputs: Sequence[ag.Node]) -> list[ag.Node]:
            with stand_for(mark):
                made = right(outputs)
                return rebuild(made, lambda node, inputs: wrong(node, inputs) if every or node.site == mark else None)

        return given._replace(run=run)

    monkeypatch.setattr(pipeline, "LIST", tuple(spoil(p) for p in pipeline.LIST))


def break_copies(monkeypatch: pytest.MonkeyPatch, wrong: Callable[[list[ag.Node]], None]) -> None:
    """Change the graph, in place, after the copies are made that let every shift be a view of what it reads."""
    right = pipeline.make_legal

    def make_wrong(outputs: Sequence[ag.Node]) -> list[ag.Node]:
        made = right(outputs)
        wrong(made)
        return made

    monkeypatch.setattr(pipeline, "make_legal", make_wrong)


def break_storage(monkeypatch: pytest.MonkeyPatch, wrong: Callable[[Storage], None]) -> None:
    """Change the homes of a plan, in place, after they are chosen."""

    class Wrong(Storage):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[arg-type]
            wrong(self)

    monkeypatch.setattr(pipeline, "Storage", Wrong)


def exchange_parts(node: ag.Node, inputs: tuple[ag.Node, ...]) -> ag.Node | None:
    """Exchange two parts of equal shapes, of what is put together from several."""
    pairs = [(i, j) for j, y in enumerate(inputs) for i, x in enumerate(inputs[:j]) if x.shape == y.shape]
    if node.op is not CONCAT or not pairs:
        return None
    parts, (i, j) = list(inputs), pairs[0]
    parts[i], parts[j] = parts[j], parts[i]
    return ag.concat(parts, node.attrs["axis"])
