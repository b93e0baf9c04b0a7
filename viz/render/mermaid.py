"""A picture as a Mermaid flow chart: its nodes and arrows, without their places. Pure: the same picture, the same bytes."""

from __future__ import annotations

from viz.scene.label import clean
from viz.scene.picture import Picture

_SHAPES = {"circle": ("((", "))"), "ellipse": ("([", "])"), "square": ("[", "]"), "box": ("[", "]")}
_ARROWS = {"recur": "==>", "param": "-.->", "shared": "-.->", "start": "-.->"}


def to_mermaid(picture: Picture) -> str:
    """Return the picture as a flow chart.

    Args:
        picture: marks without an outline, and joints of lines, are left out; lines through joints lead from node to node.

    Example:
        >>> from viz.scene.label import make_name_label
        >>> from viz.scene.picture import Line, Mark
        >>> marks = [Mark("x", "input", make_name_label("x")), Mark("s", "state", make_name_label("s", "t"))]
        >>> print(to_mermaid(Picture(marks, [Line("x", "s", curve=((0, 0),) * 4)])))
        flowchart BT
          n0(("x"))
          n1(("s_t"))
          n0 --> n1
        <BLANKLINE>
    """
    out = ["flowchart BT"]
    ids: dict[object, str] = {}
    through = {mark.key for mark in picture.marks if mark.shape == "point"}
    for mark in picture.marks:
        if mark.shape in _SHAPES and mark.role != "slice" and mark.label.rows:
            ids[mark.key] = f"n{len(ids)}"
            begin, end = _SHAPES[mark.shape]
            out.append(f'  {ids[mark.key]}{begin}"{_quote(mark.label.text)}"{end}')
    ahead: dict[object, list[tuple[object, str]]] = {}
    for line in picture.lines:
        ahead.setdefault(line.tail, []).append((line.head, f'|"{_quote(line.label.text)}"|' if line.label.rows else ""))
    for line in picture.lines:
        if line.tail not in ids:
            continue
        arrow = _ARROWS.get(line.role, "-->")
        label = f'|"{_quote(line.label.text)}"|' if line.label.rows else ""
        for head in _follow(line.head, ahead, through):
            if head in ids:
                out.append(f"  {ids[line.tail]} {arrow}{label} {ids[head]}")
    return "\n".join(dict.fromkeys(out)) + "\n"


def _follow(key: object, ahead: dict[object, list[tuple[object, str]]], through: set[object]) -> list[object]:
    """Return the nodes that a line leads to, through the joints on the way."""
    found, waiting, seen = [], [key], {key}
    while waiting:
        here = waiting.pop()
        if here not in through:
            found.append(here)
            continue
        for head, _ in ahead.get(here, ()):
            if head not in seen:
                seen.add(head)
                waiting.append(head)
    return found[::-1]


def _quote(text: str) -> str:
    """Return text in which nothing ends the quotes or is markup: such characters are written by their numbers."""
    return "".join(c if c not in '"<>&#;`\\{}[]()|' else f"#{ord(c)};" for c in clean(text, 200))
