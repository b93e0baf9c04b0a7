"""Rendering: bounded, silent, whole files or none."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

import autograd_seq as ag
import viz
from viz.arguments import get_theme
from viz.diagram import Diagram
from viz.errors import DrawError, RenderError, TooLargeError
from viz.render import files as renderer
from viz.render import glyphs, worker
from viz.render.files import get_format, render, write_file
from viz.scene.label import make_name_label
from viz.scene.picture import Line, Mark, Picture

TINY = 'digraph {a [label="x", fontname="No Such Font At All"]; a -> b}'
THEME = get_theme("white")
PICTURE = Picture([Mark("a", "input", make_name_label("x")), Mark("b", "state", at=(0, 80))],
                  [Line("a", "b", curve=((0, 21), (0, 30), (0, 50), (0, 59)))])  # fmt: skip
STARTS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<svg ", "pdf": b"%PDF-", "dot": b"digraph"}


@pytest.mark.parametrize("form", sorted(STARTS))
def test_every_format_is_a_file_of_its_kind(form: str, tmp_path: Path) -> None:
    path = Diagram(PICTURE, THEME).save(tmp_path / f"a.{form}")
    assert path == tmp_path / f"a.{form}"
    assert path.read_bytes().startswith(STARTS[form])
    assert [p.name for p in tmp_path.iterdir()] == [f"a.{form}"]


def test_rendering_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Diagram(PICTURE, THEME).save(tmp_path / "a.png")
    assert capfd.readouterr() == ("", "")


def test_the_same_text_gives_the_same_bytes() -> None:
    assert render(TINY, "png") == render(TINY, "png")


@pytest.mark.parametrize(
    ("path", "got"),
    [("a.xyz", "'a.xyz'"), ("a", "'a'"), ("a.gif", "'a.gif'"), ("png", "'png'"), ("a.PNG.", "'a.PNG.'")],
)
def test_an_unknown_suffix_says_which_there_are(path: str, got: str, tmp_path: Path) -> None:
    with pytest.raises(DrawError) as caught:
        Diagram(PICTURE, THEME).save(path)
    message = str(caught.value)
    what = "unknown picture format: " if Path(path).suffix else f"{path!r} does not end in a picture format"
    assert message.startswith(f"DrawError [P101]: {what}")
    assert f"expected one of png, svg, pdf, dot, html, tex, mmd, got {got}" in message
    assert message.endswith('end the path with one of them: .save("net.png")')


def test_suffixes_may_be_capitals() -> None:
    assert get_format(Path("x/y.PDF")) == "pdf"


def test_text_that_is_no_dot_is_an_error_with_graphviz_words() -> None:
    with pytest.raises(RenderError) as caught:
        render("digraph {", "png")
    assert str(caught.value).startswith("RenderError [P104]: Graphviz could not render the picture as png")
    assert caught.value.fix == 'save the text instead: .save("picture.dot")'


def test_text_beyond_the_limit_is_refused_before_it_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "LARGEST_TEXT", 10)
    with pytest.raises(TooLargeError) as caught:
        render(TINY, "png")
    assert "[P102]: the picture is too large to render" in str(caught.value)
    assert 'level="variables"' in str(caught.value)
    assert render(TINY, "dot") == TINY.encode()


def test_rendering_is_bounded_in_time(tmp_path: Path) -> None:
    before = (tmp_path / "a.png").write_bytes(b"before")
    with pytest.raises(TooLargeError) as caught:
        Diagram(PICTURE, THEME).save(tmp_path / "a.png", seconds=1e-6)
    assert before == 6
    assert "[P105]: rendering took longer than 1e-06 s" in str(caught.value)
    assert 'params="hide"' in str(caught.value)
    assert (tmp_path / "a.png").read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1


def test_without_a_renderer_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "_run_child", lambda *_: (worker.NO_RENDERER, b"", "ImportError\nno pygraphviz\n"))
    with pytest.raises(RenderError) as caught:
        render(TINY, "png")
    assert str(caught.value) == (
        "RenderError [P103]: no program here can render png\n"
        "  expected pygraphviz, or a dot program on the PATH, got no pygraphviz\n"
        "  pip install pygraphviz\n"
        '  or save the text: .save("picture.dot")'
    )


def test_a_notebook_shows_svg(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Diagram(PICTURE, THEME)._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg ")
    assert bundle["text/plain"] == "<Diagram of 2 marks and 1 lines; .save(path) draws it>"
    assert set(Diagram(PICTURE, THEME)._repr_mimebundle_(include=["text/plain"])) == {"text/plain"}
    assert set(Diagram(PICTURE, THEME)._repr_mimebundle_(exclude=["image/svg+xml"])) == {"text/plain"}


# -- files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.dot"
    path.write_bytes(b"before")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_file(path, b"after")
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.dot"]


def test_a_failed_rename_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a.dot").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_file(tmp_path / "a.dot", b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["a.dot"]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX")
def test_permissions_are_those_of_a_plain_file(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        fresh = write_file(tmp_path / "a.dot", b"x")
    finally:
        os.umask(old)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o640
    fresh.chmod(0o604)
    assert stat.S_IMODE(write_file(fresh, b"y").stat().st_mode) == 0o604


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(DrawError) as caught:
        Diagram(PICTURE, THEME).save(tmp_path / "none" / "a.dot")
    assert "[P106]: there is no directory" in str(caught.value)
    assert "make it first" in str(caught.value)


# -- the worker, in this process --------------------------------------------------------------------------------------


def test_the_worker_draws() -> None:
    assert worker.render_dot("digraph {a}", "svg").startswith(b"<?xml")


class _Pipes:
    def __init__(self, data: bytes = b"") -> None:
        self.buffer, self.data, self.got = self, data, b""

    def read(self) -> bytes:
        return self.data

    def write(self, data: bytes) -> None:
        self.got += data

    def flush(self) -> None:
        pass


def test_the_worker_reads_stdin_and_writes_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    out = _Pipes()
    monkeypatch.setattr(sys, "stdin", _Pipes(b"digraph {a}"))
    monkeypatch.setattr(sys, "stdout", out)
    assert worker.main(["svg"]) == 0
    assert out.got.startswith(b"<?xml")


def test_the_worker_without_any_renderer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "stdin", _Pipes(b"digraph {a}"))
    assert worker.main(["svg"]) == worker.NO_RENDERER
    assert "PATH" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for dot")
def test_the_worker_takes_a_dot_program_from_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\ncat\n")
    program.chmod(0o755)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert worker.render_dot("digraph {a}", "svg").split() == [b"digraph", b"{a}"]


def test_letters_without_a_font_are_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    t = ag.Axis("t")
    s = ag.state("状態", over=t)
    s[t] = ag.tanh(ag.param("🙂") * s[t - 1] + ag.param("Ж"))
    diagram = viz.folded(ag.Graph(s))
    monkeypatch.setattr(glyphs, "has_font", lambda program, character: character == "Ж")
    monkeypatch.setattr(glyphs.shutil, "which", lambda name: f"/bin/{name}")
    with pytest.warns(viz.GlyphWarning) as caught:
        diagram.save(tmp_path / "picture.png")
    assert str(caught[0].message) == (
        "[P110] no font here shows 態 状 🙂: the png has boxes in their places\n"
        "  install a font with these letters (Debian: apt install fonts-noto-cjk fonts-noto-color-emoji), "
        "or save the picture as .svg or .html"
    )
    assert caught[0].filename == __file__
    diagram.save(tmp_path / "picture.svg")  # its viewer chooses the fonts
    monkeypatch.setattr(glyphs.shutil, "which", lambda name: None)  # nobody to ask
    diagram.save(tmp_path / "picture.pdf")
