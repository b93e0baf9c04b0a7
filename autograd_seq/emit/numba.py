"""Native programs by numba: their functions compiled, and kept on disk under a key of their source (see ``cache.py``).

numba is imported here alone, when a program is first compiled for it.
"""

from __future__ import annotations

import builtins
import hashlib
import math
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

from autograd_seq.emit import blas, native_blas, native_block, progress, sources
from autograd_seq.emit.cache import Stored, cache_folder
from autograd_seq.emit.native_kernel import AT_HAND, BLOCKS, DEPTH, KERNEL, NEAR, NEVER, ROWS, THRESHOLDS, packed
from autograd_seq.emit.native_math import math_source
from autograd_seq.emit.numpy import Emitted
from autograd_seq.errors import OperationError

WIDTHS = ("float32", "float64")
"""The widths that native programs have; others run in NumPy."""

_GEMM = {width: f"autograd_seq_library_{width}" for width in WIDTHS}
"""The symbols under which native code calls the library's product."""

_TOOLS: dict[str, dict[str, Any]] = {}
_LIVING: list[Any] = []
"""Functions that are called by their address."""


def available() -> bool:
    """Tell whether numba and what it needs for a program can be imported."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


def threads() -> int:
    """Return how many threads a call may take: ``NUMBA_NUM_THREADS`` in the environment, or as many as it has cores."""
    said = os.environ.get("NUMBA_NUM_THREADS", "")
    if said.isdigit():
        return int(said)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
        left in the cache. Where it takes long, a line on the terminal says so.
    """
    with progress.compiling():
        tools = _tools(width)
    text = f"# floats are {width}\n{emitted.source}"
    name = f"<autograd_seq native program {hashlib.sha256(text.encode()).hexdigest()[:16]}>"

    def native(function: Any) -> Any:
        made = tools["native"](function)
        made._cache = Stored(f"{tools['key']}\n{text}\n{function.__name__}")
        made.compile = _told(made.compile)
        return made

    def part(kinds: str) -> Any:
        return lambda function: tools["part"](function, kinds.split(", "), f"{tools['key']}\n{text}")

    with progress.compiling():
        program = sources.executed(text, name, {**tools["names"], "native": native, "part": part, **emitted.foreign})
    if emitted.constants:
        return lambda *sizes: program(*sizes, emitted.constants)
    return program


