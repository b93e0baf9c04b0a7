"""Names become labels, and nothing in a name can become anything else."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viz.scene.label import (
    EMPTY,
    clean,
    escape,
    join_labels,
    make_delay_label,
    make_name_label,
    make_text_label,
    measure_ems,
    quote,
    stack_labels,
)


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("x", "<I>x</I>"),
        ("W_{hh}", "<I>W</I><SUB>hh</SUB>"),
        ("s_t", "<I>s</I><SUB>t</SUB>"),
        (r"\sigma", "<I>σ</I>"),
        (r"\sigma_1", "<I>σ</I><SUB>1</SUB>"),
        ("W^{(1)}", "<I>W</I><SUP>(1)</SUP>"),
        ("W_{h}^2", "<I>W</I><SUB>h</SUB><SUP>2</SUP>"),
        ("W^2_h", "<I>W</I><SUB>h</SUB><SUP>2</SUP>"),
        (r"\hat{y}", "<I>ŷ</I>"),
        ("größe", "<I>größe</I>"),
        ("my_long_name", "<I>my_long_name</I>"),
        ("a_{b}_{c}", "<I>a_{b}_{c}</I>"),
        (r"\unknown", r"<I>\unknown</I>"),
        ("_", "<I>_</I>"),
        ("a{b", "<I>a{b</I>"),
        ("🦊", "<I>🦊</I>"),
        ("", "&nbsp;"),
        (" ", " "),
        ("<b>&\"'", "<I>&lt;b&gt;&amp;&quot;'</I>"),
    ],
)
def test_a_name_is_set_as_mathematics(name: str, html: str) -> None:
    assert make_name_label(name).html == html


@pytest.mark.parametrize(
    ("name", "index", "html"),
    [
        ("s", "t", "<I>s</I><SUB><I>t</I></SUB>"),
        ("s", "t−1", "<I>s</I><SUB><I>t</I>−1</SUB>"),
        ("g", "i,j", "<I>g</I><SUB><I>i</I>,<I>j</I></SUB>"),
        ("s_a", "3", "<I>s</I><SUB>a,3</SUB>"),
    ],
)
def test_the_index_is_a_subscript(name: str, index: str, html: str) -> None:
    assert make_name_label(name, index).html == html


def test_control_characters_are_shown_and_never_kept() -> None:
    assert clean("a\x00b\x7fc\x9dd\ud800e\ufffff") == "a�b�c�d�e�f"
    assert clean("a\nb\tc\u2028d") == "a b c d"


def test_characters_that_turn_the_reading_direction_are_shown() -> None:
    assert clean("a\u202eb\u2066c") == "a�b�c"


def test_a_name_of_five_thousand_characters_is_cut() -> None:
    assert clean("x" * 5000) == "x" * 27 + "…"
    assert len(make_name_label("y" * 5000).html) < 60


@given(st.text(), st.text(max_size=8))
def test_any_name_gives_well_formed_markup(name: str, index: str) -> None:
    root = ElementTree.fromstring("<L>" + make_name_label(name, index).html.replace("&nbsp;", " ") + "</L>")
    assert {element.tag for element in root.iter()} <= {"L", "I", "SUB", "SUP"}


@given(st.text())
def test_any_text_is_one_quoted_string(text: str) -> None:
    quoted = quote(text)
    assert quoted[0] == quoted[-1] == '"'
    inner = quoted[1:-1].replace("\\\\", "").replace('\\"', "")
    assert '"' not in inner
    assert "\\" not in inner
    assert "<" not in inner


@given(st.text(), st.text())
def test_labels_do_not_run_into_each_other(first: str, second: str) -> None:
    assert stack_labels([make_name_label(first), make_name_label(second)]).html.count("<BR/>") == 1
    assert join_labels([make_text_label(first), make_text_label(second)]).html.startswith(make_text_label(first).html)


def test_width_is_measured_in_ems() -> None:
    assert measure_ems("") == measure_ems("\u0302") == 0
    assert measure_ems("漢") > measure_ems("x") > measure_ems("i")
    assert make_name_label("s", "t").ems > make_name_label("s").ems


def test_a_stack_leaves_out_what_is_empty() -> None:
    assert stack_labels([make_text_label("+"), EMPTY, make_name_label("s")]).html == "+<BR/><I>s</I>"
    assert stack_labels([]).html == ""


def test_delays_are_powers_of_z() -> None:
    assert make_delay_label([("t", 1)], named=False).html == "<I>z</I><SUP>−1</SUP>"
    assert make_delay_label([("t", 2)], named=False).html == "<I>z</I><SUP>−2</SUP>"
    assert make_delay_label([("t", -1)], named=False).html == "<I>z</I><SUP>+1</SUP>"
    both = make_delay_label([("i", 1), ("j", 1)], named=True).html
    assert both == "<I>z</I><SUB><I>i</I></SUB><SUP>−1</SUP> <I>z</I><SUB><I>j</I></SUB><SUP>−1</SUP>"


def test_markup_is_escaped_once() -> None:
    assert escape("&lt;") == "&amp;lt;"
    assert make_text_label("<").html == "&lt;"
