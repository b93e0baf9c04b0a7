"""`autograd-seq train` and `sample` as a user meets them: files of data, what is printed, and every error in words."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import learn
from autograd_seq.cli import main
from autograd_seq.user_data import read_feeds
from autograd_seq.user_graph import load_graph

MODEL = """
import numpy as np
import autograd_seq as ag

t, b = ag.Axis("t"), ag.Axis("b")
x, l = ag.input("x", over=(t, b), dtype=int), ag.input("l", over=(t, b), dtype=int)
h = ag.nn.gru(ag.nn.dropout("letters", ag.take(ag.param("E", (3, 4)), x), 0.1, over=b), 6, over=t, name="cell")
y = ag.param("V", (3, 6)) @ h
L = ag.mean(ag.cross_entropy(y, l), over=(t, b)).named("L")

z, d, c = ag.input("z", over=t), ag.input("d", (2,), over=t), ag.input("c")
s, half = ag.state("s", over=t), ag.nn.init.constant(0.5)
s[t] = ag.tanh(ag.param("w", init=half) * s[t - 1] + ag.param("u", init=half) * z[t] + ag.param("v"))
forecast = (ag.param("k", init=half) * s[t]).named("forecast")
M = ag.mean(ag.sum((forecast - d[t]) ** 2), over=t) + 0.0 * c
alone = ag.mean((forecast - ag.sum(d[t])) ** 2, over=t)
pair = ag.stack([forecast, forecast])
label = ag.input("label", over=b)
none = ag.param("a") * c
double = [y, y]
table = ag.sum(ag.param("p") * ag.sum(ag.input("m", (2, 2), over=t)), over=t)
mixed = ag.mean((label - ag.param("q") * ag.last(ag.input("f", over=(b, t)), over=t)) ** 2, over=b)
"""
SYMBOLS = ["--symbols", "_ab", "--stop", "0"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and data: words of a and b in turn, a sine in a table."""
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL, encoding="utf-8")
    words = [[1, 2, 1, 2, 0], [2, 1, 2, 0], [1, 2, 1, 0]] * 2
    l, n = learn.pad(words)
    x = np.roll(l, 1, axis=0)
    x[0] = 0
    np.savez("words.npz", x=x, l=l, **{"lengths.t": n})
    wave = np.sin(np.arange(61) / 4)
    rows = "\n".join(f"{a:.6f},{b:.6f},{b:.6f},0.5" for a, b in itertools.pairwise(wave))
    Path("wave.csv").write_text(f"# a sine\nz,d[0],d[1],c\n{rows}\n", encoding="utf-8")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], line: str, *more: str) -> tuple[int, str, str]:
    code = main([*line.split(), *more])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return code, printed.out, printed.err


def test_words_are_learnt_saved_gone_on_with_and_drawn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = "train model.py:L --data words.npz --save run.safetensors --batch 4 --rate 0.05 --clip 1 --log run.csv"
    code, out, err = run(capsys, f"{train} --valid words.npz --epochs 60")
    assert code == 0, err
    first, last = map(float, re.match(r"120 steps in \S+ s: loss (\S+) → (\S+)\n", out).groups())  # type: ignore[union-attr]
    assert last < first / 2 and re.search(r"least validation loss \S+, after step \d+\n", out)
    assert out.endswith("saved after 120 steps in all: run.safetensors\n")
    assert "L: 100%" in err and "norm" in err and "valid" in err and "120/120" in err
    code, out, err = run(capsys, f"{train} --steps 124 --resume")
    assert code == 0 and out.startswith("4 steps in ")
    assert len(Path("run.csv").read_text().splitlines()) == 125
    code, out, err = run(capsys, f"{train} --steps 124 --resume")
    assert out.startswith("no step was made: there were 124 before\n")
    code, out, err = run(capsys, "sample model.py:y --params run.safetensors --count 20 --temperature 0.3", *SYMBOLS)
    words = out.splitlines()
    assert code == 0 and len(words) == 20 and set("".join(words)) == {"a", "b"}
    assert sum("aa" not in word and "bb" not in word for word in words) > 15
    assert run(capsys, "sample model.py:y --params run.safetensors --count 20 --temperature 0.3", *SYMBOLS)[1] == out
    code, out, _ = run(capsys, "sample model.py:y --params run.safetensors --count 1 --steps 3 --temperature 0")
    assert code == 0 and re.fullmatch(r"\d \d \d\n", out)


