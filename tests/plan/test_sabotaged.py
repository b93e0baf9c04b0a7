"""Wrong passes must be caught: each case breaks one decision of the compiler, and the random programs must notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from random_programs import Program

import autograd_seq as ag
from autograd_seq.plan.memory import storage
from autograd_seq.plan.passes import contracted, expand, halves, join, legal, pack, regroup, simplify

_hot = expand._find_multiple_of_one_hot
_block = join._Joiner._make_block
_terms, _factors, _ring = regroup.list_terms, regroup._list_loop_factors, storage.Storage._count_ring_rows


def _first_part(x: ag.Node, dimension: int, start: int, stop: int) -> ag.Node:
    key = [slice(0, n, 1) for n in x.shape]
    key[dimension] = slice(0, stop - start, 1)
    return x[tuple(key)]


SABOTAGE: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "signs of a sum lost": (regroup, "list_terms", lambda *a: [(1, x) for _, x in _terms(*a)]),
    "a factor counted twice": (regroup, "_list_loop_factors", lambda w, n: [*_factors(w, n), _factors(w, n)[0]]),
    "a factor lost": (regroup, "_multiply_alike", lambda factors: list(factors)[:1]),
    "a sum over what does not vary is not times its length": (
        simplify, "_sum_axes", lambda x, axes: simplify.sum_over(x, axes=tuple(a for a in axes if a in x.axes))),
    "different constants are one": (simplify, "_get_merge_key", lambda n: n.op if n.op is simplify.CONSTANT else None),
    "every gate reads the first": (pack, "take_part", _first_part),
    "two states in one array": (legal, "_own", lambda n: True),
    "rings too short": (storage.Storage, "_count_ring_rows", lambda s, n, kept: min(1, _ring(s, n, kept))),
    "written over too early": (storage.Storage, "_is_read_later", lambda s, r, n: False),
    "a gate's argument not halved": (halves, "_scale", lambda w, z, gate, image, half: image[z]),
    "a label counted once, not as often as it weighs": (
        expand, "_find_multiple_of_one_hot", lambda x: None if (found := _hot(x)) is None else (found[0], None)),
    "what a later step reads has no row before the first": (
        storage.Storage, "_list_reads_of_lane", lambda s, n, lane: s.reads[n]),
    "a vector's rows are another's": (join._Joiner, "_make_block", lambda s, j, x: _block(s, j, j.vectors[-1])),
    "dimensions of factors aligned on the left": (
        contracted, "_make_factor", lambda x, y: contracted.Factor(y, "abcdefgh"[: y.ndim], y.shape)),
    "arrays free too early": (storage.Storage, "_find_stop", lambda s, n, kept: s.at[n]),
}  # fmt: skip


NOTICED = {  # programs that notice what few others do: they are tried first
    "a label counted once, not as often as it weighs": 59,
    "dimensions of factors aligned on the left": 29,
    "a sum over what does not vary is not times its length": 19,
}


@pytest.mark.parametrize("how", SABOTAGE)
def test_a_sabotaged_pass_is_caught(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, wrong = SABOTAGE[how]
    monkeypatch.setattr(owner, name, wrong)
    for seed in (NOTICED.get(how, 0), *range(60)):
        case = Program(seed)
        want = case.expected()
        try:
            got = ag.compile(case.outputs)(**case.fed(ag.Graph(case.outputs)))
        except (AttributeError, NameError, TypeError):  # the sabotage itself is out of date, and tests nothing
            raise
        except Exception:  # a program that cannot be made or run is caught as well
            return
        if not all(np.allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True) for a, b in zip(got, want, strict=True)):
            return
    pytest.fail(f"{how}: no random program notices")
