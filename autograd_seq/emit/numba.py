"""Native programs by numba: their functions compiled, and kept on disk under a key of their source.

numba is imported here alone, when a program is first compiled for it.
"""

from __future__ import annotations

import builtins
import hashlib
import linecache
import math
import os
import secrets
import stat
from pathlib import Path
from typing import Any

import numpy as np

from autograd_seq.emit.native_kernel import AT_HAND, BLOCKS, DEPTH, KERNEL, NEAR, ROWS
from autograd_seq.emit.native_math import math_source
from autograd_seq.emit.numpy import Emitted
from autograd_seq.errors import OperationError

WIDTHS = ("float32", "float64")
"""The widths that native programs have; others run in NumPy."""

_FORMAT = 1  # of what is kept on disk
_TOOLS: dict[str, dict[str, Any]] = {}


def available() -> bool:
    """Tell whether numba and what it needs for a program can be imported."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


def refuse() -> None:
    """Raise because numba is not installed.

    Raises:
        OperationError: always.
    """
    raise OperationError(
        "O305", "native programs need numba", expected="numba", got="it is not installed",
        fix="pip install 'autograd-seq[jit]', or compile with backend=\"numpy\"",
    )  # fmt: skip


def compiled(emitted: Emitted, width: str) -> Any:
    """Return the ``program`` of a native source for floats of a width; its functions are compiled when they are called.

    Args:
        emitted: the program, written by :class:`autograd_seq.emit.native.NativeWriter`.
        width: ``"float32"`` or ``"float64"``.

    Raises:
        OperationError: numba is not installed.

    Notes:
        The first call in any process compiles, for a second or two whatever the lengths are; later processes load what it
        left in the cache.
    """
    tools = _tools(width)
    text = f"# floats are {width}\n{emitted.source}"
    path = _kept(text, tools["key"])
    name = str(path) if path else f"<autograd_seq native program {hashlib.sha256(text.encode()).hexdigest()[:16]}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    namespace: dict[str, Any] = {**tools["names"], "native": tools["cached"] if path else tools["native"], **emitted.foreign}
    exec(builtins.compile(text, name, "exec"), namespace)
    program = namespace["program"]
    if emitted.constants:
        return lambda *sizes: program(*sizes, emitted.constants)
    return program


# -- what native functions call --------------------------------------------------------------------------------------------


def _tools(width: str) -> dict[str, Any]:
    """Return the decorators and functions for a width, made once a process."""
    if width not in _TOOLS:
        try:
            import numba
        except ImportError:
            refuse()
        _TOOLS[width] = _made(numba, width)
    return _TOOLS[width]


def _made(numba: Any, width: str) -> dict[str, Any]:
    real = np.dtype(width).type
    flags: dict[str, Any] = {"error_model": "numpy", "boundscheck": False, "nogil": True, "fastmath": {"contract"}}
    flags["pipeline_class"] = _pipeline()
    within = {**flags, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # called from native functions alone
    inline = numba.njit(**within)
    lanes = _lanes(real)
    narrow = min(lanes, 32 // np.dtype(width).itemsize)  # LLVM's own vectors have 32 bytes, and it is slow to change
    names: dict[str, Any] = {
        "__name__": __name__, "np": np, "math": math, "real": real, "inline": inline,
        "row_sum": _row("sum", narrow, width),
        "row_top": _row("top", narrow, width),
        "PANEL": 2 * lanes, "start": _start(),
        "DEPTH": DEPTH, "ROWS": ROWS, "AT_HAND": AT_HAND,
        "NEAR": NEAR,
    }  # fmt: skip
    names |= {name: _block(*shape, lanes, width) for name, shape in BLOCKS.items()}
    source = math_source(width) + KERNEL
    exec(builtins.compile(source, f"<autograd_seq functions for {width}>", "exec"), names)
    row, n = numba.types.CPointer(numba.from_dtype(np.dtype(width))), numba.int64
    # with types given, for numbers that are written out would each be a type of its own
    names["pack"] = numba.njit(numba.void(row, n, n, n, n, n, row), **within)(names["pack"])
    some = numba.void(row, n, n, n, row, n, n, row, n, n, n, n, n, n)
    names["rows_product"] = numba.njit(some, **within)(names["rows_product"])
    names["product"] = numba.njit(numba.void(row, n, n, n, row, row, n, n, n, n, n, row), **within)(names["product"])
    key = f"{_FORMAT} {numba.__version__} {width} {lanes} {hashlib.sha256(source.encode()).hexdigest()}"
    return {"names": names, "native": numba.njit(**flags), "cached": numba.njit(**flags, cache=True), "key": key}


def _pipeline() -> Any:
    """Return numba's compiler, told that the arrays of a call do not overlap where any is written.

    That holds because a program gives its native functions whole arrays of its workspace, and results of their own. Without
    it, a loop over eight arrays is not vectorised, for it would have to compare their addresses first.
    """
    from numba.core.compiler import Compiler

    class Apart(Compiler):
        def __init__(self, typing: Any, target: Any, library: Any, args: Any, result: Any, flags: Any, local: Any) -> None:
            flags.noalias = True
            super().__init__(typing, target, library, args, result, flags, local)

    return Apart


def _lanes(real: Any) -> int:
    """Return how many floats a vector register of this machine holds."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    size = 64 if features.get("avx512f") else 32 if features.get("avx") else 16
    return size // np.dtype(real).itemsize


