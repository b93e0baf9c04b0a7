"""Programs: calls, threads, files of their own, and where their time goes."""

from __future__ import annotations

import contextvars
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.bench.work import Workload, make, ours
from autograd_seq.run.compile import value_and_grad
from autograd_seq.run.profile import MARK, add_marks
from autograd_seq.run.program import Program

t, b = ag.Axis("t"), ag.Axis("b")

ALONE = """
import sys, pathlib
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("autograd_seq", "viz"):
            raise ImportError(name)
sys.meta_path.insert(0, Blocker())
try:
    import autograd_seq
except ImportError:
    pass
else:
    raise SystemExit("autograd_seq is there")
import importlib.util, numpy as np
spec = importlib.util.spec_from_file_location("alone", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
feeds = np.load(sys.argv[2])
sizes = [int(n) for n in sys.argv[4:]]
run = module.program(*sizes, real=np.dtype(sys.argv[3]).type)
run(*[feeds[k] for k in feeds])  # a second call must not change what the first returned
np.savez(sys.argv[2], *run(*[feeds[k] for k in feeds]))
"""


def alone(folder: Path, program: Program, feeds: dict[str, Any], sizes: list[int], real: str) -> list[np.ndarray]:
    """Run a saved program in an empty directory by an interpreter that cannot import this package.

    Without bytecode (``-B``): Python takes that of an earlier file of the same name, second and size for the new one's.
    """
    path = program.save_source(folder / "saved.py")
    np.savez(folder / "feeds.npz", **{f"a{i:03}": feeds[name] for i, name in enumerate(program.feeding.order)})
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    run = subprocess.run(
        [sys.executable, "-I", "-B", "-c", ALONE, str(path), str(folder / "feeds.npz"), real, *map(str, sizes)],
        cwd=empty, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    with np.load(folder / "feeds.npz") as outs:
        return [outs[f"arr_{i}"] for i in range(len(outs.files))]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_saved_program_runs_without_the_package(cell: str, tmp_path: Path) -> None:
    for batch in (1, 3):
        work = Workload(cell, "odd", 12, batch, 4, 5, 6)
        step, feeds = value_and_grad(*ours(work), dtype="float32"), make(work)
        program = step.program.single if batch == 1 else step.program
        sizes = [{"t": work.T, "b": work.B}[a.name] for a in program.graph.axes]
        for got, want in zip(alone(tmp_path, program, feeds, sizes, "float32"), step.program(**feeds), strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)


def test_constants_are_in_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table, mask = rng.normal(size=(20, 10)), rng.integers(-9, 9, size=(100,))
    table[0, :3] = np.inf, -np.inf, np.nan
    x = ag.input("x", (10,), over=t)
    out = [ag.tensor(table, name="table") * x[t], ag.sum(ag.tensor(mask)) + ag.size(t)]
    program = ag.compile(out)
    feeds = {"x": rng.normal(size=(4, 10))}
    for name in program.feeding.order:
        feeds.setdefault(name, np.asarray(table))
    want = program(x=feeds["x"])
    got = alone(tmp_path, program, feeds, [4], "float64")
    for a, w in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, w)


@pytest.mark.parametrize("real", ["float32", "float64"])
def test_the_file_draws_what_the_program_draws(real: str, tmp_path: Path) -> None:
    """Masks and noise of each scope, and of a piece that a carry starts, bit for bit; "hashlib" is a name like any other."""
    x, w, s = ag.input("hashlib", (3,), over=(t, b)), ag.param("w", (3,)), ag.state("s", (3,), over=(t, b))
    kept = ag.bernoulli("mask", 0.7, (3,), over=b) * s[t - 1]
    s[t] = ag.tanh(w * kept + x[t] + ag.normal("noise", (3,), over=(b, t), std=w))
    loss = ag.sum(s * ag.uniform("scale", over=()) + ag.bernoulli('some "of" them', 0.5, over=t), over=(t, b))
    outputs = [ag.sum(loss), ag.grad(ag.sum(loss), w), s]
    rng = np.random.default_rng(1)
    feeds = {"hashlib": rng.normal(size=(5, 2, 3)).astype(real), "w": np.array([0.5, -0.8, 0.9], real), "seed": np.array(11)}
    carried = ag.compile(outputs, carry=True)
    _, carry = carried(**feeds)
    later = carried.later
    for program, given in ((ag.compile(outputs), feeds), (later, carried.make_feeds(carry, feeds))):
        sizes = [{"t": 5, "b": 2}[a.name] for a in program.graph.axes]
        want = program(**given)
        for got, array in zip(alone(tmp_path, program, given, sizes, real), want, strict=True):
            assert got.dtype == array.dtype
            np.testing.assert_array_equal(got, array)
    assert not np.array_equal(want[2], ag.compile(outputs)(**feeds)[2]), "other steps draw other numbers"


