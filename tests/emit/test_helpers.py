"""Functions that programs carry along."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.emit.carried import HELPERS


def helper(name: str) -> Any:
    namespace: dict[str, Any] = {"np": np}
    exec(HELPERS[name], namespace)
    return namespace[name]


@pytest.mark.parametrize("width", ["float32", "float64", "complex128", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (7, 0, 2), (101, 16, 64)])
def test_an_aligned_array_begins_at_a_cache_line(shape: tuple[int, ...], width: str) -> None:
    for make in (np.empty, np.zeros):
        a = helper("aligned")(shape, np.dtype(width), make)
        assert a.shape == shape and a.dtype == width and a.flags.c_contiguous and a.flags.writeable
        assert not a.size or a.__array_interface__["data"][0] % 64 == 0
        a[...] = 1
        assert (a == 1).all() and (make is np.empty or not helper("aligned")(shape, width, make).any())


def test_all_arrays_that_a_program_keeps_are_made_so() -> None:
    t, b = ag.Axis("t"), ag.Axis("b")
    x, h = ag.input("x", (5,), over=(t, b)), ag.state("h", (3,), over=(t, b))
    h[t] = ag.tanh(ag.param("U", (3, 5)) @ x[t] + ag.param("W", (3, 3)) @ h[t - 1])
    loss = ag.sum(h.sum(), over=(t, b))
    program = ag.compile([h, *ag.grad(loss, list(ag.Graph(loss).inputs.values()))], backend="numpy")
    for one in (program, program.single):
        workspace = one.source[one.source.index("def program(") : one.source.index("def run(")]
        assert "aligned(" in workspace and not re.search(r"\b(empty|zeros)\(", workspace)