def _told(compile: Any) -> Any:
    """Return what numba calls to compile a function, with a line on the terminal where it takes long."""

    def told(*signature: Any) -> Any:
        with progress.compiling():
            return compile(*signature)

    return told


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
    import llvmlite

    real = np.dtype(width).type
    flags: dict[str, Any] = {"error_model": "numpy", "boundscheck": False, "nogil": True, "fastmath": {"contract"}}
    flags["pipeline_class"] = _pipeline()
    within = {**flags, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # called from native functions alone
    inline = numba.njit(**within, forceinline=True)  # a loop that calls a function is not vectorised
    lanes = _lanes(real)
    outside, inside = _thresholds(lanes * np.dtype(width).itemsize, width)
    narrow = min(lanes, 32 // np.dtype(width).itemsize)  # LLVM's own vectors have 32 bytes, and it is slow to change
    names: dict[str, Any] = {
        "__name__": __name__, "np": np, "math": math, "real": real, "inline": inline,
        "row_sum": native_block.row("sum", narrow, width),
        "row_top": native_block.row("top", narrow, width),
        "PANEL": panel(width), "packed_size": lambda n, k, kind: packed(n, k, panel(width)),
        "start": native_block.start(), "plus": native_block.plus(),
        "DEPTH": DEPTH, "ROWS": ROWS, "AT_HAND": AT_HAND,
        "NEAR": NEAR, "OUTSIDE": outside, "INSIDE": inside, "gemm": native_blas.gemm(_GEMM[width], width),
    }  # fmt: skip
    names |= {name: native_block.block(*shape, lanes, width) for name, shape in BLOCKS.items()}
    source = math_source(width) + KERNEL
    own = b"".join(Path(str(module.__file__)).read_bytes() for module in (native_block, native_blas, sys.modules[__name__]))
    versions = f"{platform.python_version()} {numba.__version__} {llvmlite.__version__}"
    key = f"{versions} {width} {lanes} {outside} {inside} {hashlib.sha256(source.encode() + own).hexdigest()}"
    exec(builtins.compile(source, f"<autograd_seq functions for {width}>", "exec"), names)
    row, n = numba.types.CPointer(numba.from_dtype(np.dtype(width))), numba.int64
    # with types given, for numbers that are written out would each be a type of its own
    whole = numba.void(row, n, n, n, row, n, n, n, row, row, n, n, n, n, n, row)
    signatures = {
        "pack": numba.void(row, n, n, n, n, n, row),
        "rows_product": numba.void(row, n, n, n, row, n, n, row, n, n, n, n, n, n),
        "product": numba.void(row, n, n, n, row, row, n, n, n, n, n, row),
        "library": n(row, n, n, n, row, n, n, n, row, n, n, n, n, n), "matrix_product": whole,
    }  # fmt: skip
    mark = hashlib.sha256(key.encode()).hexdigest()
    for name, signature in signatures.items():
        names[name] = _by_address(numba, signature, names[name], f"{name}_{mark}", flags)
    step = numba.njit(**within, forceinline=True)(names["step_product"])
    step._cache = Stored(f"step_product_{mark}")
    step.compile(whole)
    step.disable_compile()
    names["step_product"] = step
    kinds: dict[str, Any] = {"real": row.dtype, "int": n, "bool": numba.boolean, "real*": row}
    kinds |= {"double*": numba.types.CPointer(numba.float64)}
    kinds |= {"int*": numba.types.CPointer(n), "bool*": numba.types.CPointer(numba.uint8)}

    def part(function: Any, given: list[str], unique: str) -> Any:
        mark = hashlib.sha256(unique.encode()).hexdigest()
        return _by_address(numba, numba.void(*(kinds[k] for k in given)), function, f"{function.__name__}_{mark}", flags)

    return {"names": names, "native": numba.njit(**flags), "part": part, "key": key}


def _by_address(numba: Any, signature: Any, function: Any, unique: str, flags: dict[str, Any]) -> Any:
    """Return a compiled function that others call where it lies, under a name that nothing else has.

    Otherwise a copy of it is put into every function that calls it, and optimised there once more.
    """
    from llvmlite import binding
    from numba.core.ccallback import CFunc

    options = {name: value for name, value in flags.items() if name != "pipeline_class"}
    made: Any = CFunc(function, (signature.args, signature.return_type), {}, options, pipeline_class=flags["pipeline_class"])
    made._cache = Stored(unique)
    made.compile()
    name = f"autograd_seq_{unique}"
    binding.add_symbol(name, made.address)
    _LIVING.append(made)
    return numba.types.ExternalFunction(name, signature)


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
    """Return how many floats a vector register holds, of this machine or of the one that ``NUMBA_CPU_FEATURES`` describes."""
    import llvmlite.binding as llvm
    import numba

    said = vars(numba.config)["CPU_FEATURES"]
    features = llvm.get_host_cpu_features() if said is None else {f[1:]: f[0] == "+" for f in said.split(",") if f}
    size = 64 if features.get("avx512f") else 32 if features.get("avx") else 16
    return size // np.dtype(real).itemsize


def panel(width: str) -> int:
    """Return how many columns lie together in a packed matrix of floats of a width."""
    return 2 * _lanes(np.dtype(width))


def _thresholds(size: int, width: str) -> tuple[int, int]:
    """Return from how many multiplications on the library takes a product, outside of loops and within.

    It does not where its kernels have narrower vectors than ours, or where there is none.
    """
    from llvmlite import binding

    address = native_blas.address(width)
    binding.add_symbol(_GEMM[width], address or 1)  # where there is none nobody calls it
    found = None if address is None else blas.library("scipy")
    if address is None or (size == 64 and found is not None and found.kernels.lower() not in blas.WIDE):
        return NEVER, NEVER
    return THRESHOLDS[size]


__all__ = ["WIDTHS", "available", "cache_folder", "compiled", "panel"]
