"""Native programs run as plain Python: what they are to compute, without waiting for a compiler.

The source is the one that numba compiles. Arrays that nobody has written are full of NaN here, so that reading one shows.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from autograd_seq.emit.native.functions import write_math


def native(kinds: str) -> Any:
    """A function of addresses and numbers: addresses are arrays of one dimension, of the kinds that it names."""

    def made(function: Any) -> Any:
        def call(*args: Any) -> None:
            assert len(args) == len(kinds.split(", "))
            function(*map(address, args, kinds.split(", ")))

        return call

    return made


def address(a: Any, kind: str) -> Any:
    if not kind.endswith("*"):
        assert isinstance(a, int), kind
        return a
    assert a.flags.c_contiguous and a.dtype.kind == {"real*": "f", "double*": "f", "int*": "i", "bool*": "b"}[kind], (
        kind,
        a.dtype,
    )
    assert a.dtype.itemsize == 8 or kind not in ("int*", "double*"), (kind, a.dtype)
    return a.reshape(-1)


def pack(b: Any, at: int, row: int, column: int, k: int, n: int, out: Any) -> None:
    for i in range(k):
        out[i * n : (i + 1) * n] = [b[at + i * row + j * column] for j in range(n)]


def product(a: Any, a_at: int, a_row: int, a_column: int, b: Any, out: Any, out_at: int, out_row: int, m: int, n: int, k: int,
            room: Any) -> None:  # fmt: skip
    for i in range(m):
        row = np.array([a[a_at + i * a_row + q * a_column] for q in range(k)], out.dtype)
        out[out_at + i * out_row : out_at + i * out_row + n] = row @ b[: k * n].reshape(k, n)


def step_product(a: Any, a_at: int, a_row: int, a_column: int, b: Any, b_at: int, b_row: int, b_column: int, packed: Any,
                 out: Any, out_at: int, out_row: int, m: int, n: int, k: int, room: Any) -> None:  # fmt: skip
    product(a, a_at, a_row, a_column, packed, out, out_at, out_row, m, n, k, room)


def matrix_product(a: Any, a_at: int, a_row: int, a_column: int, b: Any, b_at: int, b_row: int, b_column: int, packed: Any,
                   out: Any, out_at: int, out_row: int, m: int, n: int, k: int, room: Any) -> None:  # fmt: skip
    pack(b, b_at, b_row, b_column, k, n, packed)
    product(a, a_at, a_row, a_column, packed, out, out_at, out_row, m, n, k, room)


def poisoned(shape: Any, dtype: Any) -> np.ndarray:
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 77 if np.dtype(dtype).kind == "i" else True, dtype)


def interpreted(emitted: Any, width: str) -> Any:
    def same(f: Any) -> Any:
        return f

    names: dict[str, Any] = {
        "np": np, "math": math, "real": np.dtype(width).type, "inline": same, "native": native,
        "part": lambda kinds: same,
        "row_sum": lambda row, at, n: np.sum(row[at : at + n]),
        "row_top": lambda row, at, n: np.nanmax(row[at : at + n], initial=-np.inf),
        "plus": lambda total, x: total + x, "pack": pack, "matrix_product": matrix_product,
        "step_product": step_product, "packed_size": lambda n, k, kind: n * k, **emitted.foreign,
    }  # fmt: skip
    exec(write_math(width), names)
    own = re.findall(r"^def (\w+)|^from numpy import (.+)$", emitted.source, re.MULTILINE)
    twice = names.keys() & {name for pair in own for part in pair for name in part.split(", ")}
    assert not twice, f"functions of the program hide what native code calls: {twice}"
    exec(emitted.source, names)
    names["empty"] = poisoned
    program = names["program"]
    return (lambda *sizes: program(*sizes, emitted.constants)) if emitted.constants else program
