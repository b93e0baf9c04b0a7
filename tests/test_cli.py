"""The command line as a user meets it: what it prints, what it writes, and every error in words with exit code 2."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograd_seq.bench import measure
from autograd_seq.cli import load_graph, main

MODEL = """
import numpy as np
import autograd_seq as ag

t = ag.Axis("t")
x, l = ag.input("x", (3,), over=t), ag.input("l", over=t, dtype=int)
U, W, V = ag.param("U", (4, 3)), ag.param("W", (4, 4)), ag.param("V", (2, 4))
s = ag.state("s", (4,), over=t)
s[t] = ag.tanh(U @ x[t] + W @ s[t - 1])
y = (V @ s[t]).named("y")
L = ag.sum(ag.nll(ag.softmax(y), l[t]), over=t).named("L")
square = ag.sum(ag.dot(y, y), over=t).named("square")
g = ag.Graph(L)
both = [L, y]
rowless = ag.sum(ag.sum(ag.log(x[t])), over=t)
positive = rowless * ag.param("a")
hopeless = ag.sum(ag.sum(ag.take(ag.param("E", (0, 2)), l[t])), over=t)
never = ag.sum(ag.log(-1 - ag.param("a") ** 2))
noisy = ag.sum(x[t] @ ag.normal("noise", (3,), over=t), over=t) * ag.param("a")
number = 7
empty = []

u = ag.Axis("u")
tied = ag.sum(ag.tanh(s[t] @ s.along(t, u)), over=(t, u)).named("tied")

wrong = ag.defop("wrong", shape=ag.same_shape, forward=np.tanh, vjp=lambda g, y, x: (g * y,))
bad = ag.sum(wrong(W)).named("bad")
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "model.py"
    path.write_text(MODEL, encoding="utf-8")
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    code = main([str(a) for a in args])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return code, printed.out, printed.err


def is_png(path: Path) -> bool:
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 5000


# -- demo -------------------------------------------------------------------------------------------------------------


def test_the_demo_prints_the_graph_its_gradients_and_errors_and_draws_four_pictures(capsys, tmp_path):
    folder = tmp_path / "new" / "folder"
    code, out, err = run(capsys, "demo", "--out", folder, "--steps", 3)
    assert code == 0, err
    assert "graph over t:" in out and "return L" in out
    assert "broken by the delay: s → s[t - 1] →" in out
    assert re.search(r"Unrolled over 4 steps: \d+ nodes", out)
    adjoint, compiled, numeric = (
        float(re.search(rf"{words}: +(\S+) from reverse mode", out)[1])
        for words in ("adjoint folded graph, unrolled", "adjoint folded graph, compiled", "central differences")
    )
    assert max(adjoint, compiled) < 1e-12
    assert numeric < 1e-6
    assert re.search(r"RNN, 8 hidden units +\d+\.\d\n", out)
    assert re.search(r"persistence .* +638\.3\n", out)
    assert re.search(r"AR\(9\) with intercept, least squares +189\.2\n", out)
    assert "training by full BPTT" in err and "3/3" in err
    for name in ("folded", "unfolded", "fold_unfold", "forecast"):
        assert is_png(folder / f"{name}.png")
        assert str(folder / f"{name}.png") in out


def test_the_demo_as_it_is_run_forecasts_better_than_the_autoregression(capsys, tmp_path):
    code, out, _ = run(capsys, "demo", "--out", tmp_path)
    assert code == 0
    assert float(re.search(r"RNN, 8 hidden units +(\S+)", out)[1]) < 189.2


