"""The source of an operation's ``forward`` and of the functions it calls, which programs contain so that they run alone."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

from autograd_seq.emit.program_text import write_attribute

ALLOWED = {"numpy": "np", "math": "math", "hashlib": "hashlib"}
"""Modules that bundled functions may use, with the name under which they must be imported."""

STAND_INS = {
    ("autograd_seq.ops.gather", "_checked"): '''def checked(index, n):
    """Return ``index`` if all of it lies in 0 … n - 1."""
    if index.size and index.astype(np.uint64).max() >= n:  # negative numbers become large
        raise IndexError(f"expected 0 … {n - 1}, got {index.min()} … {index.max()}")
    return index''',
}
"""Replacements for functions that raise errors of this package, which a program that runs alone does not have."""


class Bundle:
    """The functions that a program contains, each with everything it calls.

    Attributes:
        sources: the text of each function, callees first.
        foreign: functions whose source cannot be copied, by name: the program receives them as objects.
    """

    def __init__(self, taken: Callable[[str], str]) -> None:
        self._name = taken
        self._names: dict[Any, str] = {}
        self.sources: dict[str, str] = {}
        self.foreign: dict[str, Any] = {}
        self.modules: set[str] = set()

    def add(self, function: Any, wanted: str) -> str:
        """Add a function and everything it calls, and return its name in the program."""
        if function in self._names:
            return self._names[function]
        if _locate(function) not in STAND_INS and _is_self_contained(function, set()):
            return self._copy_source(function, wanted)
        name = self._names[function] = self._name(wanted)
        if (place := _locate(function)) in STAND_INS:
            self.sources[name] = STAND_INS[place].replace("def checked(", f"def {name}(")
        else:
            self.foreign[name] = function
        return name

    def _copy_source(self, function: FunctionType, wanted: str) -> str:
        """Add the source of a function; the names of what it calls do not collide with its own variables."""
        source, used, own = _parse(function)  # type: ignore[misc]
        name = self._names[function] = self._choose_name(own, wanted)
        renamed: dict[str, str] = {}
        for word in used:
            value = function.__globals__.get(word)
            if isinstance(value, ModuleType):
                self.modules.add(value.__name__)
            elif word in function.__globals__:
                renamed[word] = given = self.add(value, word.strip("_").removesuffix("_forward"))
                if given in own:
                    renamed[word] = alias = self._choose_name(own, given)
                    self.sources[alias] = f"def {alias}(*args, **named):\n    return {given}(*args, **named)"
        self.sources[name] = _rename(source, name, tuple(renamed.items()))
        return name

    def _choose_name(self, own: frozenset[str], wanted: str) -> str:
        """Return a new name that differs from all variables of a function."""
        while (name := self._name(wanted)) in own:
            pass
        return name

    def write_attribute(self, name: str, value: Any) -> str:
        """Return an attribute as source; an object that has no literal under its name, or that of the attribute."""
        return write_attribute(value, lambda held: self.hold(held, getattr(held, "__name__", name)))

    def hold(self, value: Any, wanted: str) -> str:
        """Pass an object to the program, and return its name there."""
        for name, known in self.foreign.items():
            if known is value:
                return name
        name = self._name(wanted)
        self.foreign[name] = value
        return name


def _locate(function: Any) -> tuple[str, str]:
    return getattr(function, "__module__", ""), getattr(function, "__name__", "")


def _is_self_contained(function: Any, seen: set[Any]) -> bool:
    """Tell whether a function reads nothing but its arguments, allowed modules, and other such functions.

    Args:
        seen: functions that are already being examined, since functions may be mutually recursive.
    """
    if _locate(function) in STAND_INS:
        return True
    if not isinstance(function, FunctionType) or function.__closure__ or function.__name__ == "<lambda>":
        return False
    if function in seen:
        return True
    seen.add(function)
    if (parsed := _parse(function)) is None:
        return False
    read = [(word, function.__globals__[word]) for word in parsed[1] if word in function.__globals__]
    modules = [(word, value) for word, value in read if isinstance(value, ModuleType)]
    others = [value for _, value in read if not isinstance(value, ModuleType)]
    return all(ALLOWED.get(m.__name__) == word for word, m in modules) and all(
        _is_self_contained(value, seen) for value in others
    )


@lru_cache(maxsize=1024)
def _parse(function: FunctionType) -> tuple[str, tuple[str, ...], frozenset[str]] | None:
    """Return the text of a function without annotations, the global names it reads, sorted, and its local names."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None
    if not isinstance(tree, ast.FunctionDef) or tree.decorator_list or not all(map(_is_literal, _list_defaults(tree))):
        return None
    _DropAnnotations().visit(tree)
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
    own = {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)} | {n.id for n in names if isinstance(n.ctx, ast.Store)}
    own |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n is not tree}
    return ast.unparse(tree), tuple(sorted({n.id for n in names} - own - {tree.name})), frozenset(own)


def _list_defaults(tree: ast.FunctionDef) -> list[ast.expr]:
    return [d for d in [*tree.args.defaults, *tree.args.kw_defaults] if d is not None]


def _is_literal(value: ast.expr) -> bool:
    """Tell whether a default value is a literal: a name may have been rebound since."""
    try:
        ast.literal_eval(value)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def _rename(source: str, name: str, names: tuple[tuple[str, str], ...]) -> str:
    """Return the text of a function under another name; the functions it calls, itself included, are renamed too."""
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.FunctionDef)
    names, tree.name = (*names, (tree.name, name)), name
    return ast.unparse(_ReplaceNames(dict(names)).visit(tree))


class _DropAnnotations(ast.NodeTransformer):
    """Removes annotations, whose types a program that imports only NumPy does not have."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.Pass()
        return ast.copy_location(ast.Assign([node.target], node.value), node)


class _ReplaceNames(ast.NodeTransformer):
    """Replaces names."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.names.get(node.id, node.id)
        return node
