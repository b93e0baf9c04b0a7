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
import sys
from pathlib import Path
from typing import Any

import numpy as np

from autograd_seq.emit import native_block
from autograd_seq.emit.native_kernel import AT_HAND, BLOCKS, DEPTH, KERNEL, NEAR, ROWS
from autograd_seq.emit.native_math import math_source
from autograd_seq.emit.numpy import Emitted
from autograd_seq.errors import OperationError

WIDTHS = ("float32", "float64")
"""The widths that native programs have; others run in NumPy."""

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
        left in the cache.
    """
    tools = _tools(width)
    text = f"# floats are {width}\n{emitted.source}"
    path = _kept("program", text, tools["key"])
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
        "row_sum": native_block.row("sum", narrow, width),
        "row_top": native_block.row("top", narrow, width),
        "PANEL": 2 * lanes, "start": native_block.start(), "plus": native_block.plus(),
        "DEPTH": DEPTH, "ROWS": ROWS, "AT_HAND": AT_HAND,
        "NEAR": NEAR,
    }  # fmt: skip
    names |= {name: native_block.block(*shape, lanes, width) for name, shape in BLOCKS.items()}
    source = math_source(width) + KERNEL
    own = b"".join(Path(str(module.__file__)).read_bytes() for module in (native_block, sys.modules[__name__]))
    key = f"{numba.__version__} {width} {lanes} {hashlib.sha256(source.encode() + own).hexdigest()}"
    path = _kept("functions", source, key)
    exec(builtins.compile(source, str(path or f"<autograd_seq functions for {width}>"), "exec"), names)
    within["cache"] = path is not None
    row, n = numba.types.CPointer(numba.from_dtype(np.dtype(width))), numba.int64
    # with types given, for numbers that are written out would each be a type of its own
    whole = numba.void(row, n, n, n, row, row, n, n, n, n, n, row)
    signatures = {
        "pack": numba.void(row, n, n, n, n, n, row),
        "rows_product": numba.void(row, n, n, n, row, n, n, row, n, n, n, n, n, n), "product": whole,
    }  # fmt: skip
    mark = hashlib.sha256(key.encode()).hexdigest()
    for name, signature in signatures.items():
        names[name] = _by_address(numba, signature, names[name], f"{name}_{mark}", {**flags, "cache": path is not None})
    names["step_product"] = numba.njit(whole, **within, forceinline=True)(names["step_product"])
    return {"names": names, "native": numba.njit(**flags), "cached": numba.njit(**flags, cache=True), "key": key}


def _by_address(numba: Any, signature: Any, function: Any, unique: str, options: dict[str, Any]) -> Any:
    """Return a compiled function that others call where it lies, under a name that nothing else has.

    Otherwise a copy of it is put into every function that calls it, and optimised there once more.
    """
    from llvmlite import binding

    made = numba.cfunc(signature, **options)(function)
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
    """Return how many floats a vector register of this machine holds."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    size = 64 if features.get("avx512f") else 32 if features.get("avx") else 16
    return size // np.dtype(real).itemsize


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


def _kept(what: str, text: str, key: str) -> Path | None:
    """Write a source to the cache, whole or not at all, and return its file."""
    folder = cache_folder()
    if folder is None:
        return None
    name = hashlib.sha256("\n".join([key, text]).encode()).hexdigest()[:32]
    path = folder / f"{what}_{name}.py"
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
