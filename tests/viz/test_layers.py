"""The layout of one step: rows, order, places; deterministic, without overlaps."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viz.layout.layers import lay_out_rows, spread_out
from viz.layout.rows import assign_rows


def test_edges_lead_upwards() -> None:
    edges = [("x", "a"), ("a", "b"), ("x", "b"), ("z", "b")]
    row = assign_rows(["x", "a", "b", "z"], edges)
    assert all(row[tail] < row[head] for tail, head in edges)
    assert row["z"] == 1  # right below its reader, not at the bottom


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="the edges of one step close a cycle"):
        assign_rows(["a", "b"], [("a", "b"), ("b", "a")])


def test_a_chain_is_upright() -> None:
    places = lay_out_rows(dict.fromkeys("abcd", 40.0), [("a", "b"), ("b", "c"), ("c", "d")])
    assert set(places.x.values()) == {0.0}


def test_a_node_stands_over_the_middle_of_what_it_reads() -> None:
    places = lay_out_rows({"a": 30.0, "b": 30.0, "+": 30.0}, [("a", "+"), ("b", "+")])
    assert places.x["+"] == pytest.approx((places.x["a"] + places.x["b"]) / 2)


def test_heavy_edges_are_upright_and_lights_give_way() -> None:
    places = lay_out_rows(
        {"s": 40.0, "y": 40.0, "L": 40.0, "l": 30.0}, [("s", "y"), ("y", "L"), ("l", "L")], [("s", "y"), ("y", "L")]
    )
    assert places.x["s"] == places.x["y"] == places.x["L"] == 0.0
    assert abs(places.x["l"]) >= 55.0


def test_long_edges_get_bends_in_every_row_they_pass() -> None:
    places = lay_out_rows(dict.fromkeys("abc", 40.0), [("a", "b"), ("b", "c"), ("a", "c")])
    ((row, x),) = places.bends["a", "c"]
    assert row == 1
    assert abs(x - places.x["b"]) >= 40.0


def test_the_longest_edges_of_a_huge_picture_get_none() -> None:
    keys = [f"k{i}" for i in range(90)]
    edges = list(itertools.pairwise(keys)) + [("k0", key) for key in keys[2:]]
    places = lay_out_rows(dict.fromkeys(keys, 20.0), edges)
    assert ("k0", "k89") not in places.bends
    assert ("k0", "k4") in places.bends


def test_crossings_that_can_be_avoided_are() -> None:
    places = lay_out_rows(dict.fromkeys("abxy", 20.0), [("a", "y"), ("b", "x")])
    assert (places.x["a"] - places.x["b"]) * (places.x["y"] - places.x["x"]) > 0


def test_nothing_and_loose_nodes_are_fine() -> None:
    assert lay_out_rows({}, []).x == {}
    assert len(set(lay_out_rows({"a": 10.0, "b": 10.0}, [("a", "a")]).x.values())) == 2


def test_the_order_of_the_call_decides_nothing_else() -> None:
    edges = [("a", "c"), ("b", "c"), ("a", "d"), ("c", "e"), ("d", "e")]
    assert lay_out_rows(dict.fromkeys("abcde", 20.0), edges) == lay_out_rows(dict.fromkeys("abcde", 20.0), edges)


@given(st.integers(1, 14), st.data())
@settings(max_examples=150, deadline=None)
def test_no_two_nodes_overlap(count: int, data: st.DataObject) -> None:
    pairs = [(a, b) for b in range(count) for a in range(b)]
    edges = data.draw(st.lists(st.sampled_from(pairs), max_size=30)) if pairs else []
    widths = {key: float(20 + 7 * (key % 4)) for key in range(count)}
    places = lay_out_rows(widths, edges, gap=10.0)
    for tail, head in edges:
        assert places.row[tail] < places.row[head]
    for a in range(count):
        for b in range(a):
            if places.row[a] == places.row[b]:
                assert abs(places.x[a] - places.x[b]) >= (widths[a] + widths[b]) / 2 + 9.7


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(1, 50)), max_size=12))
def test_spread_keeps_the_order_and_the_distances(wishes: list[tuple[float, float]]) -> None:
    wishes = sorted(wishes)
    found = spread_out(wishes)
    for (a, one), (b, two) in zip(zip(found, wishes, strict=True), list(zip(found, wishes, strict=True))[1:], strict=False):
        assert b - a >= (one[1] + two[1]) / 2 - 1e-6


def test_spread_leaves_alone_what_fits() -> None:
    assert spread_out([(0.0, 10.0), (50.0, 10.0)]) == [0.0, 50.0]
    assert spread_out([]) == []


def test_very_wide_rows_are_laid_out_too() -> None:
    keys = [f"k{i}" for i in range(70)]
    edges = [(key, f"top{i % 3}") for i, key in enumerate(keys)] + [("top0", "end")]
    places = lay_out_rows(dict.fromkeys([*keys, "top0", "top1", "top2", "end"], 20.0), edges)
    assert len({places.x[key] for key in keys}) == 70


def test_sums_stand_over_their_products_whatever_parameters_stand_beside_them() -> None:
    edges = []
    for gate in "ofi":
        edges += [("x", f"U{gate}"), ("h", f"W{gate}"), (f"U{gate}", f"s{gate}"), (f"W{gate}", f"s{gate}")]
        edges += [(f"s{gate}", f"z{gate}"), (f"b{gate}", f"z{gate}")]
    x = lay_out_rows({key: 40.0 for edge in edges for key in edge}, edges).x
    assert [x[f"s{gate}"] for gate in "ofi"] == [(x[f"U{gate}"] + x[f"W{gate}"]) / 2 for gate in "ofi"]
