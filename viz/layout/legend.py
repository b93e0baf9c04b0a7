"""A legend below a picture: what each colour and shape in it stands for."""

from __future__ import annotations

from viz.layout.routes import make_line
from viz.scene.label import make_text_label, measure_ems
from viz.scene.picture import Line, Mark, Picture, measure_picture

_WORDS = {
    "input": "input", "state": "state", "inner": "value between", "op": "operation", "output": "output", "label": "target",
    "loss": "loss", "param": "parameter", "ghost": "outside of the sequence", "delay": "delay", "recur": "read of another step",
    "start": "initial row",
}  # fmt: skip
_FONT = 11.0
_WIDEST = 620.0


def add_legend(picture: Picture) -> Picture:
    """Return the picture with a legend of the roles that it shows; an overlay.

    Example:
        >>> drawn = add_legend(Picture([Mark("x", "input"), Mark("s", "state", at=(0, 60))]))
        >>> [mark.label.text for mark in drawn.marks if mark.role == "text"]
        ['input', 'state']
    """
    left, bottom, right, _ = measure_picture(picture)
    shapes = {m.role: m for m in reversed(picture.marks) if m.role in _WORDS and m.shape not in ("plaintext", "point")}
    lines = {line.role for line in picture.lines} & {"recur", "start"}
    out = Picture([*picture.marks], [*picture.lines])
    x, y = left + 10.0, bottom - 26.0
    for role, word in _WORDS.items():
        if role not in shapes and role not in lines:
            continue
        width = measure_ems(word) * _FONT + 10.0
        if x > left + 10.0 and x + 30.0 + width > max(right, left + _WIDEST):
            x, y = left + 10.0, y - 24.0
        if role in shapes:
            shape = "circle" if shapes[role].shape in ("circle", "ellipse") else "box"
            out.marks.append(
                Mark(("legend", role), role, shape=shape, width=16.0, height=16.0, at=(x, y), rounded=shapes[role].rounded)
            )
        else:
            ends = (("legend", role, 0), ("legend", role, 1))
            out.marks += [Mark(end, "text", shape="plaintext", width=1.0, height=1.0, at=(x + 10.0 * s, y)) for end, s in
                          zip(ends, (-1, 1), strict=True)]  # fmt: skip
            out.lines.append(Line(*ends, role, curve=make_line((x - 11.0, y), (x + 11.0, y))))
        out.marks.append(Mark(("word", role), "text", make_text_label(word), "plaintext", width, 14.0,
                              (x + 16.0 + width / 2, y), font=_FONT, left=True))  # fmt: skip
        x += 34.0 + width
    return out
