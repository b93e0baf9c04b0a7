"""Whether the fonts of this machine have a glyph for every character of a picture, and what to install where they have not."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
from collections.abc import Iterable
from functools import cache

from viz.scene.picture import Picture

_SECONDS = 10.0
_MOST = 200  # characters asked for one by one
_SHOWN = 8
# Latin, Greek and mathematics: in every font that is asked for.
_EVERYWHERE = ((0x0000, 0x024F), (0x0300, 0x03FF), (0x2000, 0x27FF))
_PACKAGES = (
    (("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH"), "fonts-noto-cjk"),
    (("EMOJI",), "fonts-noto-color-emoji"),
)
_OTHERS = "fonts-noto-core"


def list_unusual(picture: Picture) -> list[str]:
    """Return the characters of a picture that not every font has, in the order of their code points.

    Example:
        >>> from viz.scene.label import make_name_label
        >>> from viz.scene.picture import Mark
        >>> list_unusual(Picture([Mark("s", "state", make_name_label("状α"))]))
        ['状']
    """
    labels = [mark.label for mark in picture.marks] + [line.label for line in picture.lines]
    found = {character for label in labels for character in label.text}
    return sorted(c for c in found if not any(low <= ord(c) <= high for low, high in _EVERYWHERE))


def find_missing(characters: Iterable[str]) -> list[str]:
    """Return the characters for which no font here has a glyph; none where fontconfig's `fc-list` is not there to ask."""
    program = shutil.which("fc-list")
    if program is None:
        return []
    return [c for c in list(characters)[:_MOST] if unicodedata.category(c) not in ("Cf", "Co") and not has_font(program, c)]


@cache
def has_font(program: str, character: str) -> bool:
    """Ask fontconfig whether some font has a character; where it cannot answer, one is taken to have it."""
    done = subprocess.run(
        [program, f":charset={ord(character):x}", "family"], capture_output=True, timeout=_SECONDS, check=False
    )
    return bool(done.stdout.strip()) or done.returncode != 0


def write_notice(missing: list[str], form: str) -> str:
    """Return what to tell about characters without a glyph.

    Example:
        >>> print(write_notice(["状"], "png"))
        [P110] no font here shows 状: the png has boxes in its place
          install a font with these letters (Debian: apt install fonts-noto-cjk), or save the picture as .svg or .html
    """
    shown = " ".join(missing[:_SHOWN]) + (f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else "")
    packages = dict.fromkeys(_find_package(character) for character in missing)
    place = "its place" if len(missing) == 1 else "their places"
    return (
        f"[P110] no font here shows {shown}: the {form} has boxes in {place}\n"
        f"  install a font with these letters (Debian: apt install {' '.join(packages)}), or save the picture as .svg or .html"
    )


def _find_package(character: str) -> str:
    name = unicodedata.name(character, "")
    if unicodedata.category(character) == "So" and ord(character) >= 0x1F000:
        name = "EMOJI"
    return next((package for words, package in _PACKAGES if name.startswith(words)), _OTHERS)