def _start() -> Any:
    """Return a function that shows a contiguous array as the address of its first entry, in native code.

    An address is one argument, an array seven: at a batch of one a call of a product takes as long as the product.
    """
    from numba.core import types
    from numba.extending import intrinsic

    def write(context: Any, build: Any, signature: Any, args: Any) -> Any:
        return context.make_array(signature.args[0])(context, build, value=args[0]).data

    def start(typing: Any, a: Any) -> Any:
        return types.CPointer(a.dtype)(a), write

    return intrinsic(start)


def _row(kind: str, lanes: int, width: str) -> Any:
    """Return a function of (address, at, n) in native code: the sum of a row, or its largest entry but for NaN.

    It keeps as many partial results as a vector has lanes: one alone would wait for itself at every entry.
    """
    import llvmlite.ir as ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    number = ir.FloatType() if width == "float32" else ir.DoubleType()
    vector, size = ir.VectorType(number, lanes), np.dtype(width).itemsize
    pointer, letter = vector.as_pointer(), f"v{lanes}f{8 * size}"
    long, short, mask = ir.IntType(64), ir.IntType(32), ir.VectorType(ir.IntType(1), lanes)
    first = 0.0 if kind == "sum" else -np.inf

    def write(context: Any, build: Any, signature: Any, args: Any) -> Any:
        row, n = build.gep(args[0], [args[1]]), args[2]
        load = cgutils.get_or_insert_function(
            build.module, ir.FunctionType(vector, [pointer, short, mask, vector]), f"llvm.masked.load.{letter}.p0"
        )
        nothing = ir.Constant(vector, [first] * lanes)
        before = build.block
        step, end = build.append_basic_block("step"), build.append_basic_block("end")
        build.cbranch(build.icmp_signed(">", n, ir.Constant(long, 0)), step, end)
        build.position_at_end(step)
        i, some = build.phi(long), build.phi(vector)
        left = build.sub(n, i)
        blank = ir.Constant(ir.VectorType(long, lanes), ir.Undefined)
        spread = build.shuffle_vector(
            build.insert_element(blank, left, ir.Constant(short, 0)), blank,
            ir.Constant(ir.VectorType(short, lanes), [0] * lanes),
        )  # fmt: skip
        there = build.icmp_signed("<", ir.Constant(ir.VectorType(long, lanes), list(range(lanes))), spread)
        x = build.call(load, [build.bitcast(build.gep(row, [i]), pointer), ir.Constant(short, size), there, nothing])
        new = build.fadd(some, x) if kind == "sum" else build.select(build.fcmp_ordered(">", x, some), x, some)
        following = build.add(i, ir.Constant(long, lanes))
        i.add_incoming(ir.Constant(long, 0), before)
        i.add_incoming(following, step)
        some.add_incoming(nothing, before)
        some.add_incoming(new, step)
        build.cbranch(build.icmp_signed("<", following, n), step, end)
        build.position_at_end(end)
        last = build.phi(vector)
        last.add_incoming(nothing, before)
        last.add_incoming(new, step)
        parts = lanes
        while parts > 1:  # halves onto each other
            parts //= 2
            order = ir.Constant(ir.VectorType(short, lanes), [(k + parts) % lanes for k in range(lanes)])
            other = build.shuffle_vector(last, last, order)
            last = build.fadd(last, other) if kind == "sum" else build.select(build.fcmp_ordered(">", other, last), other, last)
        return build.extract_element(last, ir.Constant(short, 0))

    def row(typing: Any, address: Any, at: Any, n: Any) -> Any:
        return address.dtype(address, types.intp, types.intp), write

    row.__name__ = f"row_{kind}"
    return intrinsic(row)


