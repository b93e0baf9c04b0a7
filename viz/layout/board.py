"""Marks and lines that are placed by hand: what the pictures of two axes share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import dist

from viz.layout.label_spots import LABEL_FONT, LABEL_HEIGHT, place_label, place_params
from viz.layout.routes import Body, Curve, find_border, find_foot, join_bodies, make_line, route
from viz.layout.unrolled import make_ghost
from viz.scene.items import Arrow, Item, Scene, make_mark, measure_outline
from viz.scene.label import Label
from viz.scene.picture import Line, Mark, Picture, Point, Step, measure_picture

_JOINT = 4.5
_AWAY = 84.0  # from what is read to what is computed from all of it


class Board:
    """A picture in the making, and the outlines of what stands on it.

    Args:
        scene: whose items are placed.
        widest: the longest index that names carry.
    """

    def __init__(self, scene: Scene, widest: str) -> None:
        self.scene, self.widest = scene, widest
        self.picture = Picture()
        self.bodies: dict[object, Body] = {}

    def add(self, item: Item, key: object, at: Point, index: str, *, ghost: bool = False, step: Step = None) -> None:
        """Place an item, or what stands for it outside of its sequence."""
        shown = make_ghost(item) if ghost else item
        shape, width, height, _ = measure_outline(shown, self.widest)
        self.picture.marks.append(make_mark(shown, index, at, key, "ghost" if ghost else "", self.widest, step))
        self.bodies[key] = Body(at, width, height, shape in ("circle", "ellipse"))

    def add_text(self, key: object, label: Label, at: Point, font: float = 12.0) -> None:
        """Place text without an outline."""
        self.picture.marks.append(Mark(key, "text", label, "plaintext", 50.0, 18.0, at, font=font))
        self.bodies[key] = Body(at, 24.0, 18.0)

    def join(self, tail: object, head: object, role: str, params: Sequence[str] = (), others: Sequence[Body] = ()) -> None:
        """Draw an arrow, straight where nothing is in the way, and write its parameters beside it."""
        start, end = self.bodies[tail], self.bodies[head]
        self.draw(tail, head, role, route(start, end, [b for b in others if b.at not in (start.at, end.at)]), params, others)

    def draw(
        self, tail: object, head: object, role: str, curve: Curve, params: Sequence[str] = (), others: Sequence[Body] = ()
    ) -> None:
        """Draw an arrow along a curve."""
        label, spot = place_params(curve, params, others)
        self.picture.lines.append(Line(tail, head, role, label, curve, spot))

    def print_bus(
        self, tails: Sequence[object], heads: Sequence[object], level: float, role: str, *, upright: bool = False,
        shift: float = 0.0, lift: float = 0.0, params: Sequence[str] = (),
    ) -> list[object]:  # fmt: skip
        """Draw a line that all tails lead into, with a joint for each, and from which an arrow leads to each head.

        Args:
            tails, heads: keys of marks.
            level: the y of the line; the x if it is upright.
            role: its look.
            upright: whether the line stands upright.
            shift, lift: how far beside the middle of a head, and of a tail, its joint stands.
            params: what is written beside the longest piece.

        Returns:
            The keys of the joints in the order of the line.
        """
        flip = (lambda p: (p[1], p[0])) if upright else (lambda p: p)
        ends = [(key, True) for key in tails] + [(key, False) for key in heads]
        along = [flip(self.bodies[key].at)[0] + (lift if is_tail else shift) for key, is_tail in ends]
        spots = sorted((place, i) for i, place in enumerate(along))
        name = ("bus", *tails, *heads, role, level)  # two of the same ends stand at different levels
        joints: list[object] = []
        for place, i in spots:
            key, is_tail = ends[i]
            joint = (*name, i)
            at = flip((place, level))
            self.picture.marks.append(Mark(joint, "joint", shape="point", width=_JOINT, height=_JOINT, at=at))
            self.bodies[joint] = Body(at, 0.0, 0.0)
            body = self.bodies[key]
            touch = find_border(body, at) if is_tail and not lift else find_foot(body, at, upright)
            curve = make_line(touch, at) if is_tail else make_line(at, touch)
            here, there = (key, joint) if is_tail else (joint, key)
            self.picture.lines.append(Line(here, there, role, curve=curve, arrow=not is_tail))
            joints.append(joint)
        # Each piece leads the way that values go: out of the only tail, into the only head.
        order = [i for _, i in spots]
        start, end = order.index(0) if len(tails) == 1 else 0, order.index(len(ends) - 1) if len(heads) == 1 else len(ends)
        pieces = []
        for i, pair in enumerate(pairwise(joints)):
            one, other = pair if start <= i < end or (len(tails) == 1 and i >= start) else pair[::-1]
            curve = make_line(self.bodies[one].at, self.bodies[other].at)
            pieces.append(Line(one, other, role, curve=curve, arrow=False))
        if params and pieces:
            longest = max(range(len(pieces)), key=lambda i: dist(pieces[i].curve[0], pieces[i].curve[-1]))
            label, spot = place_params(pieces[longest].curve, params, [*self.bodies.values()])
            pieces[longest] = replace(pieces[longest], label=label, label_at=spot)
        self.picture.lines += pieces
        return joints

    def print_later(self, shown: set[int], list_ends: Callable[[Arrow], Iterable[object]], *, rightwards: bool = False) -> None:
        """Draw what is computed from all steps, row by row above what is drawn, or column by column at its right.

        Args:
            shown: the items that are drawn.
            list_ends: returns for an arrow the keys of the marks that it starts from.
            rightwards: whether rows lead upwards, so that their results stand at the right.
        """
        while True:
            heads = {a.head for a in self.scene.arrows if a.tail in shown and not a.start}
            ready = [item for item in self.scene.items if item.key in heads and item.key not in shown]
            if not ready:
                return
            _, _, right, top = measure_picture(self.picture)
            near = [body for key, body in self.bodies.items() if isinstance(key, tuple)]
            for n, item in enumerate(ready):
                tails = [end for a in self.scene.arrows if a.head == item.key for end in list_ends(a)]
                spots = [self.bodies[end].at for end in tails]
                mean = [sum(values) / len(values) for values in zip(*spots, strict=True)] if spots else [right, top]
                at = (right + _AWAY, mean[1] + 60.0 * n) if rightwards else (mean[0] + 150.0 * n, top + _AWAY)
                self.add(item, (item.key, None), at, "")
                for end in tails:
                    self.join(end, (item.key, None), "flow", (), near)
            shown = shown | {item.key for item in ready}

    def add_picture(self, other: Picture, bodies: dict[object, Body], tag: str, *, dx: float = 0.0, dy: float = 0.0,
                    turned: bool = False) -> None:  # fmt: skip
        """Add another picture, moved, or turned so that its steps lead upwards.

        Args:
            other, bodies: the picture, and the outlines of its marks.
            tag: what its keys are prefixed with.
            dx, dy: how far it is moved.
            turned: whether it is mirrored at the diagonal first.
        """

        def move(at: Point) -> Point:
            x, y = (at[1], at[0]) if turned else at
            return x + dx, y + dy

        self.picture.marks += [replace(mark, key=(tag, mark.key), at=move(mark.at)) for mark in other.marks]
        for key, body in bodies.items():
            self.bodies[tag, key] = Body(move(body.at), body.width, body.height, body.round)
        near = [self.bodies[tag, key] for key in bodies]
        for line in other.lines:
            curve = tuple(move(point) for point in line.curve)
            tail, head = self.bodies.get((tag, line.tail)), self.bodies.get((tag, line.head))
            if turned and len(curve) == 4 and tail and head:
                curve = join_bodies(tail, head)
            spot = None if line.label_at is None else move(line.label_at)
            if turned and line.label.rows:
                spot = place_label(curve, (line.label.ems * LABEL_FONT, LABEL_HEIGHT), near)
            self.picture.lines.append(replace(line, tail=(tag, line.tail), head=(tag, line.head), curve=curve, label_at=spot))
