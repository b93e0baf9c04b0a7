"""The look of each role: one colour and one shape, on a white or a dark background.

The colours are those of Okabe and Ito (2008), which readers with any kind of colour vision tell apart; the shape is the
second cue, so that a picture survives a grey printer. Lengths are points, 72 to the inch.
"""

from __future__ import annotations

from dataclasses import dataclass

FONT = "Helvetica,Arial,DejaVu Sans"
CODE_FONT = "DejaVu Sans Mono,Menlo,Consolas,monospace"
DPI = 150

ROLES = (
    "input",
    "state",
    "output",
    "inner",
    "loss",
    "label",
    "param",
    "ghost",
    "op",
    "delay",
    "static",
    "slice",
    "text",
    "words",
    "point",
    "sharedpoint",
    "joint",
)
THEMES = ("white", "dark")


@dataclass(frozen=True)
class Look:
    """How a node of one role is drawn: border, ground, ink, and the width of the border in points."""

    line: str
    fill: str
    ink: str
    pen: float = 1.5
    style: str = "filled"


@dataclass(frozen=True)
class Theme:
    """The colours of one picture: its ground, its ordinary edges, the strongest one of magnitudes, and a Look a role."""

    name: str
    ground: str
    ink: str
    edge: str
    faint: str
    recur: str
    heat: str
    looks: dict[str, Look]


def _make_theme(
    name: str, ground: str, ink: str, edge: str, faint: str, recur: str, heat: str, pairs: dict[str, tuple[str, str]]
) -> Theme:
    """Return a theme from (border, ground) pairs; all other colours follow from these."""
    looks = {role: Look(line, fill, ink) for role, (line, fill) in pairs.items()}
    looks["ghost"] = Look(faint, ground, ink, 1.5, "filled,dashed")
    looks["op"] = Look(edge, ground, ink, 1.4)
    looks["inner"] = Look(edge, ground, ink, 1.5)
    looks["delay"] = Look(recur, ground, ink, 2.0)
    looks["param"] = Look(pairs["param"][0], pairs["param"][1], ink, 2.0)
    looks["text"] = Look("none", "none", ink, 0.0, "")
    looks["words"] = looks["text"]
    looks["point"] = Look(pairs["param"][0], pairs["param"][0], ink, 1.0)
    looks["joint"] = Look(edge, edge, ink, 1.0)
    looks["sharedpoint"] = Look(faint, faint, ink, 1.0)
    return Theme(name, ground, ink, edge, faint, recur, heat, looks)


_WHITE = _make_theme(
    "white",
    ground="#FFFFFF",
    ink="#1A1A1A",
    edge="#333333",
    faint="#6B6B6B",
    recur="#C44E00",
    heat="#EE7A2B",
    pairs={
        "input": ("#0072B2", "#D6EAF8"),
        "state": ("#009E73", "#D4F1E6"),
        "output": ("#B8860B", "#FCEFC9"),
        "loss": ("#9B3F7C", "#F3DFEC"),
        "label": ("#555555", "#F0F0F0"),
        "param": ("#6A4C93", "#ECE6F4"),
        "static": ("#555555", "#FFFFFF"),
        "slice": ("#DDDDDD", "#F7F7F7"),
    },
)
_DARK = _make_theme(
    "dark",
    ground="#15181D",
    ink="#F2F2F2",
    edge="#C9CED6",
    faint="#8D949E",
    recur="#FF8F45",
    heat="#C2560F",
    pairs={
        "input": ("#56B4E9", "#12344A"),
        "state": ("#2CC79B", "#0F3A2E"),
        "output": ("#E5B93C", "#40330E"),
        "loss": ("#DE95C4", "#432438"),
        "label": ("#A9AFB8", "#2B3037"),
        "param": ("#B79CE0", "#2E2440"),
        "static": ("#A9AFB8", "#15181D"),
        "slice": ("#363C45", "#1D2127"),
    },
)
_THEMES = {theme.name: theme for theme in (_WHITE, _DARK)}


@dataclass(frozen=True)
class Stroke:
    """How a line of one role is drawn: pen in points, length of the arrow head in points, whether it is dashed."""

    pen: float
    head: float
    dashed: bool = False


STROKES = {
    "flow": Stroke(1.3, 7.0),
    "recur": Stroke(2.0, 7.0),
    "faint": Stroke(1.3, 7.0),
    "param": Stroke(1.0, 5.0, True),
    "shared": Stroke(1.0, 5.0, True),
    "start": Stroke(1.0, 5.0, True),
}


def get_line_color(role: str, theme: Theme) -> str:
    """Return the colour of a line of that role."""
    if role == "param":
        return theme.looks["param"].line
    return theme.recur if role == "recur" else theme.edge if role == "flow" else theme.faint


def get_line_ink(role: str, theme: Theme) -> str:
    """Return the colour of the label of a line of that role."""
    return get_line_color(role, theme) if role in ("recur", "param") else theme.ink


def find_theme(name: str) -> Theme | None:
    """Return the theme of that name, or None if there is none (callers raise their own errors).

    Example:
        >>> find_theme("dark").ground
        '#15181D'
        >>> find_theme("sepia") is None
        True
    """
    return _THEMES.get(name)


def mix_heat(theme: Theme, level: float) -> str:
    """Return a colour between the ground and that of recurrence."""
    ends = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (theme.ground, theme.heat)]
    return "#" + "".join(f"{round(a + (b - a) * (0.08 + 0.92 * level)):02X}" for a, b in zip(*ends, strict=True))
