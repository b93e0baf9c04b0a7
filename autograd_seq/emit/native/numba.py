"""Compiles native programs with numba, and caches them on disk under a hash of their source (see ``cache.py``).

numba is imported when the first program is compiled, not with the package.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from autograd_seq.core.errors import OperationError
from autograd_seq.emit import blas
from autograd_seq.emit import execution as sources
from autograd_seq.emit.native import blas as native_blas
from autograd_seq.emit.native import block as native_block
from autograd_seq.emit.native import body as native_body
from autograd_seq.emit.native import cache, progress
from autograd_seq.emit.native import llvm as native_llvm
from autograd_seq.emit.native import module as native_module
from autograd_seq.emit.native.cache import get_cache_folder
from autograd_seq.emit.native.functions import write_math
from autograd_seq.emit.native.kernel import AT_HAND, BLOCKS, DEPTH, KERNEL, NEAR, NEVER, ROWS, THRESHOLDS, count_packed
from autograd_seq.emit.native.llvm import Functions, Symbol, list_functions, name_entry, write_functions
from autograd_seq.emit.program_text import Emitted

WIDTHS = ("float32", "float64")
"""The widths that native programs have; others run in NumPy."""

_GEMM = {width: f"autograd_seq_library_{width}" for width in WIDTHS}
"""The symbols under which native code calls the BLAS product."""

_TOOLS: dict[str, _Tools] = {}
_LOCK = Lock()


def is_available() -> bool:
    """Tell whether numba can be imported."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


def count_threads() -> int:
    """Return how many threads a call may use: ``NUMBA_NUM_THREADS`` of the environment, or the number of cores."""
    setting = os.environ.get("NUMBA_NUM_THREADS", "")
    if setting.isdigit():
        return int(setting)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def refuse() -> None:
    """Raise because numba is not installed.

    Raises:
        OperationError: always.
    """
    raise OperationError(
        "O305", "numba, which compiles native programs, is not installed", expected="numba", got="it is not installed",
        fix="pip install 'autograd-seq[jit]', or compile with backend=\"numpy\"",
    )  # fmt: skip


def compile_program(emitted: Emitted, width: str) -> Any:
    """Return the ``program`` of a native source for floats of a width, its functions compiled.

    Args:
        emitted: the program, written by :class:`autograd_seq.emit.native.writer.NativeWriter`.
        width: ``"float32"`` or ``"float64"``.

    Raises:
        OperationError: numba is not installed.

    Notes:
        The first call of a program compiles, which takes a second or two whatever the lengths are; later processes load the
        code from the cache. If it takes long, a line on the terminal says so.
    """
    with progress.compiling():
        tools = _get_tools(width)
        addresses, functions = tools.load_functions(emitted.source)
    symbols = {f.name: symbol for f, symbol in functions if symbol}
    text = f"# floats are {width}\n{emitted.source}"
    name = f"<autograd_seq native program {hashlib.sha256(text.encode()).hexdigest()[:16]}>"

    def native(kinds: str) -> Any:
        return lambda function: tools.make_entry(addresses, symbols[function.__name__])

    def part(kinds: str) -> Any:
        return lambda function: function

    given = {
        "np": np,
        "packed_size": lambda n, k, kind: count_packed(n, k, count_panel_columns(width)),
        "native": native,
        "part": part,
    }
    program = sources.execute(text, name, {**given, **emitted.foreign})
    if emitted.constants:
        return lambda *sizes: program(*sizes, emitted.constants)
    return program


# -- what native functions call --------------------------------------------------------------------------------------------


def _get_tools(width: str) -> _Tools:
    """Return the compiler for a width of floats, made once per process."""
    with _LOCK:
        if width not in _TOOLS:
            if not is_available():
                refuse()
            _TOOLS[width] = _Tools(width)
        return _TOOLS[width]


