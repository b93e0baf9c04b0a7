"""`autograd-seq draw`: what is written, and what is said when nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_seq.cli import main

MODEL = """
import autograd_seq as ag
t = ag.Axis("t")
h = ag.nn.gru(ag.nn.gru(ag.input("x", (3,), over=t), 4, over=t, name="lower"), 4, over=t, name="upper")
L = ag.sum(h @ h, over=t).named("L")
"""


@pytest.fixture
def place(tmp_path: Path) -> str:
    (tmp_path / "model.py").write_text(MODEL)
    return f"{tmp_path / 'model.py'}:L"


def test_scopes_are_collapsed_by_name_and_colours_explained(place: str, tmp_path: Path) -> None:
    assert main(["draw", place, "-o", str(tmp_path / "a.svg"), "--collapse", "lower", "--legend"]) == 0
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "100 parameters" in text and "upper" in text and ">input<" in text


def test_the_steps_of_a_page_are_those_asked_for(place: str, tmp_path: Path) -> None:
    for steps, stops in (([], "[0,1,2,3,4,5,6]"), (["--unroll", "0"], "[0]"), (["--unroll", "2"], "[0,1,2]")):
        assert main(["draw", place, "-o", str(tmp_path / "a.html"), *steps]) == 0
        assert f'"stops":{stops}' in (tmp_path / "a.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "a.html", "--level", "ops"], "--level has no effect on a page"),
        (["-o", "a.html", "--depth", "1", "--legend"], "got --depth --legend with a.html"),
        (["-o", "a.html", "--params", "bus"], "--params has no effect on a page"),
        (["-o", "a.svg", "--depth", "3"], "no scope lies at depth 3"),
        (["-o", "a.svg", "--collapse", "lowr"], "there is no scope 'lowr'"),
        (["-o", "a.bmp"], "unknown picture format: 'bmp'"),
        (["-o", "picture"], "'picture' does not end in a picture format"),
        (["-o", "nowhere/a.svg"], "there is no directory 'nowhere' to save in"),
    ],
)
def test_what_cannot_be_done_is_said(
    options: list[str],
    said: str,
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["draw", place, *options]) == 2
    assert said in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} <= {"model.py", "__pycache__"}


def test_a_directory_that_cannot_be_written_is_named_as_it_was_given(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", "/somewhere/.a.svg.x1.part")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    assert main(["draw", place, "-o", str(tmp_path / "a.svg")]) == 2
    assert capsys.readouterr().err == f"Permission denied: {tmp_path / 'a.svg'}\n"
