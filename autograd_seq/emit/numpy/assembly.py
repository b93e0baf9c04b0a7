"""The whole text of a program: imports, the functions that it carries along, and the two that everything is put into."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from autograd_seq.core.names import make_docstring
from autograd_seq.emit.numpy import operations as calls
from autograd_seq.emit.numpy.arrays import write_tuple
from autograd_seq.emit.numpy.page import Page
from autograd_seq.emit.numpy.runtime import HELPERS, NEEDS
from autograd_seq.emit.program_text import NUMPY, wrap_items, write_imports

_CALLED = re.compile(r"(?<![\w.\"])(\w+)(?:\.reduce)?\(")
_WIDTH = 120


def assemble(w: Page, returned: Sequence[str]) -> str:
    """Return the source of a program whose statements have been written."""
    body = list_lines(w.run, 2)
    head = f"    def run({', '.join([*w.feeds.values(), *w.outs])}):"
    body += [] if w.outs else [f"        return {write_tuple(returned)}"]
    work = [f"    {part}" for line in w.work for part in _fold(line)]
    sizes = ", ".join([*w.lengths.values(), "real"])
    constants = ", constants" if w.constants else ""
    text = [f"    {make_docstring(w.title)}", *work, "", head, *body, "", "    return run"]
    helpers = w.helpers | {NEEDS[h] for h in w.helpers & NEEDS.keys()}
    functions = [HELPERS[h] for h in HELPERS if h in helpers] + list(w.bundle.sources.values())
    code = "\n".join([f"def program({sizes}{constants}):", *text])
    called = set(_CALLED.findall(code))
    used = sorted(called & (NUMPY | calls.list_names(w.graph.nodes)))
    return "\n".join([*write_imports(w.bundle.modules, used), "", "", *("\n\n".join([f, ""]) for f in functions), code, ""])


def list_lines(parts: Sequence[Any], depth: int) -> list[str]:
    """Return the lines of a body, loops with theirs indented."""
    out: list[str] = []
    for part in parts:
        indent = "    " * depth
        if isinstance(part, str):
            if part.startswith("# ") and out and not out[-1].lstrip().startswith("#") and depth == 2:
                out.append("")
            out.append(indent + part)
            continue
        names = [n for n, _ in part.over.values()]
        sources = [c for _, c in part.over.values()]
        head = f"for _ in range({part.count}):"
        if names:
            joined = part.steps or (sources[0] if len(names) == 1 else f"zip({', '.join(sources)})")
            head = f"for {', '.join(names)} in {joined}:"
        heads = [head]
        if len(indent) + len(head) > _WIDTH:
            last = [f") in {part.steps}:"] if part.steps else [") in zip(", *_wrap(sources), "):"]
            heads = ["for (", *_wrap(names), *last]
        out += [indent + line for line in heads]
        out += list_lines(part.lines, depth + 1) or [f"{indent}    pass"]
    return out


def _fold(line: str) -> list[str]:
    """Return the lines of a call on many names."""
    head, bracket, rest = line.partition("(zip(")
    if not bracket or len(line) <= _WIDTH - 4:
        return [line]
    return [head + bracket, *_wrap(rest.removesuffix("))").split(", ")), "))"]


def _wrap(names: Sequence[str]) -> list[str]:
    return wrap_items(names, _WIDTH - 16, "    ")
