"""LLVM values, functions and modules, with the types that numba gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from autograd_seq.core.errors import OperationError


class Value(NamedTuple):
    """An LLVM value, and its kind: a numba type."""

    code: Any
    kind: Any


class Symbol(NamedTuple):
    """A compiled function that is called at its address, with the types of its arguments and result."""

    name: str
    args: tuple[Any, ...]
    result: Any


class Instructions(NamedTuple):
    """Instructions that stand where a function is called.

    Attributes:
        write: from the builder and the arguments, as LLVM values, to the result.
        width: of the float that is the result; ``None`` if there is none.
    """

    write: Callable[..., Any]
    width: str | None = None


class Module:
    """An LLVM module that is being written, with the globals of its functions, and calls of operators and NumPy functions."""

    def __init__(self, context: Any, module: Any, names: Mapping[str, Any]) -> None:
        from numba.core import types

        self.context, self.module, self.names = context, module, dict(names)
        self.types, self.ways = types, dict[Any, Any]()

    def get_kind(self, given: Any) -> Any:
        """Return the LLVM type of a kind."""
        return self.context.get_value_type(given)

    def declare(self, symbol: Symbol) -> Any:
        """Return the LLVM function of a symbol, declared if it is new."""
        import llvmlite.ir as ir

        if symbol.name not in self.module.globals:
            result = ir.VoidType() if symbol.result is self.types.void else self.get_kind(symbol.result)
            made = ir.Function(self.module, ir.FunctionType(result, [self.get_kind(k) for k in symbol.args]), symbol.name)
            for arg in made.args:
                if isinstance(arg.type, ir.PointerType):
                    arg.add_attribute("noalias")  # arrays that a call writes overlap with no others
        return self.module.globals[symbol.name]

    def call(self, build: Any, function: Any, args: Sequence[Value]) -> Value:
        """Write a call of an operator or NumPy function of numbers, by numba's implementation, and return its value.

        Raises:
            OperationError: numba has no instructions for it, for example because it would first compile a Python function.
        """
        try:
            return self._call(build, function, args)
        except Exception as error:  # numba raises many classes of errors
            name = getattr(function, "__name__", repr(function))
            raise OperationError(
                "O308", f"{name} cannot be compiled in native code",
                expected="functions that numba computes in place, such as np.exp",
                got=f"{name} of {', '.join(str(a.kind) for a in args)}",
                fix="another expression for native= of the operation, or none: then NumPy computes it",
            ) from error  # fmt: skip

    def _call(self, build: Any, function: Any, args: Sequence[Value]) -> Value:
        key = function, tuple(a.kind for a in args)
        if key not in self.ways:
            known = self.context.typing_context.resolve_value_type(function)
            signature = known.get_call_type(self.context.typing_context, key[1], {})
            self.ways[key] = signature, self.context.get_function(known, signature)
        signature, way = self.ways[key]
        codes = [self.cast(build, a, k).code for a, k in zip(args, signature.args, strict=True)]
        return Value(way(build, codes), signature.return_type)

    def cast(self, build: Any, x: Value, kind: Any) -> Value:
        """Write a conversion of a value to another kind."""
        return x if x.kind == kind else Value(self.context.cast(build, x.code, x.kind, kind), kind)


__all__ = ["Instructions", "Module", "Symbol", "Value"]
