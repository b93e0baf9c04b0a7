"""Names are data: how a name becomes an identifier, a literal or a comment of a program, and text on a terminal.

A name is any string: a lecturer writes x₁ and σ², a file brings a newline or a quote. A program calls what it has by
identifiers of a fixed alphabet (:func:`make_identifier`), mentions names in comments and docstrings on one printable line
(:func:`make_printable`, as texts, errors and notebooks do), and looks them up as literals (``repr``).
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Container
from functools import lru_cache

_LONGEST = 60
_SIGNS = {"∂": "d", "∇": "nabla", "∞": "infinity", "′": "_prime"}
_LETTER = re.compile(r"(SMALL|CAPITAL) LETTER (?:[A-Z]+ )*?([A-Z]+)(?: WITH|$)")


def make_printable(text: str) -> str:
    r"""Return a text on one line of printable characters: others, newlines among them, as Python's escapes.

    Example:
        >>> make_printable("σ²"), make_printable("a\nb\x1b[31m\u2028")
        ('σ²', 'a\\nb\\x1b[31m\\u2028')
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def make_docstring(text: str) -> str:
    r'''Return lines of text as the source of a docstring; nothing in them ends it, or is an escape.

    Example:
        >>> make_docstring('say "hi" \\n')
        '"""say \\"hi\\" \\\\n"""'
    '''
    lines = [make_printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n")]
    return '"""' + "\n".join(lines) + '"""'


def add_primes(name: str, taken: Container[str]) -> str:
    """Return a name with so many primes that it is none of those taken.

    Example:
        >>> add_primes("h", ["h", "h'"]), add_primes("x", ["h"])
        ("h''", 'x')
    """
    while name in taken:
        name += "'"
    return name


@lru_cache(maxsize=4096)
def make_identifier(text: str) -> str:
    """Return a text as an identifier of ASCII letters, digits and underscores: no keyword, and nothing of Python's own.

    Greek and other letters are spelled out, small and raised digits are digits, and all else is an underscore.

    Example:
        >>> [make_identifier(name) for name in ("encoder/h", "σ²", "x₁", "lambda", "①", "Δt", "\\n")]
        ['encoder_h', 'sigma2', 'x1', 'lambda_', '_1', 'Deltat', 'value']
    """
    spelled = text if text.isascii() else "".join(map(_spell, text[:_LONGEST]))
    name = re.sub(r"_*\W[\W_]*", "_", spelled[:_LONGEST], flags=re.ASCII).strip("_") or "value"
    if name[0].isdigit():
        return f"_{name}"
    return f"{name}_" if keyword.iskeyword(name) or hasattr(builtins, name) else name


def _spell(character: str) -> str:
    """Return a character in ASCII: a letter by its name in Unicode, marks above and below letters not at all."""
    parts = []
    for c in unicodedata.normalize("NFKD", _SIGNS.get(character, character)):
        letter = None if c.isascii() else _LETTER.search(unicodedata.name(c, ""))
        if letter:
            word = letter[2].lower()
            parts.append(word.capitalize() if letter[1] == "CAPITAL" else word)
        elif c.isascii() or not unicodedata.combining(c):
            parts.append(c if c.isascii() else "_")
    return "".join(parts)