def test_the_order_of_batches_is_that_of_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The seed need not be given again, and another one is refused."""
    train = "train model.py:L --data words.npz --batch 2 --rate 0.05 --steps"
    assert run(capsys, f"{train} 7 --save whole.npz --seed 5")[0] == run(capsys, f"{train} 4 --save run.npz --seed 5")[0] == 0
    assert run(capsys, f"{train} 7 --save run.npz --resume")[1].startswith("3 steps in")
    whole, resumed = learn.load("whole.npz"), learn.load("run.npz")
    np.testing.assert_array_equal(resumed["history"], whole["history"])
    np.testing.assert_array_equal(resumed["params"]["V"], whole["params"]["V"])
    assert "[C145]: --seed 4 is not that of run.npz" in run(capsys, f"{train} 9 --save run.npz --resume --seed 4")[2]
    err = run(capsys, f"{train} 9 --save run.npz --resume --optimizer sgd")[2]
    assert "[L147]" in err and "expected an optimizer that remembers nothing" in err
    assert "[L153]" in run(capsys, f"{train} 9 --save run.npz --resume --batch 3")[2]


def test_a_table_is_learnt_in_segments_and_continued(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "train model.py:M --data wave.csv --save run.npz --segment 20 --epochs 2 --optimizer rmsprop")
    assert code == 0 and out.startswith("6 steps in "), err
    err = run(capsys, "train model.py:M --data wave.csv --save run.npz --resume --segment 30 --steps 9 --optimizer rmsprop")[2]
    assert "[C146]: run.npz is of a training on other segments" in err and "the --data, --batch and --segment of" in err
    code, out, err = run(
        capsys, "train model.py:M --data wave.csv --save whole.npz --optimizer adam --rate 0.05 --steps 150 --cosine"
    )
    assert code == 0, err
    code, out, err = run(
        capsys, "train model.py:M --data wave.csv --save sqrt.npz --rate 0.05 --steps 150 --cosine --memory sqrt"
    )
    np.testing.assert_allclose(learn.load("sqrt.npz")["params"]["w"], learn.load("whole.npz")["params"]["w"], rtol=1e-9)
    code, out, err = run(capsys, "sample model.py:forecast --params whole.npz --data wave.csv --steps 4")
    assert code == 0, err
    values = [float(line) for line in out.splitlines()]
    params, z = learn.load("whole.npz")["params"], list(read_feeds("wave.csv", load_graph("model.py:M"))["z"])
    weights = {name: params[name] for name in ("w", "u", "v", "k")}
    for value in values:  # each is the last output of the series so far
        wanted = ag.compile(load_graph("model.py:forecast"))(z=z, **weights)[0][-1]
        assert abs(value - wanted) < 1e-5
        z.append(wanted)


def test_lbfgs_needs_no_rate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("scipy")
    code, out, err = run(capsys, "train model.py:M --data wave.csv --save run.npz --optimizer lbfgs --steps 30 --seed 2")
    first, last = map(float, re.search(r"loss (\S+) → (\S+)\n", out).groups())  # type: ignore[union-attr]
    assert code == 0 and last < first / 2, err


def test_ctrl_c_saves_and_says_how_to_go_on(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    def stop(self: Any, moment: learn.Moment) -> None:
        if moment.step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("autograd_seq.learn.CsvLog.__call__", stop)
    code, out, err = run(capsys, "train model.py:M --data wave.csv --save run.npz --steps 99 --log run.csv")
    assert code == 130 and err.endswith("interrupted\n") and learn.load("run.npz")["step"] == 3
    assert out.endswith("saved after 3 steps in all: run.npz\nthe same command with --resume goes on\n")


# -- data -------------------------------------------------------------------------------------------------------------


def read(text: str, name: str = "M") -> dict[str, Any]:
    Path("t.csv").write_text(text, encoding="utf-8")
    return read_feeds("t.csv", load_graph(f"model.py:{name}"))


def test_a_table_of_one_sequence(folder: Path) -> None:
    feeds = read("z,d[1],d[0],c\n1,2,3,7\n4,5,6,7\n\n")
    assert {name: value.tolist() for name, value in feeds.items()} == {"z": [1, 4], "d": [[3, 2], [6, 5]], "c": 7}


def test_a_table_of_several_sequences(folder: Path) -> None:
    """Rows of a sequence need not stand together; shorter ones are padded, and have lengths."""
    feeds = read("\ufeffb,x,l\nfirst,1,2\nother,2,0\nfirst,2,1\nfirst,0,0\n", "L")
    t = load_graph("model.py:L").axes[0]
    lengths = feeds.pop("lengths")
    assert {a.name: n.tolist() for a, n in lengths.items()} == {"t": [3, 1]} and t.name == "t"
    assert {name: value.tolist() for name, value in feeds.items()} == {
        "x": [[1, 2], [2, 0], [0, 0]],
        "l": [[2, 0], [1, 0], [0, 0]],
    }
    assert all(value.dtype == np.int64 for value in feeds.values())
    feeds = read("b,f,label\n0,1,5\n0,2,5\n1,3,6\n1,4,6\n", "mixed")
    assert {name: value.tolist() for name, value in feeds.items()} == {"f": [[1, 2], [3, 4]], "label": [5, 6]}
    assert read("x,l\n1,2\n2,0\n", "L")["x"].tolist() == [[1], [2]], "without a column b it is one sequence"


@pytest.mark.parametrize(
    ("code", "text", "words"),
    [
        ("C122", "z,c\n1,2\n", "no data for d"), ("C123", "z,d[0],d[1],c,dd\n1,2,3,4,5\n", "dd"), ("C127", "z,c\n", "no rows"),
        ("C128", "z,z\n1,2\n", "two columns"), ("C129", "z,d[0],d[1],c\n1,2\n", "t.csv:2"),
        ("C130", "z,d[0],c\n1,2,3\n", r"d\[1\]"), ("C131", "z,d[0],d[1],d[2],c\n1,2,3,4,5\n", r"d\[2\]"),
        ("C132", "z,d[0],d[1],c\n1,2,x,4\n", "'x'"), ("C132", "z,d[0],d[1],c\n1,2,,4\n", "''"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_read(code: str, text: str, words: str, folder: Path) -> None:
    with pytest.raises(ag.AutogradSeqError, match=words) as caught:
        read(text)
    assert caught.value.code == code


def test_other_data_that_cannot_be_read(folder: Path) -> None:
    Path("t.npz").write_bytes(b"no archive")
    Path("b.csv").write_bytes(b"z\n\xff\n")
    np.savez("o.npz", z=np.array([object()], dtype=object))
    graph = load_graph("model.py:M")
    for path, code in (("none.npz", "C120"), ("model.py", "C121"), ("t.npz", "C124"), ("o.npz", "C124"), ("b.csv", "C126")):
        with pytest.raises(ag.AutogradSeqError) as caught:
            read_feeds(path, graph)
        assert caught.value.code == code
    with pytest.raises(ag.AutogradSeqError, match="does not fit a table"):
        read("m,p\n1,2\n", "table")
    with pytest.raises(ag.AutogradSeqError, match="not an integer"):
        read("x,l\n1,2.5\n", "L")


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("C140", "train model.py:M --data wave.csv --save words.npz"),
        ("C141", "train model.py:y --data wave.csv --save a.npz"),
        ("C142", "train model.py:M --data wave.csv --save a.npz --batch 2"),
        ("C143", "train model.py:none --data none.npz --save a.npz --segment 2"),
        ("C144", "train model.py:M --data wave.csv --save a.npz --cosine --epochs 2"),
        ("L134", "train model.py:M --data wave.csv --save a.pt"), ("L139", "train model.py:M --data wave.csv --save no/a.npz"),
        ("L120", "train model.py:M --data wave.csv --save a.npz --patience 2"),
        ("L132", "sample model.py:y --params a.npz"), ("L137", "sample model.py:y --params words.npz"),
        ("C150", "sample model.py:double --params y.npz"), ("C152", "sample model.py:y --params y.npz --symbols abcd"),
        ("C153", "sample model.py:pair --params f.npz"), ("C154", "sample model.py:forecast --params f.npz"),
        ("L138", "sample model.py:y --params z.npz"), ("C120", "train model.py:M --data folder.csv --save a.npz"),
        ("C133", "train model.py:L --data empty.npz --save a.npz"), ("L148", "train model.py:M --data i.npz --save a.npz"),
        ("L130", "train model.py:M --data wave.csv --save folder.npz --resume"),
    ],
)  # fmt: skip
def test_refusals(code: str, line: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = {"V": np.zeros((3, 6)), **ag.nn.init.params(load_graph("model.py:y").outputs[0], seed=0)}
    learn.save("y.npz", params=params)
    learn.save("z.npz", params=params | {"V": np.zeros((3, 7))})
    learn.save("f.npz", params=ag.nn.init.params(load_graph("model.py:forecast").outputs[0], seed=0))
    np.savez("none.npz", c=1.0)
    np.savez("empty.npz", x=np.zeros((4, 0), int), l=np.zeros((4, 0), int))
    np.savez("i.npz", z=np.ones(4), d=np.full((4, 2), 1j), c=0.0)
    Path("folder.csv").mkdir()
    Path("folder.npz").mkdir()
    status, _, err = run(capsys, line)
    assert status == 2 and f"[{code}]" in err, err
    assert not Path("a.npz").exists()
