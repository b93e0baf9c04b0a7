r"""Labels of names: `W_{hh}`, `\sigma`, `s_t` are set as mathematics; everything else in a name is plain text.

A label is lines of runs, which every printer sets in its own way. Names are data: whatever a name holds (quotes, tags, control
characters, any number of characters), it must not break the picture or change other text. Every label passes through `clean`
here; every printer escapes what it writes.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

LONGEST = 28
_SCRIPT_SIZE = 0.75  # of the label's font

_LOWER = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho varsigma sigma tau "
    "upsilon varphi chi psi omega"
)
_GREEK = {
    **{name: chr(0x3B1 + i) for i, name in enumerate(_LOWER.split())},
    "epsilon": "ϵ", "phi": "ϕ", "vartheta": "ϑ", "varrho": "ϱ", "varpi": "ϖ", "ell": "ℓ", "partial": "∂", "nabla": "∇",
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ",
    "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "infty": "∞", "odot": "⊙", "times": "×", "cdot": "·", "sum": "∑",
    "prime": "′",
}  # fmt: skip
_WORDS = {*_LOWER.split(), "epsilon", "phi", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"}
"""Names that are Greek letters without a backslash, too."""
_GATE = re.compile(r"^([A-Zbc])([a-z])$|^([A-Za-z])(\d{1,2})$")
"""A matrix or bias with the letter of its gate, as cells are written: `Wo`, `bf`; a letter with a number: `s0`, `W12`."""
_ACCENTS = {"hat": "\u0302", "tilde": "\u0303", "bar": "\u0304", "dot": "\u0307", "vec": "\u20d7"}

_COMMAND = re.compile(r"\\([A-Za-z]+)")
_ACCENT = re.compile(r"\\(hat|tilde|bar|dot|vec)\s*(?:\{([^{}])\}|\s([^\W\d_]))")
# One base, at most one subscript and one superscript, in either order; a script without braces is one word.
_SCRIPT = r"(?:\{([^{}]*)\}|([^\W_]+|[^\W_]))"
_NAME = re.compile(rf"^([^_^{{}}]+)(?:_{_SCRIPT})?(?:\^{_SCRIPT})?(?:_{_SCRIPT})?$", re.DOTALL)
# Controls that change the direction of the text after them: in a label they could reorder the text around the name.
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")


@dataclass(frozen=True)
class Run:
    """Text of one look.

    Attributes:
        text: what is written.
        slanted: whether it is a variable.
        shift: 1 for a superscript, −1 for a subscript, which are set smaller.
        scale: its size as a part of that of the label's font.
    """

    text: str
    slanted: bool = False
    shift: int = 0
    scale: float = 1.0


@dataclass(frozen=True)
class Label:
    """Lines of runs, the first line on top."""

    rows: tuple[tuple[Run, ...], ...] = ()

    @property
    def lines(self) -> int:
        """The number of lines."""
        return len(self.rows)

    @cached_property
    def ems(self) -> float:
        """About how wide the widest line is, in ems of the label's font."""
        return round(max((sum(measure_run(run) for run in row) for row in self.rows), default=0.0), 3)

    def format_html(self, font: float) -> str:
        """Return the label as Graphviz's HTML-like markup.

        Args:
            font: the size of the label's font, points.
        """
        return "<BR/>".join(_format_row(row, font) for row in self.rows)

    @property
    def html(self) -> str:
        """The label as Graphviz's HTML-like markup, in a font of 14 points."""
        return self.format_html(14.0)

    @cached_property
    def text(self) -> str:
        """The label as plain text: a subscript after `_`, a superscript after `^`."""
        signs = {1: "^", -1: "_", 0: ""}
        rows = ["".join(signs[run.shift if i == 0 or row[i - 1].shift != run.shift else 0] + run.text
                        for i, run in enumerate(row)) for row in self.rows]  # fmt: skip
        return " ".join(rows)


