"""The codes of errors: each stands at one place in the sources, and so has one meaning."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import autograd_seq
import viz

CODE = re.compile(r"[A-Z]{1,2}\d{3}")


def test_a_code_is_given_at_one_place() -> None:
    """What is raised at two places is built by a helper that both call."""
    places: dict[str, list[str]] = defaultdict(list)
    for package in (autograd_seq, viz):
        for path in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                for value in node.args if isinstance(node, ast.Call) else ():
                    if isinstance(value, ast.Constant) and isinstance(value.value, str) and CODE.fullmatch(value.value):
                        places[value.value].append(f"{path.name}:{value.lineno}")
    assert len(places) > 190, "the sources are not read"
    assert {code: where for code, where in places.items() if len(where) > 1} == {}


def test_the_texts_of_an_error_hold_no_newline() -> None:
    """Control characters in them are shown escaped, as they may come from names; several fixes are a list."""
    found = [
        f"{path.name}:{value.lineno}"
        for package in (autograd_seq, viz)
        for path in sorted(Path(str(package.__file__)).parent.rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and {k.arg for k in call.keywords} & {"fix", "expected", "got"}
        for value in ast.walk(call)
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and "\n" in value.value
    ]
    assert found == []