def test_ctrl_c_during_the_training_brings_no_forecast(capsys, tmp_path, monkeypatch):
    def stop(*_: object, **feeds: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("autograd_seq.demo.print_comparison", lambda *_: None)
    monkeypatch.setattr("autograd_seq.run.compile.ValueAndGrad.__call__", stop)
    code, out, err = run(capsys, "demo", "--out", tmp_path)
    assert code == 130 and err.endswith("interrupted\n")
    assert "Mean squared error" not in out and not (tmp_path / "forecast.png").exists()


def test_the_demo_writes_into_a_folder_of_its_own_that_git_ignores(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "demo", "--steps", 1)[0] == 0
    (folder,) = tmp_path.iterdir()
    assert {p.name for p in folder.iterdir()} == {"folded.png", "unfolded.png", "fold_unfold.png", "forecast.png"}
    ignored = Path(__file__).resolve().parent.parent / ".gitignore"
    assert f"/{folder.name}/" in ignored.read_text(encoding="utf-8").splitlines()


def test_a_directory_that_is_a_file_is_refused_before_anything_is_computed(capsys, tmp_path):
    (tmp_path / "taken").write_text("")
    code, out, err = run(capsys, "demo", "--out", tmp_path / "taken")
    assert (code, out) == (2, "")
    assert err == f"File exists: {tmp_path / 'taken'}\n"


# -- draw -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["g", "L", "both"])
def test_draw_takes_a_graph_a_node_or_a_list_of_nodes(capsys, tmp_path, model, name):
    code, out, err = run(capsys, "draw", f"{model}:{name}", "-o", tmp_path / "fig.png")
    assert (code, err) == (0, "")
    assert out == f"{tmp_path / 'fig.png'}\n"
    assert is_png(tmp_path / "fig.png")


def test_draw_folded_and_unfolded_differ_as_asked(capsys, tmp_path, model):
    options = [
        [],
        ["--level", "ops"],
        ["--theme", "dark"],
        ["--unroll", "3"],
        ["--unroll", "4"],
        ["--unroll", "3", "--params", "bus"],
        ["--unroll", "3", "--params", "hide"],
        ["--unroll", "3", "--level", "ops"],
    ]
    drawn = set()
    for i, option in enumerate(options):
        path = tmp_path / f"{i}.dot"
        assert run(capsys, "draw", f"{model}:g", "-o", path, *option)[0] == 0
        drawn.add(path.read_text(encoding="utf-8"))
    # The bus is drawn of operations alone: asking for either is the same picture.
    assert len(drawn) == len(options) - 1


def test_draw_writes_a_page(capsys, tmp_path, model):
    code, out, _ = run(capsys, "draw", f"{model}:g", "--unroll", 3, "-o", tmp_path / "model.html")
    assert (code, out.strip()) == (0, str(tmp_path / "model.html"))
    text = (tmp_path / "model.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert "for t in range(T)" in text


def test_draw_refuses_what_it_cannot_draw(capsys, tmp_path, model):
    place = f"{model}:g"
    code, _, err = run(capsys, "draw", place, "-o", tmp_path / "fig.bmp")
    assert code == 2 and "'bmp'" in err and "png" in err
    code, _, err = run(capsys, "draw", place, "-o", tmp_path / "nowhere" / "fig.png")
    assert code == 2 and "there is no directory" in err
    code, _, err = run(capsys, "draw", place, "-o", tmp_path / "f.png", "--params", "bus")
    assert code == 2
    assert err == (
        "UsageError [C101]: --params bus has no effect without --unroll\n"
        "  got --params bus without --unroll\n  add --unroll 4\n"
    )
    code, _, err = run(capsys, "draw", place, "-o", tmp_path / "f.png", "--unroll", 3, "--level", "ops", "--params", "labels")
    assert code == 2 and "[P211]" in err
    (tmp_path / "taken.dot").mkdir()
    code, _, err = run(capsys, "draw", place, "-o", tmp_path / "taken.dot")
    assert code == 2 and err.startswith("Is a directory: ")


# -- check ------------------------------------------------------------------------------------------------------------


def test_check_prints_the_graph_its_cycle_and_the_error_of_every_parameter(capsys, model):
    code, out, err = run(capsys, "check", f"{model}:g")
    assert (code, err) == (0, "")
    assert "graph over t:" in out
    assert "cycle: s → s[t - 1] →" in out
    assert "1 cycle, each broken by a delay" in out
    assert "gradient of L over t=4, random feeds, 36 entries, against numerical derivatives:" in out
    errors = dict(re.findall(r"^  ([UVW]): (\S+) \(complex step\)$", out, re.MULTILINE))
    assert set(errors) == set("UVW")
    assert all(float(e) < 1e-10 for e in errors.values())


def test_check_finds_feeds_of_which_there_is_a_logarithm(capsys, model):
    code, out, _ = run(capsys, "check", f"{model}:positive")
    assert code == 0
    assert "no cycle" in out
    assert re.search(r"^  a: \S+ \(complex step\)$", out, re.MULTILINE)


def test_check_gives_axes_that_are_tied_one_length(capsys, model):
    code, out, _ = run(capsys, "check", f"{model}:tied")
    assert code == 0
    assert "gradient of tied over t=4, random feeds, 28 entries" in out


def test_check_of_several_outputs_checks_the_loss_among_them(capsys, model):
    code, out, _ = run(capsys, "check", f"{model}:both")
    assert code == 0
    assert out.count("gradient of") == 1 and "gradient of L" in out


def test_check_says_what_it_does_not_check(capsys, model):
    code, out, _ = run(capsys, "check", f"{model}:y")
    assert code == 0
    assert "gradient not checked: no output is a scalar float; sum it, over its axes as well: ag.sum(y, over=t)" in out
    code, out, _ = run(capsys, "check", f"{model}:rowless")
    assert code == 0
    assert "not checked: it reads no parameter" in out


def test_a_wrong_derivative_is_an_error(capsys, model):
    code, _, err = run(capsys, "check", f"{model}:bad")
    assert code == 2
    assert "GradientCheckError [E108]: the gradient with respect to W is wrong" in err


# -- explain ----------------------------------------------------------------------------------------------------------


def program_of(out: str) -> dict[str, Any]:
    """Run the program that was printed."""
    names: dict[str, Any] = {}
    exec(out.split("\nProgram:\n\n")[1], names)
    return names


@pytest.mark.parametrize(("name", "loss"), [("g", "L"), ("L", "L"), ("square", "square")])
def test_explain_prints_schedule_and_program_of_a_loss_and_its_gradients(capsys, model, name, loss):
    code, out, err = run(capsys, "explain", f"{model}:{name}")
    assert (code, err) == (0, "")
    head = re.match(r"Schedule of (\w+), and its gradients with respect to ([UVW, ]+); on the right, floating-point", out)
    assert head is not None and head[1] == loss
    assert sorted(head[2].split(", ")) == ["U", "V", "W"]
    assert "for t = 0 … T−1:\n" in out and "for t = T−1 … 0:\n" in out
    assert callable(program_of(out)["program"])


def test_the_program_that_explain_prints_computes_the_loss_and_the_gradients_in_the_order_told(capsys, model):
    _, out, _ = run(capsys, "explain", f"{model}:square")
    names = re.search("with respect to ([UVW, ]+);", out)[1].split(", ")
    random = np.random.default_rng(0)
    feeds = {k: random.normal(size=n) for k, n in {"x": (5, 3), "U": (4, 3), "W": (4, 4), "V": (2, 4)}.items()}
    loss, *grads = program_of(out)["program"](5, np.float64)(**feeds)
    graph = load_graph(f"{model}:square")
    expected = graph.unroll(t=5).grad(names, with_outputs=True).evaluate(**feeds)
    for found, value in zip([loss, *grads], expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-12)


@pytest.mark.parametrize(("name", "returned"), [("y", "y"), ("both", "L, y"), ("rowless", "sum_2")])
def test_explain_of_what_is_no_loss_is_the_program_of_the_outputs(capsys, model, name, returned):
    code, out, err = run(capsys, "explain", f"{model}:{name}")
    assert (code, err) == (0, "")
    assert out.startswith(f"Schedule of {returned}; on the right, ")
    assert "T−1 … 0" not in out
    assert callable(program_of(out)["program"])


def test_explain_plain_prints_the_program_by_hand(capsys, model):
    code, out, err = run(capsys, "explain", f"{model}:square", "--plain")
    assert (code, err) == (0, "") and out.startswith("import numpy as np\n")
    names: dict[str, object] = {}
    exec(out, names)
    assert callable(names["step"])


def test_explain_tells_errors_in_words(capsys, model):
    code, out, err = run(capsys, "explain", f"{model}:gg")
    assert (code, out) == (2, "") and "[C105]" in err


@pytest.mark.parametrize("command", ["explain", "check"])
def test_an_operation_of_ones_own_that_fails_is_told_with_its_line(capsys, tmp_path, command):
    path = tmp_path / "own.py"
    path.write_text(
        "import autograd_seq as ag\ndef vjp(g, y, x):\n    return 1 / 0\n"
        "own = ag.defop('own', shape=ag.same_shape, forward=abs, vjp=vjp)\nL = ag.sum(own(ag.param('W', (3,))))\n"
    )
    code, _, err = run(capsys, command, f"{path}:L")
    assert code == 2
    assert err.startswith(f"UsageError [C104]: {path} does not run: ZeroDivisionError: division by zero")
    assert err.endswith("(own.py:3)\n")


# -- bench ------------------------------------------------------------------------------------------------------------


def test_bench_prints_a_line_for_each_workload(capsys):
    code, out, err = run(capsys, "bench", "--cells", "rnn, gru", "--sizes", "tiny", "--peers", "", "--seconds", "0")
    assert code == 0, err
    assert out.startswith("ms for one training step; in brackets our time divided by theirs: below 1 ours is faster\n")
    line = r" tiny +\S+( +\S+ \(\d+\.\d+\)){2}\n"
    assert re.search(rf"^ +ours +by hand +floor\nrnn{line}gru{line}", out, re.MULTILINE)
    assert "2/2" in err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            ["--cells", "rnm"],
            "OperationError [B101]: no workload has the cell 'rnm'\n  expected rnn or lstm or gru, got 'rnm'\n",
        ),
        (["--sizes", "tiny,huge"], "expected tiny or small or medium or large or long, got 'huge'"),
        (["--sizes", "tiny,"], "got ''"),
        (["--peers", "by hnad"], "there is no competitor 'by hnad'"),
        (["--cells", ""], "UsageError [C108]: there is nothing to measure\n"),
    ],
)
def test_bench_refuses_what_it_does_not_know_before_it_measures(capsys, args, words):
    code, out, err = run(capsys, "bench", *args)
    assert (code, out) == (2, "")
    assert words in err and "measuring" not in err


