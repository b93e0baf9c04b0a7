r"""Labels of names: `W_{hh}`, `\sigma`, `s_t` are set as mathematics; everything else in a name is plain text.

A label is Graphviz's HTML-like markup. Names are data: whatever a name holds (quotes, tags, control characters, any number of
characters), it must not break the picture or change other text. Every label passes through `clean` and `escape`, and only in
this module.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

LONGEST = 28

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
_GATE = re.compile(r"^([A-Zb])([a-z])$")
"""A matrix or bias with the letter of its gate, as cells are written: `Wo`, `bf`."""
_ACCENTS = {"hat": "\u0302", "tilde": "\u0303", "bar": "\u0304", "dot": "\u0307", "vec": "\u20d7"}

_COMMAND = re.compile(r"\\([A-Za-z]+)")
_ACCENT = re.compile(r"\\(hat|tilde|bar|dot|vec)\s*(?:\{([^{}])\}|\s([^\W\d_]))")
# One base, at most one subscript and one superscript, in either order; a script without braces is one word.
_SCRIPT = r"(?:\{([^{}]*)\}|([^\W_]+|[^\W_]))"
_NAME = re.compile(rf"^([^_^{{}}]+)(?:_{_SCRIPT})?(?:\^{_SCRIPT})?(?:_{_SCRIPT})?$", re.DOTALL)
# Controls that change the direction of the text after them: in a label they could reorder the text around the name.
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")


@dataclass(frozen=True)
class Label:
    """Markup, its width in ems of its font, and its number of lines."""

    html: str
    ems: float
    lines: int = 1


EMPTY = Label("", 0.0, 0)


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
        return gate[1], gate[2], ""
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
    index = clean(index)
    html = f"<I>{escape(base)}</I>" if base.strip() else escape(base) or "&nbsp;"
    shown = measure_ems(base)
    scripts = [escape(below)] if below else []
    if index:
        scripts.append(format_index(index))
    if scripts:
        html += f"<SUB>{','.join(scripts)}</SUB>"
        shown += 0.75 * measure_ems(",".join(part for part in (below, index) if part))
    if above:
        html += f"<SUP>{escape(above)}</SUP>"
        shown += 0.75 * measure_ems(above)
    return Label(html, shown)


def format_index(text: str) -> str:
    """Return an index as markup: its letters slanted, its signs and digits upright, as mathematics is set.

    Example:
        >>> format_index("t+1")
        '<I>t</I>+1'
    """
    text = clean(text)
    pieces = re.findall(r"[^\W\d_]+|[\W\d_]+", text)
    return "".join(f"<I>{escape(p)}</I>" if p[0].isalpha() else escape(p) for p in pieces)


def make_text_label(text: str) -> Label:
    """Return upright text, such as the symbol of an operation.

    Example:
        >>> make_text_label("tanh")
        Label(html='tanh', ems=2.27, lines=1)
    """
    text = clean(text)
    return Label(escape(text) or "&nbsp;", round(measure_ems(text), 3))


def join_labels(labels: list[Label], separator: str = ", ") -> Label:
    """Return labels in one line."""
    width = sum(label.ems for label in labels) + measure_ems(separator) * max(len(labels) - 1, 0)
    return Label(escape(separator).join(label.html for label in labels), width)


def stack_labels(labels: list[Label]) -> Label:
    """Return labels one above the other, the first on top."""
    rows = [label for label in labels if label.html]
    return Label("<BR/>".join(label.html for label in rows), max((label.ems for label in rows), default=0.0), len(rows))


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
        power = f"−{delay}" if delay > 0 else f"+{-delay}"
        below = f"<SUB>{format_index(axis)}</SUB>" if named else ""
        parts.append(Label(f"<I>z</I>{below}<SUP>{power}</SUP>", 0.6 + 0.75 * measure_ems(power + (axis if named else ""))))
    return join_labels(parts, " ")
