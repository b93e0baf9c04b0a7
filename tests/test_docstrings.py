"""Every public name explains itself: a sentence, what it takes, what it returns, and an example that runs.

The examples themselves run as doctests of their modules.
"""

from __future__ import annotations

import inspect
import re
from types import ModuleType
from typing import Any

from each import each

import autograd_seq as ag
import viz

PARTS: dict[str, ModuleType] = {
    "ag": ag, "ag.nn": ag.nn, "ag.nn.init": ag.nn.init, "ag.learn": ag.learn, "ag.analyse": ag.analyse, "ag.linalg": ag.linalg,
    "ag.extend": ag.extend, "viz": viz, "viz.plots": viz.plots,
}  # fmt: skip
PUBLIC: dict[str, Any] = {f"{shown}.{name}": getattr(part, name) for shown, part in PARTS.items() for name in part.__all__}
FUNCTIONS = {name: thing for name, thing in PUBLIC.items() if inspect.isfunction(thing)}
CLASSES = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing) and not issubclass(thing, BaseException)}
OPERATIONS = {name: thing for name, thing in PUBLIC.items() if isinstance(thing, ag.Op)}


def find_sections(thing: Any) -> tuple[str, set[str]]:
    text = inspect.getdoc(thing) or ""
    found = set(re.findall(r"^(Args|Attributes|Returns|Raises|Example|Notes):", text, re.MULTILINE))
    return text, found | ({"Example"} if ">>>" in text else set())


@each("name", FUNCTIONS)
def test_a_function_says_what_it_takes_and_returns_and_shows_an_example(name: str) -> None:
    function = FUNCTIONS[name]
    text, sections = find_sections(function)
    first = text.split("\n\n")[0]
    assert "\n" not in first and first.endswith((".", ":")), f"one sentence, on one line: {first!r}"
    signature = inspect.signature(function)
    wanted = {"Args"} if signature.parameters else set()
    wanted |= {"Example"} if signature.return_annotation == "None" else {"Returns", "Example"}
    if "Example: see" in text:
        wanted -= {"Example"}
    assert wanted <= sections, f"{name} lacks {', '.join(sorted(wanted - sections))}"


@each("name", FUNCTIONS)
def test_every_argument_is_explained(name: str) -> None:
    function = FUNCTIONS[name]
    text = inspect.getdoc(function) or ""
    args = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^ {4}([\w, *]+):", args.group(1), re.MULTILINE) if args else []
    told = {word for line in lines for word in re.split(r"[, *]+", line)}
    parameters = [p for p in inspect.signature(function).parameters if not p.startswith("_")]
    assert set(parameters) <= told, f"{name} does not explain {', '.join(p for p in parameters if p not in told)}"


def test_cells_layers_and_compilers_name_their_errors() -> None:
    made = {name for name, function in FUNCTIONS.items() if "hidden" in inspect.signature(function).parameters}
    made |= {f"ag.{name}" for name in ("bptt", "check_grad", "compile", "grad", "jvp", "online", "stream", "value_and_grad")}
    assert len(made) > 20
    assert not {name for name in made if "Raises" not in find_sections(FUNCTIONS[name])[1]}


@each("name", CLASSES)
def test_a_class_says_what_it_holds(name: str) -> None:
    text, sections = find_sections(CLASSES[name])
    assert text.split("\n\n")[0].endswith(".")
    assert sections & {"Args", "Attributes", "Example"}, name


@each("name", OPERATIONS)
def test_an_operation_shows_its_operands(name: str) -> None:
    operation = OPERATIONS[name]
    text, _ = find_sections(operation)
    assert inspect.signature(operation).parameters
    assert text.split("\n\n")[0].endswith(".")
