"""Marks and lines that are placed by hand: what the pictures of two axes share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import dist

from viz.layout.label_spots import place_label
from viz.layout.routes import Body, Curve, find_border, find_foot, make_line, route
from viz.layout.stamp import LABEL_FONT, LABEL_HEIGHT
from viz.layout.unrolled import make_ghost
from viz.scene.items import Item, Scene, label_params, make_mark, measure_outline
from viz.scene.label import EMPTY, Label
from viz.scene.picture import Line, Mark, Picture, Point, Step

_JOINT = 4.5


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
        label, spot = EMPTY, None
        if params:
            label, spot = label_params(params), self._place_label(curve, params, others)
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
            spot = self._place_label(pieces[longest].curve, params)
            pieces[longest] = replace(pieces[longest], label=label_params(params), label_at=spot)
        self.picture.lines += pieces
        return joints

    def _place_label(self, curve: Curve, params: Sequence[str], others: Sequence[Body] | None = None) -> Point:
        size = (label_params(params).ems * LABEL_FONT, LABEL_HEIGHT)
        return place_label(curve, size, list(self.bodies.values()) if others is None else list(others), [], [])

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
                curve = make_line(find_border(tail, head.at), find_border(head, tail.at))
            spot = None if line.label_at is None else move(line.label_at)
            if turned and line.label.rows:
                spot = place_label(curve, (line.label.ems * LABEL_FONT, LABEL_HEIGHT), near, [], [])
            self.picture.lines.append(replace(line, tail=(tag, line.tail), head=(tag, line.head), curve=curve, label_at=spot))