def _block(rows: int, panels: int, lanes: int, width: str) -> Any:
    """Return a block of a matrix product as a function that numba puts into native code.

    ``block(a, a_at, a_row, a_column, b, b_at, far, out, out_at, out_row, k, columns, more)`` writes ``rows`` rows of at most
    ``panels`` panels of two vectors, ``far`` entries apart in ``b``, summed over k entries; it adds if ``more`` is 1.
    """
    import llvmlite.ir as ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    number = ir.FloatType() if width == "float32" else ir.DoubleType()
    vector, size, vectors = ir.VectorType(number, lanes), np.dtype(width).itemsize, 2 * panels
    pointer, letter = vector.as_pointer(), f"v{lanes}f{8 * size}"
    bit, long, short = ir.IntType(1), ir.IntType(64), ir.IntType(32)
    mask = ir.VectorType(bit, lanes)
    zero = ir.Constant(vector, [0.0] * lanes)
    first_lane = ir.Constant(ir.VectorType(short, lanes), [0] * lanes)

    def whole(n: int) -> Any:
        return ir.Constant(long, n)

    def spread(build: Any, x: Any) -> Any:
        nothing = ir.Constant(ir.VectorType(x.type, lanes), ir.Undefined)
        return build.shuffle_vector(build.insert_element(nothing, x, ir.Constant(short, 0)), nothing, first_lane)

    def write(context: Any, build: Any, signature: Any, args: Any) -> Any:
        a, a_at, a_row, a_column, b, b_at, far, out, out_at, out_row, k, columns, more = args
        fma = cgutils.get_or_insert_function(build.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.{letter}")
        load = cgutils.get_or_insert_function(
            build.module, ir.FunctionType(vector, [pointer, short, mask, vector]), f"llvm.masked.load.{letter}.p0")  # fmt: skip
        store = cgutils.get_or_insert_function(
            build.module, ir.FunctionType(ir.VoidType(), [vector, pointer, short, mask]), f"llvm.masked.store.{letter}.p0"
        )  # fmt: skip
        heads = [build.gep(a, [build.add(a_at, build.mul(a_row, whole(r)))]) for r in range(rows)]
        starts = [build.gep(b, [build.add(b_at, build.mul(far, whole(p)))]) for p in range(panels)]
        before = build.block
        step, end = build.append_basic_block("step"), build.append_basic_block("end")
        build.cbranch(build.icmp_signed(">", k, whole(0)), step, end)

        build.position_at_end(step)
        i = build.phi(long)
        sums = [[build.phi(vector) for _ in range(vectors)] for _ in range(rows)]
        line = build.mul(i, whole(2 * lanes))
        loads = []
        for v in range(vectors):
            place = build.gep(starts[v // 2], [build.add(line, whole(v % 2 * lanes))])
            loads.append(build.load(build.bitcast(place, pointer)))
            loads[-1].align = size
        results, column = [], build.mul(i, a_column)
        for r in range(rows):
            factor = spread(build, build.load(build.gep(heads[r], [column])))
            results.append([build.call(fma, [factor, loads[v], sums[r][v]]) for v in range(vectors)])
        following = build.add(i, whole(1))
        i.add_incoming(whole(0), before)
        i.add_incoming(following, step)
        build.cbranch(build.icmp_signed("<", following, k), step, end)

        build.position_at_end(end)
        total = [[build.phi(vector) for _ in range(vectors)] for _ in range(rows)]
        for r in range(rows):
            for v in range(vectors):
                for x, last in ((sums[r][v], step), (total[r][v], step)):
                    x.add_incoming(zero, before)
                    x.add_incoming(results[r][v], last)
        lane = ir.Constant(ir.VectorType(long, lanes), list(range(lanes)))
        aligned = ir.Constant(short, size)
        lines = [build.gep(out, [build.add(out_at, build.mul(out_row, whole(r)))]) for r in range(rows)]
        targets = [[build.bitcast(build.gep(x, [whole(v * lanes)]), pointer) for v in range(vectors)] for x in lines]
        with build.if_else(build.icmp_signed("!=", more, whole(0))) as (adding, writing):
            with adding:
                for v in range(vectors):
                    there = build.icmp_signed("<", lane, spread(build, build.sub(columns, whole(v * lanes))))
                    for r in range(rows):
                        old = build.call(load, [targets[r][v], aligned, there, zero])
                        build.call(store, [build.fadd(old, total[r][v]), targets[r][v], aligned, there])
            with writing:
                for v in range(vectors):
                    left = build.sub(columns, whole(v * lanes))
                    # a masked store is slow to read again, which the next step of a recurrence does at once
                    with build.if_else(build.icmp_signed(">=", left, whole(lanes))) as (full, part):
                        with full:
                            for r in range(rows):
                                build.store(total[r][v], targets[r][v]).align = size
                        with part, build.if_then(build.icmp_signed(">", left, whole(0))):
                            there = build.icmp_signed("<", lane, spread(build, left))
                            for r in range(rows):
                                build.call(store, [total[r][v], targets[r][v], aligned, there])
        return context.get_dummy_value()

    def block(  # the names are those of the arguments
        typing: Any, a: Any, a_at: Any, a_row: Any, a_column: Any, b: Any, b_at: Any, far: Any, out: Any, out_at: Any,
        out_row: Any, k: Any, columns: Any, more: Any,
    ) -> Any:  # fmt: skip
        n = types.intp
        return types.void(a, n, n, n, b, n, n, out, n, n, n, n, n), write

    block.__name__ = f"block_{rows}_{panels}"
    return intrinsic(block)


# -- the cache on disk ---------------------------------------------------------------------------------------------------


def cache_folder() -> Path | None:
    """Return the folder that native code is kept in, or ``None`` if there is none that belongs to this user alone.

    It is ``autograd_seq`` below ``XDG_CACHE_HOME``, which is ``~/.cache`` unless it is set.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(home) / "autograd_seq"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = folder.stat()
    except OSError:
        return None
    if hasattr(os, "getuid") and (info.st_uid != os.getuid() or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        return None  # what others can write must not be run
    return folder if os.access(folder, os.W_OK) else None


def _kept(text: str, key: str) -> Path | None:
    """Write a source to the cache, whole or not at all, and return its file."""
    folder = cache_folder()
    if folder is None:
        return None
    name = hashlib.sha256("\n".join([key, text]).encode()).hexdigest()[:32]
    path = folder / f"program_{name}.py"
    try:
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return path
        temporary = folder / f".{secrets.token_hex(8)}.part"
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        return None
    return path


__all__ = ["WIDTHS", "available", "cache_folder", "compiled"]