def test_ctrl_c_ends_bench_with_what_is_measured(capsys, monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    make = measure.make
    monkeypatch.setattr(measure, "make", lambda work, seed: stop() if work.cell == "lstm" else make(work, seed))
    code, out, err = run(capsys, "bench", "--sizes", "tiny", "--peers", "", "--seconds", "0")
    assert code == 130 and err.endswith("interrupted\n")
    assert "rnn tiny" in out and "lstm" not in out


# -- what may be wrong with FILE.py:NAME ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["model.py", ":g", "model.py:", ""])
def test_an_incomplete_place_is_refused(capsys, place):
    assert run(capsys, "check", place) == (
        2,
        "",
        f"UsageError [C102]: {place!r} does not name a graph in a file\n  expected FILE.py:NAME, got {place!r}\n",
    )


def test_a_missing_file_is_named(capsys, tmp_path):
    file = str(tmp_path / "none.py")
    code, _, err = run(capsys, "check", f"{file}:g")
    assert code == 2
    assert err.startswith(f"UsageError [C103]: there is no file {file!r}\n")


def test_a_missing_name_brings_the_closest(capsys, model):
    code, _, err = run(capsys, "draw", f"{model}:bothh", "-o", "f.png")
    assert code == 2
    assert err == (
        f"UsageError [C105]: {model} has no 'bothh'\n"
        '  expected the name of a graph, a node or a list of nodes, got bothh\n  did you mean "both"?\n'
    )


@pytest.mark.parametrize(("name", "got"), [("number", "int: 7"), ("empty", "list: []")])
def test_a_name_that_is_no_graph_is_refused(capsys, model, name, got):
    code, _, err = run(capsys, "check", f"{model}:{name}")
    assert code == 2
    assert f"UsageError [C106]: {name!r} in {model} is not a graph\n" in err
    assert f"expected a Graph, a node or a list of nodes, got {got}\n" in err


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a = 1\nb = 1 / 0\n", "ZeroDivisionError: division by zero", 2),
        ("import no_such_module_anywhere\n", "ModuleNotFoundError: No module named 'no_such_module_anywhere'", 1),
        ("def f():\n    raise SystemExit(3)\n\nf()\n", "SystemExit: 3", 2),
        ("a = (\n", "SyntaxError: '(' was never closed", 1),
    ],
)
def test_a_file_that_raises_is_told_with_its_line(capsys, tmp_path, text, words, line):
    path = tmp_path / "broken.py"
    path.write_text(text)
    code, _, err = run(capsys, "check", f"{path}:g")
    assert code == 2
    assert err.startswith(f"UsageError [C104]: {path} does not run: {words}")
    assert err.endswith(f"(broken.py:{line})\n")


