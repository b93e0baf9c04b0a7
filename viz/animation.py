"""Unfolding and backpropagation through time in steps: frames, as an animated SVG or a GIF."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from viz.arguments import choose_lengths, get_theme, make_scene, read_drawable
from viz.errors import DrawError, RenderError, TooLargeError
from viz.layout.pair import compose_steps
from viz.render.dot import to_dot
from viz.render.files import render, write_file
from viz.render.style import Theme
from viz.render.svg import to_svg
from viz.scene.columns import show_all_steps
from viz.scene.items import keep_axes
from viz.scene.label import Label, Run, join_labels, make_name_label, make_text_label
from viz.scene.order import find_sources, rank_marks
from viz.scene.picture import Line, Mark, Picture, measure_picture

_MOST_FRAMES = 120
_MOST_TERMS = 9


class Animation:
    """Pictures shown one after the other.

    Attributes:
        frames: the pictures, all of one size.
        theme: the colours.
        seconds: how long each is shown.
    """

    def __init__(self, frames: list[Picture], theme: Theme, seconds: float) -> None:
        self.frames, self.theme, self.seconds = frames, theme, seconds

    @property
    def svg(self) -> str:
        """All frames in one animated SVG, which repeats."""
        total = self.seconds * len(self.frames)
        head, parts = "", []
        for i, frame in enumerate(self.frames):
            head, _, rest = to_svg(frame, self.theme, prefix=f"f{i}").partition("\n")
            body = rest.rsplit("</svg>", 1)[0]
            values = ";".join("inline" if j == i else "none" for j in range(len(self.frames)))
            timing = f'<animate attributeName="display" values="{values}" dur="{total:g}s" repeatCount="indefinite"/>'
            parts.append(f'<g display="none">{timing}\n{body}</g>')
        return "\n".join([head, *parts, "</svg>"]) + "\n"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save it as an animated svg, or as a gif, which needs Graphviz and Pillow.

        Raises:
            DrawError: the suffix is neither, or there is no such directory.
            RenderError: what a gif needs is not installed.
        """
        suffix = Path(path).suffix.lower()
        if suffix == ".svg":
            return write_file(path, self.svg.encode("utf-8"))
        if suffix != ".gif":
            raise DrawError("P224", f"an animation is an svg or a gif, not {suffix or 'without a suffix'!s:.20}",
                            expected=".svg or .gif", got=f"{os.fspath(path)!r:.80}")  # fmt: skip
        return write_file(path, self._make_gif())

    def _make_gif(self) -> bytes:
        try:
            from PIL import Image
        except ImportError:
            raise RenderError("P225", "a gif needs Pillow", expected="the package pillow", got="no PIL",
                              fix=["pip install pillow", 'or .save("steps.svg")']) from None  # fmt: skip
        shots = [Image.open(io.BytesIO(render(to_dot(frame, self.theme), "png"))).convert("RGB") for frame in self.frames]
        size = (max(shot.width for shot in shots), max(shot.height for shot in shots))
        whole = []
        for shot in shots:
            canvas = Image.new("RGB", size, self.theme.ground)
            canvas.paste(shot, (0, size[1] - shot.height))
            whole.append(canvas.reduce(2).quantize(64))
        out = io.BytesIO()
        whole[0].save(out, "gif", save_all=True, append_images=whole[1:], duration=int(1000 * self.seconds), loop=0)
        return out.getvalue()

    def __repr__(self) -> str:
        return f"<Animation of {len(self.frames)} frames; .save(path) writes it as svg or gif>"


def animate(g: Any, t: int = 3, *, seconds: float = 0.7, theme: str = "white", **lengths: int) -> Animation:
    """Draw how a graph is unfolded and computed step by step, and how the gradient then goes back through time.

    Args:
        g: an `ag.Graph` over one axis of time or two, or a node or several.
        t: number of steps.
        seconds: how long each frame is shown.
        theme: "white" or "dark".
        lengths: the number of steps by the name of the axis.

    Returns:
        An Animation. Forward, each frame adds what can be computed next; backward, it colours what has a derivative by now, and
        the gradient of each parameter grows as a sum of its uses.

    Raises:
        DrawError: the graph has no axis or more than two, or an option is unknown.
        TooLargeError: there would be very many frames.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> s, x, W = ag.state("s", over=t), ag.input("x", over=t), ag.param("W")
        >>> s[t] = ag.tanh(W * s[t - 1] + x[t])
        >>> animate(ag.sum(s, over=t).named("L"), 2)
        <Animation of 11 frames; .save(path) writes it as svg or gif>
    """
    colors = get_theme(theme)
    if not (isinstance(seconds, (int, float)) and seconds > 0):
        raise DrawError("P228", f"seconds={seconds!r:.60} is no time", expected="more than 0", got=f"{seconds!r:.60}")
    scene = make_scene(read_drawable(g), "variables")
    shown = choose_lengths(scene, t, lengths, "animate")
    columns = {axis: show_all_steps(count, (count, 0), axis) for axis, count in shown.items()}
    frames = make_frames(compose_steps(keep_axes(scene, shown), columns), colors, next(iter(shown)) if len(shown) == 1 else "")
    if len(frames) > _MOST_FRAMES:
        raise TooLargeError("P226", f"{len(frames)} frames are too many", expected=f"at most {_MOST_FRAMES}",
                            got=f"{len(frames)}", fix="a smaller t=")  # fmt: skip
    return Animation(frames, colors, seconds)


