"""The equations that a textbook program computes, as it writes them in its comments, set as mathematics."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from viz.scene.label import Label, Run, clean, make_name_label

_BRACES = r"\{(?:[^{}]|\{[^{}]*\})*\}"
_NAME = rf"\\?[^\W\d]\w*(?:{_BRACES}\w*)*"  # h, W_{hh}, \hat{y}, \bar{h}_{t_0}
_DEFINES = re.compile(rf"\s*(?:# )?({_NAME}'*)(?:\[[^\]]*\])?\s*[-+*]?=[^=]")
_TOKEN = re.compile(rf"({_NAME}'*)(\[[^\]]*\])?(\()?|.", re.DOTALL)

_SIGNS = {"sigmoid": "σ"}  # functions that have a sign in pictures
_SUBSCRIPTS = re.compile("[\u2080-\u209c\u1d62-\u1d6a\u2c7c]+$")  # digits and letters that Unicode has as subscripts


def list_equations(textbook: str) -> list[str]:
    """Return the equations of a textbook program, in the order of computing.

    Example:
        >>> list_equations("for t in range(T):\\n    # s[t] = W s[t − 1]\\n    s[t] = W * s[t - 1]")
        ['s[t] = W s[t − 1]']
    """
    lines = map(str.strip, join_comments(textbook.splitlines()))
    return [line[2:] for line in lines if line.startswith("# ") and " = " in line]


def join_comments(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a program, each comment with what it goes on with in the next lines.

    Example:
        >>> list(join_comments(["# s[t]", "#     = W s[t − 1]", "s = 1"]))
        ['# s[t] = W s[t − 1]', 's = 1']
    """
    held = ""
    for line in lines:
        bare = line.strip()
        if held and bare.startswith("#  "):
            held += f" {bare[1:].strip()}"
            continue
        yield from [held] if held else []
        held = line if bare.startswith("# ") else ""
        yield from [] if held else [line]
    yield from [held] if held else []


def typeset_equation(text: str, names: Mapping[str, str] | None = None) -> Label:
    """Return an equation of a textbook program set as mathematics.

    Args:
        text: the equation.
        names: what variables are called, by how the program writes them: `lower_h` may be `lower/h`.

    Example:
        >>> typeset_equation("s[t] = tanh(W s[t − 1])").text
        's_t = tanh(W s_t−1)'
        >>> typeset_equation(r"c[u] = Σₜ \\alpha[t, u] h[t]").text
        'c_u = Σ_t α_t,u h_t'
        >>> typeset_equation("lower_h[t] = lower_o[t] ⊙ tanh(lower_c[t])", {"lower_h": "h"}).text[:6]
        'h_t = '
    """
    runs: list[Run] = []
    for match in _TOKEN.finditer(clean(text, 400)):
        name, index, opens = match[1], match[2], match[3]
        lowered = _SUBSCRIPTS.search(name or "")
        if lowered:  # Σₜ, maxₜ
            runs += [Run(str(name)[: lowered.start()]), Run(unicodedata.normalize("NFKC", lowered[0]), True, -1)]
            runs += [Run(f"{index or ''}{opens or ''}")] if index or opens else []
        elif name is None:
            runs.append(Run(match[0]))
        elif opens and not index:
            runs.append(Run(_SIGNS.get(name, name) + "("))
        else:
            shown = (names or {}).get(name, name)
            bare = shown.rstrip("'")
            set_name = make_name_label(bare, (index or "")[1:-1].replace(" ", "")).rows[0]
            runs += [*set_name, *([replace(set_name[-1], text="′" * (len(shown) - len(bare)))] if bare != shown else [])]
            runs += [Run("(")] if opens else []
    return Label((tuple(runs),))


def group_equations(equations: Sequence[str], names: Collection[str]) -> list[tuple[str, str, Label]]:
    """Return equations under the scopes that they stand in, where names need no scope.

    Args:
        equations: as a textbook program writes them.
        names: the full names of the variables and parameters.

    Returns:
        For each, its scope, its text, and how it is set.

    Example:
        >>> [(scope, label.text) for scope, _, label in group_equations(["a_h[t] = a_W x[t]"], ["a/h", "a/W", "x"])]
        [('a', 'h_t = W x_t')]
    """
    full = {make_identifier(name): name for name in names}
    parts = [name.split("/")[:-1] for name in names]
    scopes = sorted({"/".join(found[:i]) for found in parts for i in range(1, len(found) + 1)}, key=lambda s: (-len(s), s))
    leads = [(f"{make_identifier(scope)}_", scope) for scope in scopes]

    def find_name(word: str) -> str:
        """Return the full name of what a program calls so; unnamed values have names there that begin with their scope."""
        found = full.get(word)
        return found or next((f"{scope}/{word[len(lead) :]}" for lead, scope in leads if word.startswith(lead)), word)

    out = []
    for text in equations:
        words = dict.fromkeys(match[1] for match in _TOKEN.finditer(text) if match[1])
        left = _TOKEN.match(text)
        scope = find_name(left[1]).rpartition("/")[0] if left and left[1] else ""
        shown = {word: find_name(word).removeprefix(f"{scope}/") if scope else find_name(word) for word in words}
        out.append((scope, text, typeset_equation(text, shown)))
    return out


def find_defined(line: str) -> str:
    """Return what a line of a program, or an equation, defines; "" if it defines nothing.

    Example:
        >>> find_defined("    s[t] += W * s[t - 1]"), find_defined("# W_{hh} = U V"), find_defined("if a == b:")
        ('s', 'W_{hh}', '')
    """
    match = _DEFINES.match(line)
    return match[1] if match else ""


def make_identifier(name: str) -> str:
    """Return how a program writes a name: `lower/h` is `lower_h` there."""
    return re.sub(r"\W+", "_", name).strip("_")
