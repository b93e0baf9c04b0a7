"""What notebooks show, and what is said where ``import viz`` finds something else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import autograd_seq as ag
from autograd_seq.core import notebook as pictures
from autograd_seq.core.errors import PictureError

ROOT = Path(ag.__file__).resolve().parent.parent


def graph() -> ag.Graph:
    t = ag.Axis("t")
    s = ag.state("s<b>", over=t)
    s[t] = ag.tanh(ag.param("w & <script>") * s[t - 1] + ag.input("x", over=t)[t])
    return ag.Graph(ag.sum(s, over=t).named("L"))


def test_a_graph_is_its_folded_picture() -> None:
    shown = graph()._repr_mimebundle_()
    assert set(shown) == {"text/plain", "image/svg+xml"} and shown["text/plain"] == str(graph())
    assert "<svg" in shown["image/svg+xml"] and "<script" not in shown["image/svg+xml"]


def test_a_graph_that_cannot_be_drawn_is_its_text_and_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    import viz.layout.compose

    monkeypatch.setattr(viz.layout.compose, "MOST_ITEMS", 1)
    shown = graph()._repr_mimebundle_()
    assert set(shown) == {"text/plain"} and shown["text/plain"].startswith(str(graph())) and "P204" in shown["text/plain"]


def test_a_schedule_is_a_table_and_a_program_its_source() -> None:
    L = graph().outputs[0]
    program = ag.compile(L)
    table = program.schedule._repr_html_()
    assert table.count("<tr>") == 1 + len(str(program.schedule).splitlines()) and "<script" not in table and "flop" in table
    step = ag.value_and_grad(L, "x")
    for shown in (program, ag.compile(L, carry=True), step):
        page = shown._repr_html_()
        assert page.startswith("<pre>") and "def program(" in page and "<script" not in page and "<b>" not in page


@pytest.mark.parametrize(("text", "said"), [
    ("def plot(): ...", "import viz finds another module"),
    ('print "of Python 2"', "viz, which draws, cannot be imported"),
    ("raise RuntimeError('no screen')", "RuntimeError: no screen"),
])  # fmt: skip
def test_another_viz_is_told_from_ours(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "viz.py").write_text(text)
    (tmp_path / "model.py").write_text("import autograd_seq as ag\ny = ag.param('w') * 2\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "autograd_seq", "draw", str(tmp_path / "model.py") + ":y", "-o", str(tmp_path / "y.png")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
    assert "pip uninstall viz, then pip install --force-reinstall --no-deps autograd_seq" in done.stderr
    code = "import autograd_seq as ag; print(ag.Graph(ag.param('w') * 2)._repr_mimebundle_()['text/plain'])"
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert shown.stdout.startswith("graph:") and said in shown.stdout


def test_doctor_says_that_another_viz_hides_ours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from autograd_seq.cli import main

    monkeypatch.setitem(sys.modules, "viz", os)
    monkeypatch.setattr("autograd_seq.doctor.examine", lambda: "")
    assert main(["doctor"]) == 0
    assert "do not render: PictureError [P312]" in capsys.readouterr().out
    with pytest.raises(PictureError, match="another module"):
        pictures.import_viz()


def test_the_version_is_said_in_one_way(capsys: pytest.CaptureFixture[str]) -> None:
    from autograd_seq.cli import main

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"autograd-seq {ag.__version__}\n"
    setup = Path(__file__).resolve().parent.parent / "setup.cfg"
    assert f"\nversion = {ag.__version__}\n" in setup.read_text(encoding="utf-8")


def test_learn_is_there_when_it_is_asked_for() -> None:
    code = ("import sys, autograd_seq as ag; assert 'autograd_seq.learn' not in sys.modules; "
            "print(ag.learn.adam.__name__, 'learn' in dir(ag) or 'learn' in ag.__all__)")  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "adam True\n"
    with pytest.raises(AttributeError, match="autograd_seq has no nothing"):
        ag.nothing