def measure_run(run: Run) -> float:
    """Return about how wide a run is, in ems of its label's font."""
    return measure_ems(run.text) * (_SCRIPT_SIZE if run.shift else 1.0) * run.scale


def _format_row(row: tuple[Run, ...], font: float) -> str:
    """Return a line as markup; neighbouring runs of one shift share one script."""
    out, shifts = "", {1: "SUP", -1: "SUB"}
    for shift, runs in itertools.groupby(row, key=lambda run: run.shift):
        inner = "".join(_format_run(run, font) for run in runs)
        out += f"<{shifts[shift]}>{inner}</{shifts[shift]}>" if shift else inner
    return out


def _format_run(run: Run, font: float) -> str:
    html = escape(run.text).replace("\u00a0", "&nbsp;")
    html = f"<I>{html}</I>" if run.slanted else html
    return f'<FONT POINT-SIZE="{run.scale * font:.3g}">{html}</FONT>' if run.scale != 1 else html


EMPTY = Label()


def clean(name: str, longest: int = LONGEST) -> str:
    r"""Return the name with every character drawable: white space is a blank, controls are �, too long a name ends in an
    ellipsis.

    Example:
        >>> clean("a\x00b\nc")
        'a�b c'
        >>> clean("x" * 5000, longest=4)
        'xxx…'
    """
    if len(name) > longest:
        name = name[: longest - 1] + "…"
    return "".join(_replace_invisible(character) for character in name)


def _replace_invisible(character: str) -> str:
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    # Unassigned code points, surrogates and C1 controls have no glyph, and XML forbids some of them outright.
    if character in _BIDI or category in ("Cc", "Cs", "Cn", "Zl", "Zp"):
        return "\ufffd"
    return character