def test_the_file_says_how_it_is_called(tmp_path: Path) -> None:
    x = ag.input("x", (3,), over=(b, t))
    program = ag.compile(ag.sum(x, over=t).named("total"), dtype="float32")
    path = program.save_source(str(tmp_path / "total.py"))
    text = path.read_text(encoding="utf-8")
    assert path == tmp_path / "total.py"
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    said = namespace["__doc__"]
    assert "run = program(B=…, T=…, real=np.float32)" in said
    assert "outputs = run(x)" in said
    assert "x: (B, T, 3) real" in said
    assert "total: (B, 3) real" in said
    assert program.source in text


def test_a_program_with_a_foreign_function_is_refused(tmp_path: Path) -> None:
    factor = 3.0
    triple = ag.defop("triple", shape=lambda x: x, forward=lambda x: x * factor, vjp=lambda g, y, x: (g * factor,))
    program = ag.compile(triple(ag.param("w")))
    with pytest.raises(ag.OperationError, match="triple") as caught:
        program.save_source(tmp_path / "a.py")
    assert caught.value.code == "O304"
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, path = ag.compile(ag.param("w") * 2), tmp_path / "a.py"
    path.write_text("before")
    path.chmod(0o640)

    def refuse(*_: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="full"):
            program.save_source(path)
    assert path.read_text() == "before"
    program.save_source(path)
    assert path.stat().st_mode & 0o777 == 0o640
    assert "def program" in path.read_text(encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["a.py"]
    with pytest.raises(FileNotFoundError):
        program.save_source(tmp_path / "nowhere" / "a.py")


# -- profile ----------------------------------------------------------------------------------------------------------


def test_a_profile_has_a_row_for_each_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograd_seq.run.profile.SECONDS", 0.05)
    work = Workload.of("rnn", "small")
    step, feeds = value_and_grad(*ours(work)), make(work)
    found = step.profile(**feeds)
    assert found.runs >= 3
    assert all(seconds >= 0 for seconds, _ in found.rows)
    assert found.seconds > 0
    equations = [e for _, e in found.rows]
    comments = [line[10:] for line in step.source.splitlines() if line.startswith("        # ")]
    assert "\n".join(equations).split("\n") == comments
    assert any(e.startswith("h[t, b] = tanh(") for e in equations)
    lines = str(found).splitlines()
    assert "equation" in lines[0] and f"median of {found.runs} runs" in lines[-1]
    assert len(lines) == 2 + len(comments)


def test_the_slow_block_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograd_seq.run.profile.SECONDS", 0.2)
    x = ag.input("x", over=t)
    A = ag.param("A", (300, 300))
    small, large = ag.sum(x[t], over=t).named("small"), ag.matmul(A, A).named("large")
    rows = ag.compile([small, large]).profile(x=np.ones(3), A=np.ones((300, 300))).rows
    assert max(rows)[1].startswith("large = ")


def test_profiling_changes_nothing_and_checks_its_feeds() -> None:
    x = ag.input("x", over=t)
    program = ag.compile(ag.sum(ag.tanh(x), over=t))
    source, want = program.source, program(x=np.ones(4))
    program.profile(x=np.ones(4))
    assert program.source == source
    np.testing.assert_array_equal(program(x=np.ones(4)), want)
    with pytest.raises(ag.FeedError):
        program.profile(y=1.0)


def test_marks_stand_between_the_statements_of_run() -> None:
    source = value_and_grad(*ours(Workload.of("gru", "tiny"))).source
    code, equations = add_marks(source)
    assert code.count(f"{MARK}()") == len(equations) + 1
    assert code.replace(f"        {MARK}()\n", "") == source
    assert MARK not in source


def test_eight_threads_share_one_program_without_a_wrong_result() -> None:
    """A workspace belongs to one call at a time: results are those of a call made alone, to the last bit."""
    t, b = ag.Axis("t"), ag.Axis("b")
    x = ag.input("x", (3,), over=(t, b))
    h = ag.nn.lstm(x, 4, over=t).h
    loss = ag.sum(ag.sum(h * h), over=(t, b))
    step = ag.value_and_grad(loss)
    weights = ag.nn.init.params(loss, seed=1)
    feeds = [np.random.default_rng(k).normal(size=(6 + k % 3, 2, 3)) for k in range(8)]
    alone = [step(x=f, **weights) for f in feeds]

    def call(k: int) -> list[bool]:
        out = []
        for _ in range(60):
            value, grads = step(x=feeds[k], **weights)
            out.append(value == alone[k][0] and all(np.array_equal(grads[n], g) for n, g in alone[k][1].items()))
        return out

    with ThreadPoolExecutor(8) as pool:
        assert all(all(right) for right in pool.map(call, range(8)))


@pytest.mark.parametrize(
    ("feeds", "code", "says"),
    [
        ({"x": np.ones((3, 2))}, "F103", "w is not fed"),
        ({"x": np.ones((3, 2)), "w": np.ones(2), "ww": 1.0}, "F102", 'no input or parameter is named "ww"'),
        ({"x": np.ones((3, 4)), "w": np.ones(2)}, "F105", "x is fed an array of shape (3, 4)"),
        ({"x": np.ones((3, 2)), "w": np.ones(2), "l": np.ones(3)}, "D301", "l takes int, but is fed float64"),
        ({"x": np.ones((3, 2)), "w": np.ones(2), "l": np.zeros(4, int)}, "F106", "x has 3 steps of t, and l has 4"),
        ({"x": np.ones((3, 2)), "w": np.ones(2), "l": np.full(3, 7)}, "F201", "out of range"),
    ],
)
def test_a_wrong_feed_is_refused_before_anything_runs(feeds: dict[str, Any], code: str, says: str) -> None:
    t = ag.Axis("t")
    x, w, l = ag.input("x", (2,), over=t), ag.param("w", (2,)), ag.input("l", over=t, dtype=int)
    program = ag.compile(ag.sum(ag.cross_entropy(w * x[t], l[t]), over=t))
    right = {"x": np.ones((3, 2)), "w": np.ones(2), "l": np.array([0, 1, 0])}
    before = program(**right)
    with pytest.raises(ag.AutogradSeqError) as caught:
        program(**({"l": right["l"], **feeds}))
    assert caught.value.code == code and says in str(caught.value)
    assert program(**right)[0] == before[0]


def test_results_do_not_alias_and_feeds_are_not_changed() -> None:
    t = ag.Axis("t")
    x, w, s = ag.input("x", over=t), ag.param("w"), ag.state("s", over=t)
    s[t] = ag.tanh(w * s[t - 1] + x[t])
    program = ag.compile([s, x, ag.grad(ag.sum(s, over=t), x)])
    fed = np.array([1.0, -2.0, 0.5])
    first = program(x=fed, w=0.7)
    kept = [np.array(a) for a in first]
    program(x=np.zeros(3), w=0.1)
    assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))
    first[1][:] = 9.0
    assert fed.tolist() == [1.0, -2.0, 0.5]


