"""Vector code (LLVM IR) for the inner loops of native products and of sums over rows.

A compiled loop over entries would load and store its sums at every step, or wait for the previous addition to the same sum.
Here sums are vectors that stay in registers. Only :mod:`autograd_seq.emit.native.numba` uses this file, once numba is known to
be installed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd_seq.emit.native.module import Instructions


class Vectors:
    """Types, constants and instructions for vectors of ``lanes`` floats of a width."""

    def __init__(self, lanes: int, width: str) -> None:
        import llvmlite.ir as ir

        self.ir, self.lanes, self.size = ir, lanes, np.dtype(width).itemsize
        self.type = ir.VectorType(ir.FloatType() if width == "float32" else ir.DoubleType(), lanes)
        self.pointer, self.letter = self.type.as_pointer(), f"v{lanes}f{8 * self.size}"
        self.long, self.short = ir.IntType(64), ir.IntType(32)
        self.mask = ir.VectorType(ir.IntType(1), lanes)
        self.lane = ir.Constant(ir.VectorType(self.long, lanes), list(range(lanes)))
        self.aligned = ir.Constant(self.short, self.size)

    def make_integer(self, n: int) -> Any:
        """Return an integer constant."""
        return self.ir.Constant(self.long, n)

    def make_constant(self, x: float) -> Any:
        """Return a constant vector, all of whose lanes are ``x``."""
        return self.ir.Constant(self.type, [x] * self.lanes)

    def broadcast(self, build: Any, x: Any) -> Any:
        """Return a vector all of whose lanes are a computed number."""
        ir = self.ir
        nothing = ir.Constant(ir.VectorType(x.type, self.lanes), ir.Undefined)
        first = ir.Constant(ir.VectorType(self.short, self.lanes), [0] * self.lanes)
        return build.shuffle_vector(build.insert_element(nothing, x, ir.Constant(self.short, 0)), nothing, first)

    def make_mask(self, build: Any, left: Any) -> Any:
        """Return a mask of the first ``left`` lanes."""
        return build.icmp_signed("<", self.lane, self.broadcast(build, left))

    def call(self, build: Any, name: str, result: Any, args: list[Any]) -> Any:
        """Call an LLVM intrinsic for which the builder has no method."""
        from numba.core import cgutils

        kind = self.ir.FunctionType(result, [x.type for x in args])
        return build.call(cgutils.get_or_insert_function(build.module, kind, f"llvm.{name}.{self.letter}"), args)

    def prefetch(self, build: Any, place: Any) -> None:
        """Prefetch the cache line at an address into the second-level cache."""
        byte = self.ir.IntType(8).as_pointer()
        numbers = [self.ir.Constant(self.short, n) for n in (0, 2, 1)]  # to be read, soon, data
        kind = self.ir.FunctionType(self.ir.VoidType(), [byte, *(n.type for n in numbers)])
        known = build.module.globals.get("llvm.prefetch.p0")
        build.call(known or self.ir.Function(build.module, kind, "llvm.prefetch.p0"), [build.bitcast(place, byte), *numbers])

    def load(self, build: Any, place: Any, mask: Any = None, otherwise: Any = None) -> Any:
        """Load a vector; with a mask, only its lanes, and ``otherwise`` in the others."""
        address = build.bitcast(place, self.pointer)
        if mask is not None:
            return self.call(build, "masked.load", self.type, [address, self.aligned, mask, otherwise])
        x = build.load(address)
        x.align = self.size
        return x

    def store(self, build: Any, x: Any, place: Any, mask: Any = None) -> None:
        """Store a vector; with a mask, only its lanes."""
        address = build.bitcast(place, self.pointer)
        if mask is not None:
            name = f"llvm.masked.store.{self.letter}.p0"
            kind = self.ir.FunctionType(self.ir.VoidType(), [self.type, self.pointer, self.short, self.mask])
            known = build.module.globals.get(name) or self.ir.Function(build.module, kind, name)
            build.call(known, [x, address, self.aligned, mask])
        else:
            build.store(x, address).align = self.size

    def loop(self, build: Any, first: Any, stop: Any, stride: int, start: list[Any], body: Any) -> tuple[Any, list[Any]]:
        """Repeat for i = first, first + stride, … while i + stride ≤ stop; return the final i and the final carried values.

        ``body(i, carried)`` returns the new carried values; ``start`` are the first ones.
        """
        before = build.block
        step, end = build.append_basic_block("step"), build.append_basic_block("end")
        build.cbranch(build.icmp_signed("<=", build.add(first, self.make_integer(stride)), stop), step, end)
        build.position_at_end(step)
        i = build.phi(self.long)
        carried = [build.phi(x.type) for x in start]
        new = body(i, carried)
        following = build.add(i, self.make_integer(stride))
        for phi, x, y in zip([i, *carried], [first, *start], [following, *new], strict=True):
            phi.add_incoming(x, before)
            phi.add_incoming(y, step)
        build.cbranch(build.icmp_signed("<=", build.add(following, self.make_integer(stride)), stop), step, end)
        build.position_at_end(end)
        out = [build.phi(x.type) for x in [first, *start]]
        for phi, x, y in zip(out, [first, *start], [following, *new], strict=True):
            phi.add_incoming(x, before)
            phi.add_incoming(y, step)
        return out[0], out[1:]


def _store_sums(v: Vectors, build: Any, results: list[tuple[int, Any, Any]], columns: Any, more: Any) -> None:
    """Store sums, or add them to the stored values; of the last vector of a row only the columns that exist.

    Args:
        results: for each sum, the number of its vector in the row, the sum, and its address.
        columns: how many columns are left.
        more: 1 if sums are added to the stored values.
    """
    with build.if_else(build.icmp_signed("!=", more, v.make_integer(0))) as (adding, writing):
        with adding:
            for q, x, place in results:
                mask = v.make_mask(build, build.sub(columns, v.make_integer(q * v.lanes)))
                v.store(build, build.fadd(v.load(build, place, mask, v.make_constant(0.0)), x), place, mask)
        with writing:
            for q in dict.fromkeys(q for q, _, _ in results):
                some = [(x, place) for own, x, place in results if own == q]
                left = build.sub(columns, v.make_integer(q * v.lanes))
                # a masked store cannot be forwarded to the load that follows in the next step of a recurrence
                with build.if_else(build.icmp_signed(">=", left, v.make_integer(v.lanes))) as (full, part):
                    with full:
                        for x, place in some:
                            v.store(build, x, place)
                    with part, build.if_then(build.icmp_signed(">", left, v.make_integer(0))):
                        for x, place in some:
                            v.store(build, x, place, v.make_mask(build, left))


def make_block(rows: int, panels: int, chains: int, ahead: bool, lanes: int, width: str) -> Instructions:
    """Return the instructions of the innermost block of a matrix product.

    ``block(a, a_at, a_row, a_column, b, b_at, far, out, out_at, out_row, k, columns, more)`` writes ``rows`` rows of at most
    ``panels`` panels of two vectors, ``far`` entries apart in ``b``, summed over k entries; it adds if ``more`` is 1. Where
    there are few sums, each is split into several independent ``chains``, since additions to one sum wait for one another. A
    block that prefetches (``ahead``) takes two more numbers: the offset in ``b`` from which it fetches what later blocks will
    read, and how far this offset moves at each step.
    """
    v = Vectors(lanes, width)
    vectors = 2 * panels
    sums = [(r, q) for r in range(rows) for q in range(vectors)]

    def write(build: Any, *args: Any) -> None:
        a, a_at, a_row, a_column, b, b_at, far, out, out_at, out_row, k, columns, more, *later = args
        heads = [build.gep(a, [build.add(a_at, build.mul(a_row, v.make_integer(r)))]) for r in range(rows)]
        starts = [build.gep(b, [build.add(b_at, build.mul(far, v.make_integer(p)))]) for p in range(panels)]

        def step(i: Any, carried: list[Any]) -> list[Any]:
            line, column = build.mul(i, v.make_integer(2 * lanes)), build.mul(i, a_column)
            if ahead:
                v.prefetch(build, build.gep(b, [build.add(later[0], build.mul(i, later[1]))]))
            packed = [
                v.load(build, build.gep(starts[q // 2], [build.add(line, v.make_integer(q % 2 * lanes))]))
                for q in range(vectors)
            ]
            factors = [v.broadcast(build, build.load(build.gep(head, [column]))) for head in heads]
            each = zip(sums, carried, strict=True)  # fused multiply-add where the processor has it; a function call elsewhere
            return [v.call(build, "fmuladd", v.type, [factors[r], packed[q], x]) for (r, q), x in each]

        def steps(i: Any, carried: list[Any]) -> list[Any]:
            parts = [carried[c * len(sums) : (c + 1) * len(sums)] for c in range(chains)]
            return [x for c, part in enumerate(parts) for x in step(build.add(i, v.make_integer(c)), part)]

        at, total = v.make_integer(0), [v.make_constant(0.0)] * len(sums)
        if chains > 1:
            at, every = v.loop(build, at, k, chains, total * chains, steps)
            total = every[: len(sums)]
            for c in range(1, chains):
                total = [build.fadd(x, y) for x, y in zip(total, every[c * len(sums) :], strict=False)]
        _, total = v.loop(build, at, k, 1, total, step)
        lines = [build.gep(out, [build.add(out_at, build.mul(out_row, v.make_integer(r)))]) for r in range(rows)]
        results = [(q, x, build.gep(lines[r], [v.make_integer(q * lanes)])) for (r, q), x in zip(sums, total, strict=True)]
        _store_sums(v, build, results, columns, more)

    return Instructions(write)


def make_row(kind: str, lanes: int, width: str) -> Instructions:
    """Return the instructions for a call with (address, at, n), which returns the ``"sum"`` of a row, or its ``"top"``.

    That is the largest entry, NaN ignored.
    It keeps as many partial results as a vector has lanes.
    """
    v = Vectors(lanes, width)
    nothing = v.make_constant(0.0 if kind == "sum" else -np.inf)

    def combine(build: Any, x: Any, y: Any) -> Any:
        return build.fadd(x, y) if kind == "sum" else build.select(build.fcmp_ordered(">", y, x), y, x)

    def write(build: Any, address: Any, at: Any, n: Any) -> Any:
        start = build.gep(address, [at])

        def step(i: Any, carried: list[Any]) -> list[Any]:
            x = v.load(build, build.gep(start, [i]), v.make_mask(build, build.sub(n, i)), nothing)
            return [combine(build, carried[0], x)]

        rounded = build.add(n, v.make_integer(lanes - 1))  # the last vector may be incomplete
        _, (last,) = v.loop(build, v.make_integer(0), rounded, lanes, [nothing], step)
        half = lanes // 2
        while half:  # add halves pairwise
            order = v.ir.Constant(v.ir.VectorType(v.short, lanes), [(k + half) % lanes for k in range(lanes)])
            last = combine(build, last, build.shuffle_vector(last, last, order))
            half //= 2
        return build.extract_element(last, v.ir.Constant(v.short, 0))

    return Instructions(write, width)


def make_plus() -> Instructions:
    """Return the instructions that add a number to a total in double precision, and let LLVM reorder the additions.

    A loop whose additions must stay in order is not vectorised, and neither is anything else in it.
    """

    def write(build: Any, total: Any, x: Any) -> Any:
        return build.fadd(total, x if x.type == total.type else build.fpext(x, total.type), flags=("reassoc",))

    return Instructions(write, "float64")


__all__ = ["Vectors", "make_block", "make_plus", "make_row"]
