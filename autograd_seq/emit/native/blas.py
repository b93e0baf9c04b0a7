"""The matrix product (gemm) of the BLAS that SciPy ships, called from native code at its address.

For products of a few million operations and more, a BLAS tuned for the processor is faster than
:mod:`autograd_seq.emit.native.kernel`, unless the latter reads columns that were packed before the loop. Only
:mod:`autograd_seq.emit.native.numba` uses this file, once numba is known to be there.
"""

from __future__ import annotations

import ctypes
from importlib import import_module
from typing import Any

from autograd_seq.emit.native.module import Instructions

NAMES = {"float32": "sgemm", "float64": "dgemm"}


def get_address(width: str) -> int | None:
    """Return the address of the product for a width of floats; ``None`` if SciPy is not installed."""
    try:
        blas = import_module("scipy.linalg.cython_blas")
    except ImportError:
        return None
    capsule = blas.__pyx_capi__[NAMES[width]]
    name, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    found: int = pointer(capsule, name(capsule))
    return found


def make_gemm(symbol: str, width: str) -> Instructions:
    """Return the instructions that call the product registered with LLVM under a symbol.

    ``gemm(turn_a, turn_b, m, n, k, a, a_at, a_far, b, b_at, b_far, out, out_at, out_far)``, in Fortran's
    column-major order: out (m, n) = a (m, k) @ b (k, n), each operand transposed if its flag is 1. ``_at`` is an offset, and
    ``_far`` the distance between columns, both in entries.
    """
    import llvmlite.ir as ir
    from numba.core import cgutils

    real = ir.FloatType() if width == "float32" else ir.DoubleType()
    byte, whole = ir.IntType(8), ir.IntType(32)

    def write(build: Any, *args: Any) -> None:
        turn_a, turn_b, m, n, k, a, a_at, a_far, b, b_at, b_far, out, out_at, out_far = args

        def store(kind: Any, value: Any) -> Any:
            place = cgutils.alloca_once(build, kind)
            build.store(value, place)
            return place

        def store_flag(flag: Any) -> Any:
            yes = build.icmp_signed("!=", flag, flag.type(0))
            return store(byte, build.select(yes, byte(ord("T")), byte(ord("N"))))

        def store_number(x: Any) -> Any:
            return store(whole, build.trunc(x, whole))

        one, none = store(real, real(1.0)), store(real, real(0.0))
        given = [
            store_flag(turn_a), store_flag(turn_b), store_number(m), store_number(n), store_number(k), one,
            build.gep(a, [a_at]), store_number(a_far), build.gep(b, [b_at]), store_number(b_far), none,
            build.gep(out, [out_at]), store_number(out_far),
        ]  # fmt: skip
        kind = ir.FunctionType(ir.VoidType(), [x.type for x in given])
        build.call(cgutils.get_or_insert_function(build.module, kind, symbol), given)

    return Instructions(write)


__all__ = ["get_address", "make_gemm"]