def test_a_feed_of_another_sort_is_converted_even_if_its_shape_is_known() -> None:
    """What a first call says of an array does not hold for a masked one, or one of another byte order."""
    program = ag.compile(ag.sum(ag.param("W", (2, 2))), backend="numpy")
    W = np.array([[1.0, 2.0], [3.0, 4.0]])
    for feed in (W, W.astype(">f8"), W.tolist(), W):
        (got,) = program(W=feed)
        assert type(got) is np.ndarray and got.dtype == W.dtype and got == 10
        with pytest.raises(ag.DTypeError, match="D105"):
            program(W=np.ma.masked_array(W, mask=W > 2))


def test_a_users_operation_runs_in_the_context_of_the_call_and_without_warnings() -> None:
    scale = contextvars.ContextVar("scale", default=1.0)
    over = ag.defop("over", shape=lambda x: x, forward=lambda x: np.divide(scale.get(), x), vjp=lambda g, y, x: (-g * y * y,))
    w = ag.param("w")
    program = ag.compile([over(w), ag.exp(w * 1e6)], backend="numpy")
    for value in (2.0, 5.0):
        scale.set(value)
        assert [float(v) for v in program(w=np.array(0.0))] == [np.inf, 1.0]
        assert [float(v) for v in program(w=np.array(1.0))] == [value, np.inf]


def test_a_program_leaves_the_warnings_of_numpy_as_they_were() -> None:
    program = ag.compile(ag.exp(ag.param("w")), backend="numpy")
    with np.errstate(all="raise"):
        assert float(program(w=np.array(1e4))[0]) == np.inf
        with pytest.raises(FloatingPointError):
            np.exp(np.array(1e4))


def test_a_call_that_tells_more_than_it_must_makes_no_later_one_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    t = ag.Axis("t")
    program, feeds = ag.compile(ag.sum(ag.input("x", over=t) * ag.param("w"), over=t)), {"x": np.ones(3), "w": np.array(2.0)}
    program(**feeds)
    assert program(**feeds, t=3)[0] == program(**feeds)[0] == 6.0
    monkeypatch.setattr(program.feeding, "check", lambda given: pytest.fail("what is known is checked again"))
    assert program(**feeds)[0] == 6.0
