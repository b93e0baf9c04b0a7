"""Native functions as LLVM instructions, by one walk over their source.

Their source is a small subset of Python: numbers, addresses with one index, loops, conditions and calls. numba provides the
types and instructions of operators and NumPy functions of numbers, and the passes that LLVM runs on the module.

Why not numba's own compiler of functions (2026-11): it runs two dozen passes for features of Python that these sources do not
use, and infers types that are known here; a first call took three to five times as long. Only
:mod:`autograd_seq.emit.native.numba` uses this file, once numba is known to be there.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from autograd_seq.emit.native.body import Body
from autograd_seq.emit.native.module import Module, Symbol, Value

Functions = Sequence[tuple[ast.FunctionDef, Symbol | None]]
"""Functions as syntax trees, each with its symbol; ``None`` if it is inlined where it is called."""


def list_functions(source: str, mark: str, kinds: Mapping[str, Any]) -> Functions:
    """Return the functions of a source that have a decorator, which tells how each is compiled.

    ``@part("real*, int")`` gives the types of the arguments of a function that others call, ``@native("real*, int")`` of one
    that Python calls too, and ``@inline`` functions are inlined. A function with a result has the annotation ``-> int``.
    """
    found: list[tuple[ast.FunctionDef, Symbol | None]] = []
    for function in ast.parse(source).body:
        if isinstance(function, ast.FunctionDef) and function.decorator_list:
            how = function.decorator_list[0]
            if isinstance(how, ast.Call):
                args = [kinds[k] for k in ast.literal_eval(how.args[0]).split(", ") if k]
                result = kinds["int" if function.returns else ""]
                found.append((function, Symbol(f"{mark}_{function.name}", tuple(args), result)))
            else:
                found.append((function, None))
    return found


def name_entry(symbol: Symbol) -> str:
    """Return the name of the entry point that Python calls."""
    return f"{symbol.name}_entry"


def write_functions(context: Any, module: Any, functions: Functions, names: Mapping[str, Any]) -> None:
    """Write functions into a module.

    Args:
        context: numba's target context for the processor, with its error model.
        module: the llvmlite module.
        functions: from :func:`list_functions`.
        names: the globals of the functions: numbers, functions of NumPy and Python, instructions, symbols, and syntax
            trees of functions to be inlined.
    """
    writer = FunctionWriter(context, module, {**names, **{f.name: symbol or f for f, symbol in functions}})
    for function, symbol in functions:
        if symbol:
            writer.define(function, symbol)
            if ast.unparse(function.decorator_list[0]).startswith("native("):
                writer.enter(symbol)


class FunctionWriter(Module):
    """Writes functions into one module."""

    def define(self, function: ast.FunctionDef, symbol: Symbol) -> None:
        """Write a function, which LLVM must not inline: the code would be optimised again at each call."""
        import llvmlite.ir as ir

        made = self.declare(symbol)
        made.attributes.add("noinline")
        build = ir.IRBuilder(made.append_basic_block("entry"))
        values = zip(made.args, symbol.args, strict=True)
        result = Body(self, build, function, [Value(*v) for v in values]).run()
        build.ret(result.code) if result else build.ret_void()

    def enter(self, symbol: Symbol) -> None:
        """Write an entry point for Python: a function of a tuple of arrays and of numbers, which passes on the addresses.

        The items of the tuple and the addresses of the arrays are read at their offsets in CPython's and NumPy's objects.
        """
        import llvmlite.ir as ir

        byte = ir.IntType(8).as_pointer()
        numbers = [k for k in symbol.args if not isinstance(k, self.types.CPointer)]
        kind = ir.FunctionType(ir.VoidType(), [byte, *map(self.get_kind, numbers)])
        made = ir.Function(self.module, kind, name_entry(symbol))
        build = ir.IRBuilder(made.append_basic_block("entry"))

        def read(place: Any, at: int, of: Any) -> Any:
            return build.load(build.bitcast(build.gep(place, [ir.Constant(ir.IntType(64), at)]), of.as_pointer()))

        given: list[Any] = []
        for k in symbol.args[: len(symbol.args) - len(numbers)]:
            array = read(made.args[0], tuple.__basicsize__ + tuple.__itemsize__ * len(given), byte)
            given.append(read(array, object.__basicsize__, self.get_kind(k)))
        build.call(self.declare(symbol), [*given, *made.args[1:]])
        build.ret_void()


__all__ = ["FunctionWriter", "Functions", "Symbol", "list_functions", "name_entry", "write_functions"]
