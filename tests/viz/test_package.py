"""What importing viz costs, and what it offers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from each import each

import viz

ROOT = Path(viz.__file__).parent


def test_importing_viz_imports_no_renderer_and_no_matplotlib() -> None:
    code = "import sys, viz; print([m for m in ('matplotlib', 'pygraphviz', 'graphviz', 'networkx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_plots_come_when_they_are_used() -> None:
    assert viz.plots.loss_curve([1.0]) is not None
    with pytest.raises(AttributeError, match="viz has no plot"):
        viz.plot


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@each("path", sorted(ROOT.rglob("*.py")))
def test_each_library_has_its_one_file(path: Path) -> None:
    found = _imports(path)
    assert ("matplotlib" in found) == (path.name == "figure.py")
    assert ("PIL" in found) == (path.name == "animation.py")
    assert bool({"pygraphviz", "graphviz"} & found) == (path.name == "worker.py")
    assert found <= {
        "viz",
        "autograd_seq",
        "numpy",
        "networkx",
        "matplotlib",
        "pygraphviz",
        "graphviz",
        "PIL",
        *sys.stdlib_module_names,
    }


@each("path", sorted(ROOT.rglob("*.py")))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def test_order_does_not_come_from_hashes() -> None:
    code = (
        "import autograd_seq as ag, viz\n"
        "t = ag.Axis('t'); x = ag.input('x', over=t); s = ag.state('s', over=t); r = ag.state('r', over=t)\n"
        "s[t] = ag.tanh(ag.param('U') * x + ag.param('W') * s[t - 1]); r[t] = ag.tanh(s[t] * r[t - 1] + r[t - 2])\n"
        "g = ag.Graph(r)\n"
        "print(viz.unfolded(g).dot, viz.unfolded(g, params='bus').dot, viz.folded(g).dot, viz.folded(g, 'ops').dot)"
    )
    import os

    texts = set()
    for seed in ("1", "2", "3"):
        environment = dict(os.environ, PYTHONHASHSEED=seed, PYTHONPATH=os.pathsep.join(p for p in sys.path if p))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        texts.add(done.stdout)
    assert len(texts) == 1
