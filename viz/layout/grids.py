"""Operations over two axes, unfolded: a labelled grid of steps for each sequence and for the pairs of their steps."""

from __future__ import annotations

from viz.layout.board import Board
from viz.layout.edge_layout import EdgeLayout
from viz.layout.grid_blocks import Blocks, Instance, Net, Spot
from viz.layout.grid_paths import LANE, RIM, Lanes, drop_idle_corners, find_branches
from viz.layout.layers import spread_out
from viz.layout.routes import make_polyline
from viz.layout.unrolled import DOTS, get_line_role, make_heading
from viz.scene.columns import Columns, format_integer
from viz.scene.items import Arrow, Scene, measure_outline
from viz.scene.label import EMPTY, join_labels, make_text_label
from viz.scene.picture import Line, Mark, Picture, Point, Step

_FOOT = 24.0  # below the lowest line of a block, for its heading
_SIDE = 10.0


class Grids(Board):
    """The blocks of a scene on the way to a picture.

    Args:
        blocks: what to draw.
    """

    def __init__(self, blocks: Blocks) -> None:
        super().__init__(blocks.scene, blocks.widest)
        self.blocks, self.items = blocks, blocks.items
        blocks.make_blocks()
        tracks = Lanes(blocks).tracks
        blocks.make_blocks(tracks)
        self.lanes = Lanes(blocks)
        self.at: dict[Spot, float] = {}
        self.edges: dict[Spot, float] = {}
        self.tops: dict[Spot, float] = {}
        self._place_columns()
        self._place_rows()
        self.shown = [(item.key, i, j) for item in blocks.scene.items for i, j in blocks.list_shown(blocks.kinds[item.key])]

    def _place_columns(self) -> None:
        """Choose the x of the spine of each column, with its gutter at the left."""
        sizes: dict[Spot, tuple[float, float]] = {}
        for end in self._list_located():
            kind, column, _ = self.blocks.locate(end)
            stamp = self.blocks.blocks[kind].stamp
            low, high = sizes.get(column, (0.0, 0.0))
            sizes[column] = (max(low, -stamp.left + _SIDE), max(high, stamp.right + _SIDE))
        x = 0.0
        for n, column in enumerate(self.lanes.columns):
            if n == 0:
                continue
            before, after = sizes.get(column, (0.0, 0.0))
            self.edges[column] = x
            x += 2 * RIM + LANE * max(len(self.lanes.upright.get(n, ())) - 1, 0)
            self.at[column] = x + before
            x += before + after
        self.end = x

    def _place_rows(self) -> None:
        """Choose the y of the lowest row of each row of blocks, with its gutter below."""
        sizes: dict[Spot, tuple[float, float]] = {}
        for end in self._list_located():
            kind, _, row = self.blocks.locate(end)
            block = self.blocks.blocks[kind]
            low, high = sizes.get(row, (0.0, 0.0))
            sizes[row] = (max(low, -block.bottom + _FOOT), max(high, block.top + _SIDE))
        y = 0.0
        for row in self.lanes.rows:
            before, after = sizes.get(row, (0.0, 0.0))
            y += 2 * RIM + LANE * max(len(self.lanes.level.get(row, ())) - 1, 0)
            self.edges[row] = y - RIM
            self.at[row] = y + before
            y += before + after
            self.tops[row] = y

    def _list_located(self) -> list[Instance]:
        steps = [(item.key, i, j) for item in self.scene.items if self.blocks.kinds[item.key] != "source"
                 for i, j in self.blocks.list_shown(self.blocks.kinds[item.key])]  # fmt: skip
        return [*steps, *self.blocks.rim]

    def _find_origin(self, end: Instance) -> Point:
        kind, column, row = self.blocks.locate(end)
        if kind == "result":  # beside what steps compute last
            return self.at[column], self.tops[row] - self.blocks.blocks[kind].top - _SIDE
        return self.at[column], self.at[row]

    # -- marks ----------------------------------------------------------------------------------------------------

    def print_slices(self) -> None:
        """Print a ground under each step of each block, with its step at the foot."""
        done: dict[tuple[str, Spot, Spot], None] = {}
        for end in self.shown:
            kind, column, row = self.blocks.locate(end)
            if kind not in ("first", "second", "pair") or (kind, column, row) in done:
                continue
            done[kind, column, row] = None
            block, (x, y) = self.blocks.blocks[kind], self._find_origin(end)
            bottom, top = y + block.bottom - _FOOT, y + block.top + _SIDE
            left, right = x + block.stamp.left - _SIDE, x + block.stamp.right + _SIDE
            places = [(axis, shown.columns[place]) for axis, shown, place in
                      zip(self.blocks.axes, self.blocks.columns, end[1:], strict=True) if place is not None]  # fmt: skip
            places.sort(key=lambda pair: self.scene.axes.index(pair[0]))
            label = join_labels([make_heading(axis, place) for axis, place in places])
            step = places[0][1].step if len(places) == 1 else None
            at = ((left + right) / 2, (bottom + top) / 2)
            self.picture.marks.append(
                Mark(("slice", *end), "slice", label, "box", right - left, top - bottom, at, True, 12, step=step, foot=True)
            )

    def print_items(self) -> None:
        """Print the items of every step, and what stands for the steps that are not shown."""
        for end in self.shown:
            kind = self.blocks.kinds[end[0]]
            if kind != "source":
                dx, dy = self.blocks.blocks[kind].stamp.at[end[0]]
                x, y = self._find_origin(end)
                step = self._find_step(end)
                self.add(self.items[end[0]], end, (x + dx, y + dy), self._write_index(end), step=step)
        for end in self.blocks.rim:
            kind, _, _ = self.blocks.locate(end)
            dx, dy = self.blocks.blocks[kind].stamp.at[end[0]]
            x, y = self._find_origin(end)
            at = (x + dx, y + dy)
            if self.blocks.is_dotted(end):
                self.add_text(end, DOTS, at, 20.0)
                continue
            self.add(self.items[end[0]], end, at, self._write_index(end), ghost=True)
            self._print_start(end, at)

    def _print_start(self, end: Instance, at: Point) -> None:
        """Write above a ghost the value that it is set to, where the item varies over one axis."""
        places = [(place, shown) for place, shown in zip(end[1:], self.blocks.columns, strict=True) if place is not None]
        if len(places) != 1:
            return
        place, shown = places[0]
        text = dict(self.items[end[0]].starts).get(place if place < 0 else place - len(shown.columns))
        if text is not None:
            above = (at[0], at[1] - self.bodies[end].height / 2 - 8.0)
            self.add_text(("start", *end), join_labels([make_text_label("= "), text], ""), above, 11.0)

    def _find_step(self, end: Instance) -> Step:
        """Return the step of an item that is shown, or its pair of steps, in the order of the graph's axes."""
        places = zip(self.blocks.axes, end[1:], self.blocks.columns, strict=True)
        steps = {axis: shown.columns[place].step for axis, place, shown in places if place is not None}
        found = tuple(step for axis in self.scene.axes if (step := steps.get(axis)) is not None)
        return found if len(found) > 1 else found[0] if found else None

    def _write_index(self, end: Instance) -> str:
        index = {}
        for axis, place, shown in zip(self.blocks.axes, end[1:], self.blocks.columns, strict=True):
            if place is not None:
                count, length = len(shown.columns), shown.length or 0
                inside = 0 <= place < count
                index[axis] = shown.columns[place].index if inside else format_integer(
                    place if place < 0 else length + place - count)  # fmt: skip
        return ",".join(index[axis] for axis in self.items[end[0]].over if axis in index)

    def print_sources(self) -> None:
        """Print what depends on no step, once, at the left."""
        sources = [item for item in self.scene.items if self.blocks.kinds[item.key] == "source"]
        heads: dict[int, list[float]] = {item.key: [] for item in sources}
        for _, tail, head in self.blocks.ends:
            if tail[0] in heads and head in self.bodies:
                heads[tail[0]].append(-self.bodies[head].at[1])
        sizes = {item.key: measure_outline(item, self.widest)[1:3] for item in sources}
        read = [item for item in sources if heads[item.key]]
        read.sort(key=lambda item: min(heads[item.key]))
        ys = spread_out([(min(heads[item.key]), sizes[item.key][1] + 5.0) for item in read])
        widest = max((sizes[item.key][0] for item in read), default=0.0)
        for item, y in zip(read, ys, strict=True):
            self.add(item, (item.key, None, None), (-widest / 2, -y), "")

    # -- lines ----------------------------------------------------------------------------------------------------

    def print_inner_arrows(self) -> None:
        """Draw the arrows within each step, all steps of a kind alike."""
        layouts: dict[str, EdgeLayout] = {}
        for arrow in self.blocks.inner:
            kind = self.blocks.kinds[arrow.tail]
            block = self.blocks.blocks[kind]
            if kind not in layouts:
                layouts[kind] = EdgeLayout(block.stamp, periodic=False)
                own = [a for a in self.blocks.inner if self.blocks.kinds[a.tail] == kind]
                layouts[kind].choose_curves({_get_span(a, block.stamp.at): a for a in own}, lambda a: EMPTY)
            curve = layouts[kind].curves[_get_span(arrow, block.stamp.at)]
            role = get_line_role(arrow, self.items[arrow.tail])
            for i, j in self.blocks.list_shown(kind):
                tail, head = (arrow.tail, i, j), (arrow.head, i, j)
                x, y = self._find_origin(tail)
                moved = tuple((a + x, b + y) for a, b in curve)
                self.picture.lines.append(Line(tail, head, role, curve=moved))

    def print_nets(self) -> None:
        """Draw the arrows from block to block; arrows of one net share their way as far as it is the same."""
        paths: dict[Net, list[list[Point]]] = {}
        roles: dict[Net, str] = {}
        for arrow, tail, head in self.blocks.ends:
            if tail not in self.bodies or head not in self.bodies:
                continue
            net = self.lanes.get_net(arrow)
            path = self._make_path(net, tail, head)
            paths.setdefault(net, []).append(path)
            source = self.blocks.kinds[arrow.tail] == "source" and self.items[arrow.tail].role != "param"
            roles[net] = "shared" if source else get_line_role(arrow, self.items[arrow.tail])
            self.picture.lines.append(Line(tail, head, roles[net], curve=make_polyline(path, 4.0)))
        for net, own in paths.items():
            ink = {"param": "point", "shared": "sharedpoint"}.get(roles[net], "joint")
            for n, at in enumerate(find_branches(own)):
                self.picture.marks.append(Mark(("joint", net, n), ink, shape="point", width=4.0, height=4.0, at=at))

    def _make_path(self, net: Net, tail: Instance, head: Instance) -> list[Point]:
        leave, enter = self.lanes.find_gutters(tail, head)
        x, u = self._get_gutter(leave, net), self._get_gutter(enter, net)
        start, end = self.bodies[tail], self.bodies[head]
        if self.blocks.kinds[tail[0]] == "source":
            points = [(start.at[0] + start.width / 2, start.at[1]), (x, start.at[1])]
        else:
            y = self._get_level(tail, net, self.lanes.get_row(tail) + 1)
            points = [(start.at[0], start.at[1] + start.height / 2), (start.at[0], y), (x, y)]
        if leave != enter:
            row = self.blocks.locate(head)[2]
            level = self.edges[row] - LANE * self.lanes.level[row].index(net)
            points += [(x, level), (u, level)]
        if self.blocks.kinds[head[0]] == "source":
            return drop_idle_corners([*points, (u, end.at[1]), (end.at[0] + end.width / 2, end.at[1])])
        y, foot = self._get_level(head, net, self.lanes.get_row(head)), self._find_foot(net, head, enter)
        return drop_idle_corners([*points, (u, y), (foot[0], y), foot])

    def _get_gutter(self, number: int, net: Net) -> float:
        left = self.edges[self.lanes.columns[number]] if number < len(self.lanes.columns) else self.end
        return left + RIM + LANE * self.lanes.upright[number].index(net)

    def _get_level(self, end: Instance, net: Net, gap: int) -> float:
        kind, _, _ = self.blocks.locate(end)
        return self._find_origin(end)[1] + self.blocks.blocks[kind].get_level(gap, net)

    def _find_foot(self, net: Net, head: Instance, enter: int) -> Point:
        """Return where a path touches its head from below: paths from the left stand left of the middle, each by itself."""
        left = self.lanes.is_from_left(head, enter)
        nets = self.lanes.feet[self.blocks.locate(head)[0], head[0], left]
        body = self.bodies[head]
        pace = min(5.0, (body.width / 2 - 4.0) / len(nets))
        aside = pace * (nets.index(net) + 1)
        part = (1.0 - min(aside / (body.width / 2), 1.0) ** 2) ** 0.5 if body.round else 1.0
        return body.at[0] + (-aside if left else aside), body.at[1] - body.height / 2 * part


def _get_span(arrow: Arrow, at: dict[int, Point]) -> tuple[int, int, float, tuple]:
    return arrow.tail, arrow.head, round(at[arrow.tail][0] - at[arrow.head][0], 1), ()


def compose_grids(scene: Scene, columns: dict[str, Columns], first: str, second: str = "") -> Picture:
    """Return the unfolded picture of all operations of a scene of two axes, or of one whose steps read all steps.

    Args:
        scene: the scene to draw.
        columns: for each axis, the steps to show.
        first: the axis that leads to the right.
        second: the other one, if any; it leads upwards if something varies over both, else to the right beside the first.
    """
    if not all(shown.columns for shown in columns.values()):
        return Picture()
    grids = Grids(Blocks(scene, {"": Columns((), 0), **columns}, first, second))
    grids.print_slices()
    grids.print_items()
    grids.print_sources()
    grids.print_inner_arrows()
    grids.print_nets()
    return grids.picture
