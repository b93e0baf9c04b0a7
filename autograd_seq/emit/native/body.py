"""The body of a native function as LLVM instructions: statement by statement, expression by expression.

Types need no inference: those of arguments are declared, and a variable keeps the type of its first assignment.
"""

from __future__ import annotations

import ast
import math
import operator
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd_seq.emit.native.module import Instructions, Module, Symbol, Value

BINARY: dict[type[ast.AST], Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv, ast.Pow: operator.pow, ast.LShift: operator.lshift, ast.RShift: operator.rshift,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip
FIRST = {min: operator.lt, max: operator.gt}
OWN = {np.cbrt: "float_cbrt", np.hypot: "float_hypot", math.hypot: "float_hypot"}
"""Functions that numba has in Python alone, and would have to compile first: those of ``functions.py`` stand for them."""


class Body:
    """Writes the body of one function; that of an inlined function is written where it is called."""

    def __init__(self, of: Module, build: Any, function: ast.FunctionDef, args: Sequence[Value]) -> None:
        self.of, self.build, self.function = of, build, function
        self.values = {a.arg: v for a, v in zip(function.args.args, args, strict=True)}
        stores = Counter(n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        augmented = {n.target.id for n in ast.walk(function) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
        self.kept = {name for name, n in stores.items() if n > 1 or name in augmented or name in self.values}
        self.slots: dict[str, Value] = {}  # memory of the variables that are assigned more than once
        self.end = build.append_basic_block("return")
        self.after: list[Any] = []  # where each open loop is left
        for name in [n for n in self.values if n in self.kept]:
            self.assign(name, self.values.pop(name))

    def run(self) -> Value | None:
        """Write the whole body, and return the result."""
        self.write_block(self.function.body)
        self._leave()
        self.build.position_at_end(self.end)
        return self.read("return") if "return" in self.slots else None

    def _leave(self) -> None:
        if not self.build.block.is_terminated:
            self.build.branch(self.end)

    # -- variables ---------------------------------------------------------------------------------------------------------

    def assign(self, name: str, x: Value) -> None:
        """Assign a value to a variable, whose type may not change."""
        from numba.core import cgutils

        if name not in self.kept and name != "return":
            self.values[name] = x
            return
        if name not in self.slots:
            self.slots[name] = Value(cgutils.alloca_once(self.build, self.of.get_kind(x.kind)), x.kind)
        slot = self.slots[name]
        if x.kind != slot.kind:
            raise TypeError(f"{name} has type {slot.kind}, and a value of type {x.kind} is assigned to it")
        self.build.store(x.code, slot.code)

    def read(self, name: str) -> Value:
        """Return the value of a variable, or of a global constant."""
        if name in self.slots:
            return Value(self.build.load(self.slots[name].code), self.slots[name].kind)
        return self.values[name] if name in self.values else self.make_number(self.of.names[name])

    def make_number(self, x: Any) -> Value:
        """Return a literal number."""
        types = self.of.types
        kind = types.boolean if isinstance(x, bool) else types.int64 if isinstance(x, int) else types.float64
        return Value(self.of.get_kind(kind)(x), kind)

    def _locate(self, node: ast.Subscript) -> Value:
        array, at = self.write_value(node.value), self.write_value(node.slice)
        return Value(self.build.gep(array.code, [self.of.cast(self.build, at, self.of.types.int64).code]), array.kind.dtype)

    # -- statements --------------------------------------------------------------------------------------------------------

    def write_block(self, body: Sequence[ast.stmt]) -> None:
        """Write statements."""
        for statement in body:
            STATEMENTS[type(statement)](self, statement)

    def _write_assignment(self, node: ast.Assign) -> None:
        target, source = node.targets[0], node.value
        if isinstance(target, ast.Tuple) and isinstance(source, ast.Tuple):
            values = [self.write_value(x) for x in source.elts]
            for t, x in zip(target.elts, values, strict=True):
                self._put(t, x)
        else:
            self._put(target, self.write_value(source))

    def _put(self, target: ast.expr, x: Value) -> None:
        if isinstance(target, ast.Name):
            self.assign(target.id, x)
        else:
            assert isinstance(target, ast.Subscript)
            place = self._locate(target)
            self.build.store(self.of.cast(self.build, x, place.kind).code, place.code)

    def _write_augmented(self, node: ast.AugAssign) -> None:
        function, x = BINARY[type(node.op)], self.write_value(node.value)
        if isinstance(node.target, ast.Name):
            self.assign(node.target.id, self.of.call(self.build, function, [self.read(node.target.id), x]))
            return
        assert isinstance(node.target, ast.Subscript)
        place = self._locate(node.target)
        new = self.of.call(self.build, function, [Value(self.build.load(place.code), place.kind), x])
        self.build.store(self.of.cast(self.build, new, place.kind).code, place.code)

    def _write_for(self, node: ast.For) -> None:
        assert isinstance(node.iter, ast.Call) and isinstance(node.target, ast.Name)
        given, build = [self.write_value(x) for x in node.iter.args], self.build
        start, stop, step = [*[self.make_number(0)][: len(given) == 1], *given, self.make_number(1)][:3]
        before, head, body, after = build.block, *(build.append_basic_block(n) for n in ("head", "body", "after"))
        build.branch(head)
        build.position_at_end(head)
        i = build.phi(self.of.get_kind(self.of.types.int64))
        i.add_incoming(start.code, before)
        down = isinstance(node.iter.args[-1], ast.UnaryOp) and len(given) == 3  # only steps are negative
        build.cbranch(build.icmp_signed(">" if down else "<", i, stop.code), body, after)
        build.position_at_end(body)
        if node.target.id in self.slots:
            self.assign(node.target.id, Value(i, self.of.types.int64))
        self.values[node.target.id] = Value(i, self.of.types.int64)
        self.after.append(after)
        self.write_block(node.body)
        self.after.pop()
        i.add_incoming(build.add(i, step.code, flags=["nsw"]), build.block)
        build.branch(head)
        build.position_at_end(after)

    def _write_while(self, node: ast.While) -> None:
        build = self.build
        head, body, after = (build.append_basic_block(n) for n in ("head", "body", "after"))
        build.branch(head)
        build.position_at_end(head)
        build.cbranch(self.write_condition(node.test), body, after)
        build.position_at_end(body)
        self.after.append(after)
        self.write_block(node.body)
        self.after.pop()
        build.branch(head)
        build.position_at_end(after)

    def _write_if(self, node: ast.If) -> None:
        build, condition = self.build, self.write_condition(node.test)
        then, other, after = (build.append_basic_block(n) for n in ("then", "else", "after"))
        build.cbranch(condition, then, other)
        for place, body in ((then, node.body), (other, node.orelse)):
            build.position_at_end(place)
            self.write_block(body)
            if not build.block.is_terminated:
                build.branch(after)
        build.position_at_end(after)

    def _write_return(self, node: ast.Return) -> None:
        if node.value is not None:
            self.assign("return", self.write_value(node.value))
        self._leave()

    def _write_expression(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.write_value(node.value)

    # -- expressions -------------------------------------------------------------------------------------------------------

    def write_value(self, node: ast.expr) -> Value:
        """Write an expression, and return its value."""
        return EXPRESSIONS[type(node)](self, node)

    def write_condition(self, node: ast.expr) -> Any:
        """Return whether an expression is true."""
        x = self.write_value(node)
        return self.of.context.is_true(self.build, x.kind, x.code)

    def _write_load(self, node: ast.Subscript) -> Value:
        if isinstance(node.slice, ast.Slice) and node.slice.lower:  # an array from an entry on
            array, at = self.write_value(node.value), self.write_value(node.slice.lower)
            return Value(self.build.gep(array.code, [at.code]), array.kind)
        place = self._locate(node)
        return Value(self.build.load(place.code), place.kind)

    def _write_attribute(self, node: ast.Attribute) -> Value:
        return self.make_number(self._look_up(node))

    def _look_up(self, node: ast.expr) -> Any:
        """Return the object that a name, or an attribute of a module, refers to."""
        if isinstance(node, ast.Attribute):
            return getattr(self._look_up(node.value), node.attr)
        assert isinstance(node, ast.Name)
        return self.of.names[node.id]

    def _write_unary(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return Value(self.build.not_(self.write_condition(node.operand)), self.of.types.boolean)
        if isinstance(node.operand, ast.Constant):
            return self.make_number(-node.operand.value)  # type: ignore[operator]
        return self.of.call(self.build, operator.neg, [self.write_value(node.operand)])

    def _write_binary(self, node: ast.BinOp) -> Value:
        return self.of.call(self.build, BINARY[type(node.op)], [self.write_value(node.left), self.write_value(node.right)])

    def _write_comparison(self, node: ast.Compare) -> Value:
        xs = [self.write_value(x) for x in (node.left, *node.comparators)]
        found = [self.of.call(self.build, BINARY[type(op)], xs[k : k + 2]) for k, op in enumerate(node.ops)]
        code = found[0].code
        for other in found[1:]:
            code = self.build.and_(code, other.code)
        return Value(code, self.of.types.boolean)

    def _write_boolean(self, node: ast.BoolOp) -> Value:
        """Write ``and`` and ``or``, which evaluate later operands only if these matter."""
        first, *rest = node.values
        for operand in rest:
            empty = ast.Constant(isinstance(node.op, ast.Or))
            first = ast.IfExp(first, empty, operand) if empty.value else ast.IfExp(first, operand, empty)
        return Value(self.write_condition(first), self.of.types.boolean)

    def _write_choice(self, node: ast.IfExp) -> Value:
        build, condition = self.build, self.write_condition(node.test)
        starts = [build.append_basic_block(n) for n in ("yes", "no")]
        after = build.append_basic_block("after")
        build.cbranch(condition, *starts)
        found: list[tuple[Value, Any]] = []
        for start, operand in zip(starts, (node.body, node.orelse), strict=True):
            build.position_at_end(start)
            found.append((self.write_value(operand), build.block))
        kinds = [x.kind for x, _ in found]
        kind = kinds[0] if kinds[0] == kinds[1] else self.of.context.typing_context.unify_types(*kinds)
        codes = []
        for x, block in found:
            build.position_at_end(block)
            codes.append((self.of.cast(build, x, kind).code, block))
            build.branch(after)
        build.position_at_end(after)
        phi = build.phi(self.of.get_kind(kind))
        for code in codes:
            phi.add_incoming(*code)
        return Value(phi, kind)

    def _write_call(self, node: ast.Call) -> Value:
        build = self.build
        if isinstance(node.func, ast.Attribute) and node.func.attr == "view":  # reinterprets the same bits
            kind = self._get_kind(self._look_up(node.args[0]))
            return Value(build.bitcast(self.write_value(node.func.value).code, self.of.get_kind(kind)), kind)
        function, args = self._look_up(node.func), [self.write_value(x) for x in node.args]
        if isinstance(function, type):
            return self.of.cast(build, args[0], self._get_kind(function))
        function = self.of.names[OWN[function]] if function in OWN else function
        if isinstance(function, Symbol):
            codes = [self.of.cast(build, a, k).code for a, k in zip(args, function.args, strict=True)]
            return Value(build.call(self.of.declare(function), codes), function.result)
        if isinstance(function, Instructions):
            kind = getattr(self.of.types, function.width or "void")
            return Value(function.write(build, *[a.code for a in args]), kind)
        if isinstance(function, ast.FunctionDef):
            return Body(self.of, build, function, args).run() or Value(None, self.of.types.void)
        if function in FIRST:  # as in Python: the second argument only if it is beyond the first
            first, second = args
            beyond = self.of.call(build, FIRST[function], [second, first])
            return Value(build.select(beyond.code, second.code, self.of.cast(build, first, second.kind).code), second.kind)
        return self.of.call(build, function, args)

    def _get_kind(self, number: type) -> Any:
        from numba import from_dtype

        return from_dtype(np.dtype(number))


STATEMENTS: dict[type[ast.stmt], Callable[[Body, Any], None]] = {
    ast.Assign: Body._write_assignment, ast.AugAssign: Body._write_augmented, ast.For: Body._write_for,
    ast.While: Body._write_while, ast.If: Body._write_if, ast.Return: Body._write_return, ast.Expr: Body._write_expression,
    ast.Pass: lambda body, node: None, ast.Break: lambda body, node: body.build.branch(body.after[-1]),
}  # fmt: skip
EXPRESSIONS: dict[type[ast.expr], Callable[[Body, Any], Value]] = {
    ast.Constant: lambda body, node: body.make_number(node.value), ast.Name: lambda body, node: body.read(node.id),
    ast.Attribute: Body._write_attribute, ast.Subscript: Body._write_load, ast.UnaryOp: Body._write_unary,
    ast.BinOp: Body._write_binary, ast.Compare: Body._write_comparison, ast.BoolOp: Body._write_boolean,
    ast.IfExp: Body._write_choice, ast.Call: Body._write_call,
}  # fmt: skip

__all__ = ["Body", "Symbol", "Value"]