class _Tools:
    """Compiles programs for a width of floats, and the functions that all of them call; caches both on disk."""

    def __init__(self, width: str) -> None:
        import llvmlite
        import numba
        from llvmlite import binding
        from numba.core.callconv import create_error_model
        from numba.core.registry import cpu_target

        real = np.dtype(width).type
        lanes = count_lanes(real)
        outside, inside = _get_thresholds(lanes * np.dtype(width).itemsize, width)
        narrow = min(lanes, 32 // np.dtype(width).itemsize)  # LLVM vectorises with 32 bytes, and mixing widths is slow
        self.names: dict[str, Any] = {
            "np": np, "math": math, "real": real, "int": np.int64, "abs": abs, "min": min, "max": max,
            "row_sum": native_block.make_row("sum", narrow, width), "row_top": native_block.make_row("top", narrow, width),
            "plus": native_block.make_plus(), "PANEL": count_panel_columns(width), "DEPTH": DEPTH, "ROWS": ROWS,
            "AT_HAND": AT_HAND, "NEAR": NEAR, "OUTSIDE": outside, "INSIDE": inside,
            "gemm": native_blas.make_gemm(_GEMM[width], width),
        }  # fmt: skip
        self.names |= {name: native_block.make_block(*shape, lanes, width) for name, shape in BLOCKS.items()}
        row, n = numba.types.CPointer(numba.from_dtype(np.dtype(width))), numba.int64
        self.kinds: dict[str, Any] = {"": numba.void, "real": row.dtype, "int": n, "bool": numba.boolean, "real*": row}
        self.kinds |= {"double*": numba.types.CPointer(numba.float64)}
        self.kinds |= {"int*": numba.types.CPointer(n), "bool*": numba.types.CPointer(numba.uint8)}
        self.pointers = {kind for name, kind in self.kinds.items() if name.endswith("*")}
        typing, target = cpu_target.typing_context, cpu_target.target_context
        typing.refresh()
        target.refresh()
        self.context = target.subtarget(error_model=create_error_model("numpy", target))
        source = write_math(width) + KERNEL
        modules = (native_block, native_blas, native_body, native_llvm, native_module, sys.modules[__name__])
        own = b"".join(Path(str(module.__file__)).read_bytes() for module in modules)
        versions = f"{platform.python_version()} {np.__version__} {numba.__version__} {llvmlite.__version__}"
        self.key = f"{versions} {width} {lanes} {outside} {inside} {hashlib.sha256(source.encode() + own).hexdigest()}"
        self.addresses_of: dict[str, dict[str, int]] = {}  # of functions, by mark; numba's engine keeps their code alive
        addresses, functions = self.load_functions(source)
        for function, symbol in functions:
            self.names[function.name] = symbol or function
            if symbol:
                binding.add_symbol(symbol.name, addresses[symbol.name])

    def load_functions(self, source: str) -> tuple[Mapping[str, int], Functions]:
        """Return the addresses of the functions of a source, compiled or loaded once per process, and the functions."""
        from numba.core.compiler_lock import global_compiler_lock

        with global_compiler_lock:
            codegen = self.context.codegen()
            key = f"{self.key}\n{codegen.magic_tuple()!r}\n{source}"
            mark = f"autograd_seq_{hashlib.sha256(key.encode()).hexdigest()[:40]}"
            functions = list_functions(source, mark, self.kinds)
            if mark not in self.addresses_of:
                symbols = [symbol for _, symbol in functions if symbol]
                names = [name for symbol in symbols for name in (symbol.name, name_entry(symbol))]
                library = self._load_library(mark, functions) if names else None
                self.addresses_of[mark] = {name: library.get_pointer_to_function(name) for name in names if library}
        return self.addresses_of[mark], functions

    def _load_library(self, mark: str, functions: Functions) -> Any:
        """Return a library of at least one function: LLVM refuses an empty one."""
        codegen = self.context.codegen()
        library = cache.load(mark, lambda parts: codegen.unserialize_library((mark, "object", parts)))
        if library is None:
            library = self._compile(codegen.create_library(mark), functions)
            try:
                cache.keep(mark, library.serialize_using_object_code()[2])
            except RuntimeError:  # Ctrl-C waits until LLVM calls Python with the object, where ctypes lets nothing through
                raise KeyboardInterrupt from None
        return library

    def _compile(self, library: Any, functions: Functions) -> Any:
        from numba.core.cpu_options import FastMathOptions
        from numba.core.fastmathpass import rewrite_module

        library.enable_object_caching()
        module = library.create_ir_module(library.name)
        with self.context.push_code_library(library):
            write_functions(self.context, module, functions, self.names)
        rewrite_module(module, FastMathOptions({"contract"}))
        library.add_ir_module(module)
        library.finalize()
        return library

    def make_entry(self, addresses: Mapping[str, int], symbol: Symbol) -> Any:
        """Return a native function as a Python function of arrays, then numbers."""
        arrays = sum(1 for k in symbol.args if k in self.pointers)
        kind = ctypes.CFUNCTYPE(None, ctypes.py_object, *[ctypes.c_int64] * (len(symbol.args) - arrays))
        native = kind(addresses[name_entry(symbol)])

        def call(*args: Any) -> None:
            native(args[:arrays], *args[arrays:])

        return call


def count_lanes(real: Any) -> int:
    """Return how many floats a vector register holds, on this machine or the one that ``NUMBA_CPU_FEATURES`` describes."""
    import llvmlite.binding as llvm
    import numba

    setting = vars(numba.config)["CPU_FEATURES"]
    features = llvm.get_host_cpu_features() if setting is None else {f[1:]: f[0] == "+" for f in setting.split(",") if f}
    size = 64 if features.get("avx512f") else 32 if features.get("avx") else 16
    return size // np.dtype(real).itemsize


def count_panel_columns(width: str) -> int:
    """Return the number of columns of a panel of a packed matrix, for a width of floats."""
    return 2 * count_lanes(np.dtype(width))


def _get_thresholds(size: int, width: str) -> tuple[int, int]:
    """Return from how many multiplications on a product is left to BLAS, outside of loops and within.

    It never is if the kernels of BLAS have narrower vectors than ours, or if there is no BLAS.
    """
    from llvmlite import binding

    address = native_blas.get_address(width)
    binding.add_symbol(_GEMM[width], address or 1)  # without BLAS nothing calls it
    found = None if address is None else blas.find_library("scipy")
    if address is None or (size == 64 and found is not None and found.kernels.lower() not in blas.WIDE):
        return NEVER, NEVER
    return THRESHOLDS[size]


__all__ = ["WIDTHS", "compile_program", "count_panel_columns", "get_cache_folder", "is_available"]
