"""The colours of a theme under names of a style sheet, so that a page can change from light to dark."""

from __future__ import annotations

from dataclasses import replace

from viz.render.style import Look, Theme

_SHARED = ("ground", "ink", "edge", "faint", "recur", "heat")
_PARTS = ("line", "fill", "ink")


def make_css_theme(theme: Theme) -> Theme:
    """Return a theme whose colours are names of the style sheet: ``var(--ink)``, ``var(--state-fill)``."""

    def name_colors(role: str, look: Look) -> Look:
        named = {part: f"var(--{role}-{part})" if getattr(look, part) != "none" else "none" for part in _PARTS}
        return replace(look, line=named["line"], fill=named["fill"], ink=named["ink"])

    looks = {role: name_colors(role, look) for role, look in theme.looks.items()}
    return replace(theme, looks=looks, **{name: f"var(--{name})" for name in _SHARED})


def write_css_colors(theme: Theme) -> str:
    """Return the declarations of these names for a theme.

    Example:
        >>> from viz.render.style import find_theme
        >>> write_css_colors(find_theme("dark"))[:35]
        '--ground: #15181D; --ink: #F2F2F2; '
    """
    pairs = [(name, getattr(theme, name)) for name in _SHARED]
    for role, look in theme.looks.items():
        pairs += [(f"{role}-{part}", getattr(look, part)) for part in _PARTS]
    return "; ".join(f"--{name}: {color}" for name, color in pairs if color != "none")
