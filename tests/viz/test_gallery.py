"""The README's pictures are those that are drawn now; and every kind of picture is set by LaTeX."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import autograd_seq as ag
import viz
from viz.scene.picture import Picture

ROOT = Path(__file__).resolve().parents[2]
RENEW = "python examples/gallery.py draws them anew; look at what has changed, and commit docs/"
HOSTILE = [
    "\\end{document}",
    "\\input{/etc/passwd}",
    "50 % & #1_{x}^~ $y$",
    "a{b",
    "}",
    "\\",
    "名前",
    "Ærøskøbing e\u0301 🙂",
    "^^41",
]


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery_of_the_readme", ROOT / "examples" / "gallery.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn(gallery: ModuleType) -> dict[str, viz.Diagram]:
    """All pictures, by their names."""
    return gallery.draw()


def test_the_pictures_of_the_readme_are_up_to_date(drawn: dict[str, viz.Diagram]) -> None:
    stored = dict(line.split() for line in (ROOT / "docs" / "gallery.txt").read_text(encoding="utf-8").splitlines())
    changed = [name for name, picture in drawn.items() if stored.get(name) != picture.digest]
    assert not changed and set(stored) == set(drawn), f"{', '.join(changed)}: not as in docs/gallery.txt. {RENEW}"


def test_the_readme_shows_all_of_them(drawn: dict[str, viz.Diagram]) -> None:
    shown = set(re.findall(r"docs/(\w+)\.png", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert set(drawn) <= shown
    assert all((ROOT / "docs" / f"{name}.png").is_file() for name in shown)


def test_a_digest_sees_what_is_drawn_and_not_where_it_was_written() -> None:
    def make(name: str) -> viz.Diagram:
        t = ag.Axis("t")
        s = ag.state(name, over=t)
        s[t] = ag.tanh(ag.param("w") * s[t - 1])
        return viz.unfolded(ag.Graph(s))

    first = make("s")
    elsewhere = first.overlay(lambda p: Picture([replace(mark, tip="s (other.py:9)") for mark in p.marks], p.lines))
    assert first.digest == make("s").digest == elsewhere.digest != make("r").digest


def set_by_latex(pictures: list[viz.Diagram], folder: Path) -> None:
    """Compile pictures, each saved as a document of its own."""
    for i, picture in enumerate(pictures):
        path = picture.save(folder / f"{i}.tex")
        done = subprocess.run(["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", path.name],
                              cwd=folder, capture_output=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout.decode("latin-1")[-2000:]
        assert (folder / f"{i}.pdf").stat().st_size > 1000


needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


@needs_latex
@pytest.mark.parametrize(
    "name", ["fold_unfold", "lstm_bus", "attention", "lattice", "transformer", "heat", "adjoint", "schedule"]
)
def test_latex_sets_every_kind(name: str, drawn: dict[str, viz.Diagram], tmp_path: Path) -> None:
    set_by_latex([drawn[name]], tmp_path)


@needs_latex
def test_latex_sets_hostile_names(tmp_path: Path) -> None:
    t = ag.Axis("t")
    states = [ag.state(name, over=t) for name in HOSTILE]
    for i, s in enumerate(states):
        s[t] = ag.tanh(ag.param(f"{HOSTILE[-1 - i]} w") * s[t - 1])
    set_by_latex([viz.unfolded(ag.Graph(states), 2, level="ops"), viz.folded(ag.Graph(states))], tmp_path)