def make_frames(whole: Picture, theme: Theme, axis: str = "t") -> list[Picture]:
    """Return the frames of a picture: forward, a variable more in each; backward, a derivative more in each.

    Args:
        whole: the picture of all steps.
        theme: its colours.
        axis: the name of the one axis; "" of several, where sums name the variables at which a parameter was used.
    """
    ranks = rank_marks(whole)
    order = [key for key in sorted(ranks, key=ranks.__getitem__) if _find(whole, key).role != "ghost"]
    left, low, right, high = measure_picture(whole)
    base = Mark("frame", "slice", shape="box", width=right - left, height=high - low + 60.0, pen=0.0, fill=theme.ground,
                at=((left + right) / 2, (low + high) / 2 - 30.0))  # fmt: skip
    caption = ((left + right) / 2, low - 34.0)
    frames = []
    sources = find_sources(whole)
    for i in range(len(order) + 1):
        hidden = set(order[i:])
        hidden |= {joint for joint, found in sources.items() if found and found <= hidden}
        marks = [m for m in whole.marks if m.key not in hidden]
        lines = [line for line in whole.lines if line.head not in hidden and line.tail not in hidden]
        words = make_text_label("forward")
        marks = [replace(m, pen=3.5) if i and m.key == order[i - 1] else m for m in marks]
        frames.append(_add_caption(Picture([base, *marks], lines), words, caption))
    done: list[object] = []
    uses: dict[str, list[Label]] = {}
    needed = _list_needed(whole, order)
    for key in reversed(order):
        if key not in needed:
            continue
        done.append(key)
        here = _find(whole, key)
        for line in whole.lines:
            if line.head == key and line.label.rows and here.step is not None:
                uses.setdefault(line.label.text, []).append(make_text_label(f"{axis}={here.step}") if axis else here.label)
        lit = set(done)
        marks = [replace(m, fill=theme.heat, pen=3.5 if m.key == key else None) if m.key in lit else m for m in whole.marks]
        lines = [_turn(line) if line.head in lit else line for line in whole.lines]
        frames.append(_add_caption(Picture([base, *marks], lines), _write_sums(uses), caption))
    return frames


def _list_needed(picture: Picture, order: list[object]) -> set[object]:
    """Return the marks on which the loss depends; all of them where there is no loss."""
    read = {line.tail for line in picture.lines}
    found = {key for key in order if key not in read and _find(picture, key).role == "loss"}
    if not found:
        return set(order)
    waiting = [*found]
    while waiting:
        key = waiting.pop()
        tails = {line.tail for line in picture.lines if line.head == key}
        for ground in [mark for mark in picture.marks if mark.key in tails and mark.role == "slice"]:  # of all that is on it
            tails |= {mark.key for mark in picture.marks if mark.key in order and _is_on(mark, ground)}
        tails -= found
        found |= tails
        waiting += tails
    return found


def _is_on(mark: Mark, ground: Mark) -> bool:
    return abs(mark.at[0] - ground.at[0]) < ground.width / 2 and abs(mark.at[1] - ground.at[1]) < ground.height / 2


def _find(picture: Picture, key: object) -> Mark:
    return next(mark for mark in picture.marks if mark.key == key)


def _turn(line: Line) -> Line:
    """Return a line as the derivative goes along it: back."""
    return replace(line, tail=line.head, head=line.tail, curve=line.curve[::-1], pen=2.4) if line.arrow else line


def _write_sums(uses: dict[str, list[Label]]) -> Label:
    """Return what the gradients are by now: a sum over the steps at which parameters have been passed."""
    parts = [make_text_label("backward")]
    for names, steps in uses.items():
        total = join_labels([make_name_label(name) for name in names.split(", ")])
        terms = [*steps[:_MOST_TERMS], *([make_text_label("…")] if len(steps) > _MOST_TERMS else [])]
        parts.append(join_labels([Label(((Run("∂L∕∂"),),)), total, make_text_label(": "), join_labels(terms, " + ")], ""))
    return join_labels(parts, "    ")


def _add_caption(picture: Picture, words: Label, at: tuple[float, float]) -> Picture:
    picture.marks.append(Mark("caption", "words", words, "plaintext", words.ems * 12.0, 16.0, at, font=12.0))
    return picture
