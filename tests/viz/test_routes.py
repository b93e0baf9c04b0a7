"""Curves keep off nodes, and labels keep off both."""

from __future__ import annotations

import pytest

import autograd_seq as ag
import viz
from viz.layout.gutter_paths import Gutter, make_ghost_path, make_gutter_path
from viz.layout.label_spots import place_label
from viz.layout.routes import (
    Body,
    find_border,
    is_clear,
    make_line,
    make_loop,
    make_polyline,
    make_smooth_curve,
    make_stroke,
    route,
    sample_curve,
)

A, B, C = (Body((x, 0.0), 40.0, 40.0) for x in (0.0, 80.0, 160.0))


def test_lines_end_at_borders() -> None:
    assert find_border(A, (0, 100)) == (0.0, 20.0)
    assert find_border(Body((0, 0), 40, 20, round=False), (40, 20)) == (20.0, 10.0)
    assert find_border(A, A.at) == A.at
    assert find_border(Body((3, 4), 0, 0), (9, 9)) == (3, 4)


def test_the_plainest_free_curve_is_straight() -> None:
    assert route(A, B, [C]) == make_line((20.0, 0.0), (60.0, 0.0))


def test_an_arc_goes_round_what_is_in_the_way() -> None:
    curve = route(A, C, [B])
    assert min(((x - 80) ** 2 + y**2) ** 0.5 for x, y in sample_curve(curve)) > 25.0
    assert is_clear(curve, [B])
    assert not is_clear(make_line(A.at, C.at), [B])


def test_where_the_one_side_is_full_the_arc_takes_the_other() -> None:
    above = Body((80.0, 60.0), 90.0, 60.0)
    assert all(y < 5 for _, y in sample_curve(route(A, C, [B, above])))


def test_an_arc_keeps_off_arcs_drawn_before() -> None:
    first = route(A, C, [B])
    second = route(A, C, [B], taken=[make_stroke(first)])
    assert first != second


def test_a_curve_goes_through_its_bends() -> None:
    curve = make_smooth_curve(A, Body((0, 160), 40, 40), [(50.0, 80.0)])
    assert (50.0, 80.0) in curve


def test_loops_leave_and_enter_at_one_side_and_run_downwards() -> None:
    right, left = make_loop(A, 0.0, 28.0), make_loop(A, 3.141592653589793, 28.0)
    assert right[0][1] > 0 > right[-1][1]
    assert left[0][1] > 0 > left[-1][1]
    assert min(x for x, _ in right) > 0 > max(x for x, _ in left)


def test_the_second_loop_takes_the_other_side() -> None:
    first = route(A, A, [])
    second = route(A, A, [], taken=[make_stroke(first)])
    assert max(x for x, _ in second) < 0 < min(x for x, _ in first)


def test_corners_are_round_and_ends_exact() -> None:
    path = make_polyline([(0, 0), (50, 0), (50, 50)])
    assert (path[0], path[-1]) == ((0, 0), (50, 50))
    assert (50, 0) not in path


def test_a_label_stands_right_of_an_upright_line_and_below_a_level_one() -> None:
    up = make_line((0, 0), (0, 60))
    x, y = place_label(up, (10, 12), [])
    assert x > 5
    assert y == pytest.approx(30, abs=3)
    level = make_line((0, 0), (60, 0))
    x, y = place_label(level, (10, 12), [])
    assert y < -6


def test_a_label_keeps_off_nodes_and_lines() -> None:
    up = make_line((0, 0), (0, 60))
    right = Body((14.0, 30.0), 20.0, 60.0)
    assert place_label(up, (10, 12), [right])[0] < 0
    beside = make_stroke(make_line((9, 0), (9, 60)), 60)
    assert place_label(up, (10, 12), [], [beside])[0] < 0


def test_gutter_paths_are_level_and_upright() -> None:
    stamp = [Body((0, 0), 40, 20, round=False), Body((30, 80), 40, 20, round=False)]
    gutter = Gutter(-20, 50, -60)
    path = make_gutter_path(stamp[1], stamp[0].move(150), (0, 150), stamp, gutter, True)
    assert path[0] == (50.0, 80)
    assert path[-1] == (130.0, 0)


def test_what_stands_beside_the_tail_is_passed_above_it() -> None:
    tail, beside = Body((0, 0), 40, 20, round=False), Body((60, 0), 40, 20, round=False)
    head = Body((60, -80), 20, 20)
    path = make_gutter_path(tail, head.move(200), (0, 200), [tail, beside, head], Gutter(-20, 80, -100), True)
    assert max(y for _, y in path) > 10
    assert path[-1][1] == -80


def test_what_stands_beside_the_head_is_passed_below_it() -> None:
    tail, beside, head = Body((60, 80), 40, 20), Body((0, 0), 40, 20), Body((60, 0), 40, 20)
    path = make_gutter_path(tail, head.move(200), (0, 200), [tail, beside, head], Gutter(-20, 80, -100), True)
    assert path[-1] == (248, -7.5)  # on the lower left rim: 12² / 20² + 8² / 10² = 1, half a point inside


def test_a_delay_of_two_passes_below_the_step_between() -> None:
    box = Body((0, 0), 40, 20, round=False)
    path = make_gutter_path(box, box.move(200), (0, 200), [box], Gutter(-20, 20, -50), False)
    assert min(y for _, y in path) == -50


def test_backwards_is_the_mirror_image() -> None:
    box = Body((0, 0), 40, 20, round=False)
    there = make_gutter_path(box, box.move(100), (0, 100), [box], Gutter(-20, 20, -50), True)
    back = make_gutter_path(box, box.move(-100), (0, -100), [box], Gutter(-20, 20, -50), True)
    assert back == tuple((-x, y) for x, y in there)


def test_ghosts_lead_in_from_either_end() -> None:
    box, gutter = Body((0, 0), 40, 20, round=False), Gutter(-20, 20, -50)
    left = make_ghost_path(Body((-90, 0), 40, 40), box, 0.0, [box], gutter, True)
    right = make_ghost_path(Body((90, 0), 40, 40), box, 0.0, [box], gutter, True)
    assert left[-1] == (-20, 0)
    assert right == tuple((-x, y) for x, y in left)
    around = make_ghost_path(Body((-90, 0), 40, 40), box.move(100), 100.0, [box], gutter, False)
    assert min(y for _, y in around) == -50


def test_labels_of_arcs_keep_off_the_same_arcs_of_other_steps() -> None:
    t = ag.Axis("t")
    s = ag.state("s", (4,), over=t)
    s[t] = ag.tanh(ag.input("x", (4,), over=t) + ag.param("A", (4, 4)) @ s[t - 1] + ag.param("B", (4, 4)) @ s[t - 3])
    lines = viz.unfolded(ag.Graph(s), t=6).picture.lines
    points = [point for line in lines for point in sample_curve(line.curve, 60)]
    spots = [line.label_at for line in lines if line.label_at is not None and line.label.rows]
    assert len(spots) == 12
    assert not any(abs(x - a) < 4.0 and abs(y - b) < 6.0 for x, y in spots for a, b in points)
