"""The folded picture as a single column, placed row by row like the unfolded picture beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from viz.layout.edge_layout import EdgeLayout
from viz.layout.gutter_choice import Group
from viz.layout.gutter_paths import Gutter
from viz.layout.stamp import Stamp
from viz.layout.unrolled import End, Unrolling
from viz.scene.columns import Column, Columns
from viz.scene.items import Arrow, Item, Scene, get_index, label_params
from viz.scene.label import EMPTY, Label, join_labels, make_delay_label, make_name_label, make_text_label
from viz.scene.picture import Point


class FoldedColumn(Unrolling):
    """An unrolling with a single column, in which every delay leads back to the column itself.

    Args:
        scene, stamp: as for Unrolling.
        delays: whether recurrent edges name their delay.
        indexed: whether names carry the axes that they vary over.
        lanes: the (tail, shifts) whose edges run down the right rim, not each for itself, and the lane of each.
    """

    def __init__(
        self,
        scene: Scene,
        stamp: Stamp,
        *,
        delays: bool = True,
        indexed: bool = False,
        lanes: Mapping[Group, int] | None = None,
    ) -> None:
        super().__init__(scene, "", stamp, Columns((Column(0, 0, ""),), None))
        self.edge_layout = EdgeLayout(stamp, periodic=False, gutter=self._make_gutter)
        self.lanes = dict(lanes or {})
        self.delays, self.indexed = delays, indexed

    def add(self, item: Item, at: Point, key: object, index: str, role: str = "", step: int | None = None) -> None:
        """Draw an item under its name, or under its name and axes; its column has no index."""
        super().add(item, at, key, get_index(item, self.scene) if self.indexed else "", role)

    def _is_drawn(self, arrow: Arrow) -> bool:
        return arrow.tail in self.stamp.at and arrow.head in self.stamp.at

    def _list_ends(self, arrow: Arrow) -> Iterator[tuple[End, End]]:
        yield (arrow.tail, 0), (arrow.head, 0)

    def _list_whole(self) -> list[Arrow]:
        return []  # written at the arrow

    def _get_kind(self, arrow: Arrow) -> tuple:
        return (*arrow.shifts, arrow.start)

    def _make_gutter(self, arrow: Arrow) -> Gutter | None:
        lane = self.lanes.get((arrow.tail, arrow.shifts))
        if lane is None or arrow.tail == arrow.head:
            return None
        return Gutter(self.stamp.left, self.stamp.right, self.stamp.bottom, lane)

    def _write_label(self, arrow: Arrow) -> Label:
        words = [label_params(arrow.params)] if arrow.params else []
        trunk = next(other for other in self.scene.arrows if (other.tail, other.shifts) == (arrow.tail, arrow.shifts))
        if arrow.whole:
            words.append(_name_steps(arrow.whole, self.items[arrow.tail].over[0]))
        if arrow.shifts and not arrow.whole and self.delays and (self._make_gutter(arrow) is None or arrow is trunk):
            words.append(make_delay_label(list(arrow.shifts), named=len(self.scene.axes) > 1))
        first = next((other for other in self.scene.arrows if other.shifts and other.tail == arrow.tail), None)
        starts = self.items[arrow.tail].starts if self.delays and arrow is first else ()
        label = join_labels(words) if words else EMPTY
        return join_labels([label, make_text_label(" from "), *(text for _, text in starts[:1])], "") if starts else label


def _name_steps(whole: str, axis: str) -> Label:
    """Return which steps are read, as a label: all t, or t′ ≤ t."""
    name = make_name_label(axis)
    if whole == "all":
        return join_labels([make_text_label("all "), name], "")
    sign = make_text_label({"past": "′ ≤ ", "before": "′ < ", "after": "′ > "}[whole])
    return join_labels([name, sign, name], "")