def test_a_file_of_null_bytes_is_refused(capsys, tmp_path):
    path = tmp_path / "binary.py"
    path.write_bytes(b"\0\1\2")
    code, _, err = run(capsys, "check", f"{path}:g")
    assert code == 2
    assert "[C104]" in err


def test_a_wrong_graph_is_told_in_the_engines_words_with_the_users_line(capsys, tmp_path):
    path = tmp_path / "model.py"
    path.write_text(
        "import autograd_seq as ag\n"
        "t = ag.Axis('t')\n"
        "s = ag.state('s', over=t)\n"
        "s[t] = ag.tanh(s[t] + 1)\n"
        "L = ag.sum(s, over=t)\n"
    )
    code, _, err = run(capsys, "check", f"{path}:L")
    assert code == 2
    assert err.startswith("CycleError [")
    assert "model.py:4" in err
    path.write_text("import autograd_seq as ag\nW = ag.param('W', (2, 3)) @ ag.param('x', (2,))\n")
    code, _, err = run(capsys, "draw", f"{path}:W", "-o", tmp_path / "f.png")
    assert code == 2
    assert err.startswith("ShapeError [")
    assert not (tmp_path / "f.png").exists()


def test_feeds_that_nothing_can_make_legal_are_an_error(capsys, model):
    code, _, err = run(capsys, "check", f"{model}:hopeless")
    assert code == 2
    assert err