def escape(text: str) -> str:
    """Return the text as it must stand inside HTML-like markup.

    Example:
        >>> escape('<b> & "q"')
        '&lt;b&gt; &amp; &quot;q&quot;'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def quote(text: str) -> str:
    r"""Return the text as a quoted DOT string in which nothing is an escape, an entity or the end of the string.

    Example:
        >>> quote('say "x\\n" & go')
        '"say \\"x\\\\n\\" &amp; go"'
    """
    text = escape(clean(text, 500)).replace("&quot;", '\\"')
    # Graphviz reads escapes (\n, \N, \G): two backslashes are one plain backslash.
    parts = text.split('\\"')
    return '"' + '\\"'.join(part.replace("\\", "\\\\") for part in parts) + '"'


def measure_ems(text: str) -> float:
    """Return about how wide the text is, in ems of a sans-serif font: enough to size a circle around it.

    Example:
        >>> measure_ems("il") < measure_ems("xx") < measure_ems("MW")
        True
    """
    return sum(_measure_character(character) for character in text)


def _measure_character(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if character in "iljftrI.,:;'|!()[]{} ":
        return 0.38
    if character in "mwMW@%—⇒∑…⋯":
        return 0.95
    return 0.72 if character.isupper() or character in "+−=×<>" else 0.63


def _replace_greek(text: str) -> str:
    text = _ACCENT.sub(lambda m: unicodedata.normalize("NFC", (m[2] or m[3]) + _ACCENTS[m[1]]), text)
    return _COMMAND.sub(lambda m: _GREEK.get(m[1], m[0]), text)


def _split_name(name: str) -> tuple[str, str, str]:
    """Return a name as (base, subscript, superscript); a name that is not of this form is all base."""
    match = _NAME.match(name)
    if gate := _GATE.match(name):
        return gate[1] or gate[3], gate[2] or gate[4], ""
    if match is None or not match[1].strip():
        return name, "", ""
    _, braced, bare, above_braced, above_bare, later_braced, later_bare = match.groups()
    below = [part for part in (braced, bare, later_braced, later_bare) if part is not None]
    if len(below) > 1:
        return name, "", ""
    return match[1], "".join(below), above_braced or above_bare or ""


def make_name_label(name: str, index: str = "") -> Label:
    r"""Return a variable's name set as mathematics, with what it is indexed by as subscript.

    Args:
        name: as the user wrote it; `_`, `^`, `{}` and TeX's names of Greek letters are understood, with or without a backslash,
            and `Wo` is a W with the letter of its gate.
        index: subscript without markup, added after the name's own: `t`, `t−1`, `i,j`.

    Returns:
        A Label whose markup is safe for any name.

    Example:
        >>> make_name_label("W_{hh}").html
        '<I>W</I><SUB>hh</SUB>'
        >>> make_name_label(r"\sigma", "t−1").html
        '<I>σ</I><SUB><I>t</I>−1</SUB>'
        >>> make_name_label("Wo").html, make_name_label("alpha").html
        ('<I>W</I><SUB>o</SUB>', '<I>α</I>')
        >>> make_name_label("a<b").html
        '<I>a&lt;b</I>'
    """
    base, below, above = _split_name(_replace_greek(clean(name)))
    base, below = _GREEK.get(base, base) if base in _WORDS else base, _GREEK.get(below, below) if below in _WORDS else below
    runs = [Run(base or "\u00a0", bool(base.strip()))]
    if below:
        runs.append(Run(below, shift=-1))
    if index:
        runs += [Run(",", shift=-1)] if below else []
        runs += make_index_runs(index, -1)
    if above:
        runs.append(Run(above, shift=1))
    return Label((tuple(runs),))


def make_index_runs(text: str, shift: int = 0) -> list[Run]:
    """Return an index as runs: its letters slanted, its signs and digits upright, as mathematics is set.

    Example:
        >>> [(run.text, run.slanted) for run in make_index_runs("t+1")]
        [('t', True), ('+1', False)]
    """
    pieces = re.findall(r"[^\W\d_]+|[\W\d_]+", clean(text))
    return [Run(piece, piece[0].isalpha(), shift) for piece in pieces]


def make_text_label(text: str, scale: float = 1.0, longest: int = LONGEST) -> Label:
    """Return upright text, such as the symbol of an operation; text longer than that many characters ends in an ellipsis.

    Example:
        >>> label = make_text_label("tanh")
        >>> label.html, label.ems, label.lines
        ('tanh', 2.27, 1)
    """
    text = clean(text, longest)
    return Label(((Run(text or "\u00a0", scale=scale),),))


def scale_label(label: Label, scale: float) -> Label:
    """Return a label in another size.

    Example:
        >>> scale_label(make_text_label("x"), 0.5).ems
        0.315
    """
    return Label(tuple(tuple(replace(run, scale=run.scale * scale) for run in row) for row in label.rows))


def join_labels(labels: Iterable[Label], separator: str = ", ") -> Label:
    """Return labels in one line."""
    runs: list[Run] = []
    for label in labels:
        runs += [Run(separator)] if runs and separator else []
        runs += [run for row in label.rows for run in row]
    return Label((tuple(runs),))


def stack_labels(labels: Iterable[Label]) -> Label:
    """Return labels one above the other, the first on top."""
    return Label(tuple(row for label in labels for row in label.rows))


def make_delay_label(axes: list[tuple[str, int]], named: bool) -> Label:
    """Return z to the minus k for each axis shifted over; the axis is named where there are several to confuse.

    Example:
        >>> make_delay_label([("t", 1)], named=False).html
        '<I>z</I><SUP>−1</SUP>'
        >>> make_delay_label([("t", -2)], named=True).html
        '<I>z</I><SUB><I>t</I></SUB><SUP>+2</SUP>'
    """
    parts = []
    for axis, delay in axes:
        if not axis.isidentifier() and not axis.replace("'", "").isidentifier():  # no delay: an equilibrium's read of itself
            parts.append(make_text_label(axis))
            continue
        below = make_index_runs(axis, -1) if named else []
        parts.append(Label(((Run("z", True), *below, Run(f"−{delay}" if delay > 0 else f"+{-delay}", shift=1)),)))
    return join_labels(parts, " ")
