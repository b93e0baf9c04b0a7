"""What the README shows must run, exist and hold."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import autograd_seq

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
# A program started elsewhere finds the package where this test did, installed or not.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(autograd_seq.__file__).resolve().parent.parent)}
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_quickstart_is_short_and_runs_as_it_stands(tmp_path):
    assert len(BLOCKS) == 2
    assert len(BLOCKS[0].splitlines()) < 20
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKS[0] + "print(loss.shape, *(grads[k].shape for k in 'UWV'))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, *source, last = done.stdout.splitlines()
    assert first == "[['s', 's[t - 1]', 'matmul_2', 'add_1', 'tanh_1']]"
    assert last == "() (8, 3) (8, 8) (5, 8)"
    assert "def step(x, l, U, W, V):" in source
    assert (tmp_path / "rnn.png").read_bytes()[:4] == b"\x89PNG"


def test_the_training_runs_as_it_stands(tmp_path):
    short = BLOCKS[1].replace("epochs=5", "steps=2").replace(".name]", ".name[:99]]")
    assert short != BLOCKS[1]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", short + "print(result)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**ENVIRONMENT, "AUTOGRAD_SEQ_BACKEND": "numpy"},
    )
    assert done.returncode == 0, done.stderr
    *names, result = done.stdout.splitlines()
    assert len(names) == 5
    assert result.startswith("<Result of 2 steps: loss ")


@pytest.mark.night  # `.ci/run` asks mypy by day
def test_type_checkers_pass_the_quickstart_as_it_stands(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "quickstart.py").write_text(BLOCKS[0] + "names: list[str] = [p.name for p in (x, U, y)]\n"
                                            "slope: ag.Node = ag.grad(L, U)\nslopes: list[ag.Node] = ag.grad(L, [U, W])\n"
                                            "rate = ag.learn.adam(0.1)\n", encoding="utf-8")  # fmt: skip
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", "quickstart.py"]
    installed = Path(autograd_seq.__file__).resolve().parent.parent != ROOT  # what is installed is found
    environment = ENVIRONMENT if installed else {**ENVIRONMENT, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_commands_stand_there_to_be_copied():
    assert "\npip install . && autograd-seq demo\n" in TEXT
    assert "\npip install '.[test]' && pytest\n" in TEXT


@pytest.mark.parametrize("line", re.findall(r"^autograd-seq (.*?) *#", TEXT, re.MULTILINE))
def test_the_commands_shown_run_as_they_stand(line, tmp_path):
    (tmp_path / "model.py").write_text(BLOCKS[0].split("\ng = ")[0], encoding="utf-8")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    # What takes long is shortened, nothing else: the last --seconds counts.
    quick = {"bench": ["--seconds", "0", "--peers", ""], "train": ["--steps", "2"]}.get(line.split()[0], [])
    if "names.py" in line:  # what the line before has made
        module = runpy.run_path(str(ROOT / "examples/names.py"))
        module["main"](tmp_path)
        params = autograd_seq.nn.init.params(module["L"], seed=0)
        if not line.startswith("train"):
            autograd_seq.learn.save(tmp_path / "names.safetensors", params=params)
    done = subprocess.run(
        [sys.executable, "-m", "autograd_seq", *line.split(), *quick],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("target", sorted(set(re.findall(r'(?:\]\(|src=")([^)"#:]+)[)"]', TEXT))))
def test_pictures_and_links_lead_somewhere(target):
    assert (ROOT / target).is_file()


def test_the_picture_at_the_top_is_small():
    assert (ROOT / "docs/fold_unfold.png").stat().st_size < 200_000


def test_the_gallery_is_what_its_scripts_draw(tmp_path):
    for script in ("gallery.py", "plots.py"):
        subprocess.run([sys.executable, ROOT / "examples" / script, tmp_path], check=True, env=ENVIRONMENT)
    drawn = {p.name for p in tmp_path.glob("*.png")}
    assert drawn | {"forecast.png"} == {p.name for p in (ROOT / "docs").glob("*.png")}