def test_a_loss_that_is_never_finite_is_an_error(capsys, model):
    code, _, err = run(capsys, "check", f"{model}:never")
    assert code == 2
    assert err == (
        "UsageError [C107]: no random feeds were found at which the outputs are finite\n"
        "  expected numbers, got NaN or infinity\n"
        "  call ag.check_grad(loss, params, feeds) with feeds of your own\n"
    )


def test_check_of_a_graph_with_random_nodes(capsys, model):
    code, out, _ = run(capsys, "check", f"{model}:noisy")
    assert code == 0
    assert re.search(r"^  a: \S+ \(complex step\)$", out, re.MULTILINE)


def test_the_file_may_import_its_neighbours_and_is_not_run_as_main(capsys, tmp_path):
    (tmp_path / "neighbour_of_mine.py").write_text("WIDTH = 2\n")
    (tmp_path / "model.py").write_text(
        "import autograd_seq as ag\nfrom neighbour_of_mine import WIDTH\n"
        "w = ag.sum(ag.param('w', (WIDTH,)))\nif __name__ == '__main__':\n    raise SystemExit('not here')\n"
    )
    before = list(sys.path)
    assert run(capsys, "check", f"{tmp_path / 'model.py'}:w")[0] == 0
    assert sys.path == before


# -- the rest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["demo", "--steps", "0"], "'0' is not an integer ≥ 1"),
        (["demo", "--steps", "many"], "'many' is not an integer ≥ 1"),
        (["demo", "--seed", "-1"], "not an integer ≥ 0"),
        (["draw", "m.py:g"], "the following arguments are required: -o/--out"),
        (["draw", "m.py:g", "-o", "f.png", "--unroll", "2.5"], "'2.5' is not an integer ≥ 0"),
        (["draw", "m.py:g", "-o", "f.png", "--theme", "pink"], "invalid choice: 'pink'"),
        (["check"], "the following arguments are required: FILE.py:NAME"),
        (["explain"], "the following arguments are required: FILE.py:NAME"),
        (["bench", "--seconds", "-1"], "'-1' is not a number ≥ 0"),
        (["bench", "--seconds", "nan"], "'nan' is not a number ≥ 0"),
        (["bench", "--seconds", "soon"], "'soon' is not a number ≥ 0"),
    ],
)
def test_bad_arguments(capsys, args, words):
    code, _, err = run(capsys, *args)
    assert code == 2
    assert "usage: autograd-seq" in err
    assert words in err


def test_help_is_no_error(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(command in out for command in ("demo", "draw", "check", "explain", "bench"))


def test_ctrl_c_is_told_in_a_word(capsys, monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("autograd_seq.cli.load_graph", stop)
    assert run(capsys, "check", "m.py:g") == (130, "", "interrupted\n")


def test_as_a_module_with_an_ascii_terminal_and_a_reader_that_leaves(model):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "autograd_seq", "check", f"{model}:g"]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"cycle: s ? s[t - 1] ?" in done.stdout
    read, write = os.pipe()
    os.close(read)
    gone = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(write)
    assert (gone.returncode, gone.stderr) == (0, b"")


def test_importing_the_package_draws_nothing_in(tmp_path):
    program = "import sys, autograd_seq; print({'viz', 'matplotlib', 'tqdm', 'networkx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
