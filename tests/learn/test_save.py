"""Saved files: what comes back, what is refused, and that no end of a process loses the last good one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from night import NIGHT

import autograd_seq as ag
from autograd_seq import learn

SUFFIXES = [".safetensors", ".npz"]
T, B = ag.Axis("t"), ag.Axis("b")


def make_loss(hidden: int = 3) -> ag.Node:
    x, s = ag.input("x", (2,), over=(T, B)), ag.state("s", (hidden,), over=(T, B))
    s[T] = ag.tanh(ag.param("U", (hidden, 2)) @ x[T] + ag.param("W", (hidden, hidden)) @ s[T - 1])
    return ag.sum(ag.sum(ag.mean(s, over=B), over=T))


def assert_same(found: Any, given: Any) -> None:
    assert type(found) is type(given) or isinstance(given, np.generic)
    if isinstance(given, dict):
        assert [*found] == [*given]
        for key in given:
            assert_same(found[key], given[key])
    elif isinstance(given, (list, tuple)):
        assert len(found) == len(given)
        for a, b in zip(found, given, strict=True):
            assert_same(a, b)
    elif isinstance(given, (np.ndarray, np.generic)):
        assert found.dtype == given.dtype and found.shape == given.shape and found.tobytes() == given.tobytes()
        assert found.flags.writeable
    else:
        assert found == given


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_saved_comes_back_by_name(suffix: str, tmp_path: Path) -> None:
    things = {
        "params": {"W": np.arange(6.0).reshape(2, 3), "layer/b": np.zeros(3, np.float32), "of\n two lines": np.array(2.5)},
        "layer": {"b": np.array([True, False])}, "state": learn.adam().init({"W": np.ones(2, np.float32)}), "seed": 2**100,
        "best": float("inf"), "step": 3, "note": "ä \ud800", "nothing": None, "yes": True, "empty": np.zeros((0, 3), np.int8),
        "order": [1, (2, "x"), {}], "turned": np.arange(6, dtype=np.uint16).reshape(2, 3).T, "params/W": np.ones(1),
        "__metadata__": np.ones(1), "swapped": np.array([1.0, 2.0], ">f8").astype("<f8"), "number": np.float64(2.0),
    }  # fmt: skip
    path = tmp_path / f"run{suffix}"
    learn.save(path, **things)
    found = learn.load(path)
    assert_same(found, things)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_a_generator_goes_on_where_it_was(kind: str, tmp_path: Path) -> None:
    random = np.random.Generator(getattr(np.random, kind)(3))
    random.random(5)
    random.integers(3, size=3, dtype=np.int32)  # leaves half a number
    learn.save(tmp_path / "g.npz", random=random)
    found = learn.load(tmp_path / "g.npz")["random"]
    np.testing.assert_array_equal(found.integers(99, size=5, dtype=np.int32), random.integers(99, size=5, dtype=np.int32))
    np.testing.assert_array_equal(found.random(9), random.random(9))


def test_a_carry_goes_on_where_it_was(tmp_path: Path) -> None:
    program = ag.compile(make_loss(), carry=T)
    feeds = {"U": np.ones((3, 2)), "W": 0.5 * np.eye(3)}
    _, carry = program(x=np.ones((4, 2, 2)), **feeds)
    learn.save(tmp_path / "c.safetensors", carry=carry)
    again = ag.compile(make_loss(), carry=T)  # the same equations written anew, as in another process
    (found,), _ = again(x=np.ones((2, 2, 2)), carry=learn.load(tmp_path / "c.safetensors")["carry"], **feeds)
    (wanted,), _ = program(x=np.ones((2, 2, 2)), carry=carry, **feeds)
    assert found == wanted


def test_other_readers_and_writers_of_the_format_agree(tmp_path: Path) -> None:
    other = pytest.importorskip("safetensors.numpy")
    arrays = {"W": np.arange(6.0).reshape(2, 3), "b": np.ones(3, np.float16), "n": np.array(3, np.int64), "m": np.array([True])}
    learn.save(tmp_path / "a.safetensors", params=arrays, step=1)
    theirs = other.load_file(tmp_path / "a.safetensors")
    assert_same({k: theirs[f"params/{k}"] for k in arrays}, arrays)
    other.save_file(arrays, tmp_path / "b.safetensors", metadata={"by": "them"})
    assert_same(dict(sorted(learn.load(tmp_path / "b.safetensors").items())), dict(sorted(arrays.items())))


def test_files_of_other_programs_are_arrays_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", W=np.ones((2, 2)), b=np.arange(3))
    assert_same(learn.load(tmp_path / "a.npz"), {"W": np.ones((2, 2)), "b": np.arange(3)})
    half = np.array([1.5, -2.0], np.float32)
    write_raw(tmp_path / "h.safetensors", {"h": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}},
              (half.view(np.uint32) >> 16).astype(np.uint16).tobytes())  # fmt: skip
    assert_same(learn.load(tmp_path / "h.safetensors"), {"h": half})


def test_what_is_no_plain_data_is_refused_and_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    learn.save(path, step=1)
    for thing in (object(), np.array(["a"]), np.ones(2, complex), {1: 2}, np.longdouble(1), iter([])):
        with pytest.raises(ag.DTypeError, match="cannot be saved") as caught:
            learn.save(path, step=2, thing={"inner": thing})
        assert "thing/inner" in str(caught.value)
    with pytest.raises(ag.OperationError, match=r"\.safetensors or \.npz"):
        learn.save(tmp_path / "run.pickle", step=2)
    assert learn.load(path) == {"step": 1} and [*tmp_path.iterdir()] == [path]
    with pytest.raises(ag.OperationError, match="no folder"):
        learn.save(tmp_path / "no" / "run.npz", step=2)


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "run.npz").symlink_to(tmp_path / "real" / "run.npz")
    learn.save(tmp_path / "run.npz", step=1)
    assert (tmp_path / "run.npz").is_symlink() and learn.load(tmp_path / "real" / "run.npz") == {"step": 1}


# -- what it belongs to -----------------------------------------------------------------------------------------------


def test_a_file_of_other_equations_or_parameters_is_refused(tmp_path: Path) -> None:
    path, loss = tmp_path / "run.safetensors", make_loss()
    params = {"U": np.zeros((3, 2)), "W": np.zeros((3, 3))}
    learn.save(path, graph=loss, params=params)
    learn.load(path, graph=make_loss())
    learn.load(path, fits=ag.sum(ag.sum(ag.param("W", (3, 3)))))
    for wanted, code, words in (
        (make_loss(4), "L138", r"shape \(4, 2\).*\(3, 2\)"), (2.0 * make_loss(), "L135", "other equations"),
        (make_loss() * ag.param("Z"), "L137", "no parameter Z"),
        (make_loss() * ag.param("a", over=ag.Axis("h", size=2)), "L137", "no parameter a"),
    ):  # fmt: skip
        with pytest.raises(ag.LoadError, match=rf"(?s){words}") as caught:
            learn.load(path, graph=wanted)
        assert caught.value.code == code
    learn.save(path, params={"U": np.zeros((3, 2), int), "W": params["W"]})
    with pytest.raises(ag.LoadError, match="int64"):
        learn.load(path, fits=loss)
    learn.save(path, step=3)
    with pytest.raises(ag.LoadError, match="no parameter U"):
        learn.load(path, graph=loss)


def test_a_newer_version_says_so(tmp_path: Path) -> None:
    text = json.dumps({"version": 2, "equations": None, "things": {}})
    write_raw(tmp_path / "a.safetensors", {"__metadata__": {"content": text}}, b"")
    with pytest.raises(ag.LoadError, match="version 2") as caught:
        learn.load(tmp_path / "a.safetensors")
    assert caught.value.code == "L136"


# -- hostile and cut files --------------------------------------------------------------------------------------------


def write_raw(path: Path, header: Any, data: bytes, length: int | None = None) -> None:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(raw) if length is None else length).to_bytes(8, "little") + raw + data)


def load_or_refuse(path: Path) -> None:
    """Load a file; the only error is LoadError."""
    try:
        learn.load(path)
    except ag.LoadError as error:
        assert len(str(error)) < 1500 and "\n" not in error.what


def f8(start: Any, end: Any, shape: Any = (1,), dtype: Any = "F64") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


HOSTILE = {
    "empty": b"", "seven bytes": b"1234567", "huge length": (2**64 - 1).to_bytes(8, "little") + b"{}",
    "long header": (10**9).to_bytes(8, "little") + b"{}", "not JSON": b"{", "a list": b"[]", "not UTF-8": b'{"\xff":1}',
    "NaN": b'{"a":{"dtype":"F64","shape":[NaN],"data_offsets":[0,8]}}', "Infinity": b"Infinity",
    "twice": b'{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}',
    "deep": b"[" * 100_000, "deep objects": b'{"a":' * 50_000, "long number": b"1" * 10_000,
    "overlap": {"a": f8(0, 8), "b": f8(0, 8)}, "gap": {"a": f8(0, 8), "b": f8(16, 24)}, "backwards": {"a": f8(8, 0)},
    "beyond": {"a": f8(0, 2**40, (2**37,))}, "negative": {"a": f8(0, 8, (-1,))}, "product": {"a": f8(0, 8, (2**40, 2**40))},
    "zero and huge": {"a": f8(0, 0, (0, 2**61, 2**61))}, "dimensions": {"a": f8(0, 8, (1,) * 5000)},
    "floats": {"a": f8(0.0, 8.0)},
    "truth": {"a": f8(False, 8)}, "unknown": {"a": f8(0, 8, dtype="F8_E4M3")}, "no dtype": {"a": f8(0, 8, dtype=["F64"])},
    "bad truth": {"a": f8(0, 8, (8,), "BOOL")}, "number": {"a": 3}, "more keys": {"a": {**f8(0, 8), "x": 1}},
    "metadata": {"__metadata__": {"content": 3}}, "metadata list": {"__metadata__": []}, "newline": {"a\n\x1b[31mb": f8(0, 1)},
    "content": {"__metadata__": {"content": "{"}}, "no version": {"__metadata__": {"content": "{}"}},
    "deep content": {"__metadata__": {"content": "[" * 100_000}}, "version": {"__metadata__": {"content": '{"version": true}'}},
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_refused_within_bounded_memory(name: str, tmp_path: Path) -> None:
    path, header = tmp_path / "a.safetensors", HOSTILE[name]
    if isinstance(header, bytes) and not header.startswith((b"{", b"[", b"I", b"1111")):
        path.write_bytes(header)
    else:
        bare = isinstance(header, dict) and set(header) == {"__metadata__"}  # without data its content is what is wrong
        write_raw(path, header, b"" if bare else b"\xff" * 8)
    tracemalloc.start()
    with pytest.raises(ag.LoadError) as caught:
        learn.load(path)
    assert tracemalloc.get_traced_memory()[1] < 60 * path.stat().st_size + 2**20
    tracemalloc.stop()
    assert "\x1b" not in str(caught.value)
    if name in ("deep", "deep objects", "deep content"):  # found before it is parsed, whatever the interpreter's limit
        assert "nested deeper than 64 levels" in str(caught.value)


@pytest.mark.parametrize(
    "things",
    [
        {"state": {"dict": {"step": 1, "slots": {"dict": {}}, "more": 1}}}, {"state": 3}, {"carry": {"dict": {"rows": 3}}},
        {"carry": {"dict": {"rows": {"dict": {}}, "steps": "x", "equations": None}}}, {"generator": {"dict": {}}},
        {"float": "x"}, {"generator": {"dict": {"bit_generator": "PCG64", "state": 3}}}, {"array": "missing"},
        {"list": {}}, {"what": 1}, [1], {},
        {"generator": {"dict": {"bit_generator": "Philox", "state": {"dict": {"counter": 1, "key": 2}}, "buffer_pos": -9}}},
        {"generator": {"dict": {"bit_generator": "MT19937", "state": {"dict": {"key": {"list": [1] * 624}, "pos": 10**6}}}}},
    ],
)  # fmt: skip
def test_contents_that_describe_nothing_are_refused(things: Any, tmp_path: Path) -> None:
    for held in ({"dict": {"a": things}}, things):
        text = json.dumps({"version": 1, "equations": None, "things": held})
        write_raw(tmp_path / "a.safetensors", {"__metadata__": {"content": text}}, b"")
        with pytest.raises(ag.LoadError, match="damaged"):
            learn.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_cut_at_any_byte_or_with_bytes_more_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"run{suffix}"
    learn.save(path, params={"w": np.ones(2)}, step=1)
    whole = path.read_bytes()
    for end in range(0, len(whole), 1 if NIGHT or suffix == ".safetensors" else 5):
        path.write_bytes(whole[:end])
        with pytest.raises(ag.LoadError):
            learn.load(path)
    if suffix == ".safetensors":
        path.write_bytes(whole + b" ")
        with pytest.raises(ag.LoadError):
            learn.load(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_flipped_bytes_raise_nothing_else(suffix: str, tmp_path: Path) -> None:
    path, random = tmp_path / f"run{suffix}", np.random.default_rng(0)
    learn.save(path, params={"w": np.ones(2)}, state=learn.adam().init({"w": np.ones(2)}), random=random)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(3000 if NIGHT else 150):
        broken = whole.copy()
        broken[random.integers(len(whole), size=random.integers(1, 4))] = random.integers(256)
        path.write_bytes(broken.tobytes())
        load_or_refuse(path)


@settings(max_examples=1000 if NIGHT else 60, deadline=None)
@given(start=st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", (8).to_bytes(8, "little"), (2).to_bytes(8, "little") + b"{}"]),
       rest=st.binary(max_size=300))  # fmt: skip
def test_random_bytes_raise_nothing_else(start: bytes, rest: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "random.safetensors"
    path.write_bytes(start + rest)
    load_or_refuse(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "dtype", "shape", "data_offsets",
    "__metadata__", "content", "things", "dict", "list", "state", "carry", "array", "float", "generator"]), inner, max_size=3),
)  # fmt: skip


@settings(max_examples=1000 if NIGHT else 25, deadline=None)
@given(header=st.dictionaries(st.text(max_size=3) | st.just("__metadata__"), JSON, max_size=3), content=JSON)
def test_random_headers_and_contents_raise_nothing_else(
    header: Any, content: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "header.safetensors"
    write_raw(path, header, b"12345678")
    load_or_refuse(path)
    text = json.dumps({"version": 1, "equations": None, "things": content})
    write_raw(path, {"__metadata__": {"content": text}, "a": f8(0, 8)}, b"12345678")
    load_or_refuse(path)


def test_hostile_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(10**6))
    with pytest.raises(ag.LoadError, match="compressed"):
        learn.load(path)
    np.savez(path, a=np.array([object()], dtype=object))  # a pickle
    with pytest.raises(ag.LoadError, match="object"):
        learn.load(path)
    np.savez(path, a=np.zeros(4))
    path.write_bytes(path.read_bytes().replace(b"(4,)", b"(9,)"))
    with pytest.raises(ag.LoadError):
        learn.load(path)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path / "pipe", "not a file"), (tmp_path, "not a file"), (tmp_path / "none", "no file"),
                        (Path("/dev/zero"), "not a file"), (Path("a\0b"), "null")):  # fmt: skip
        with pytest.raises(ag.LoadError, match=words):
            learn.load(path)


# -- whenever the writer is killed ------------------------------------------------------------------------------------

KILLS = """
import os, random, signal, sys, time
import numpy as np
from autograd_seq import learn

path, kills = sys.argv[1], int(sys.argv[2])
last = -1
for turn in range(kills):
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        for step in range(last + 1, last + 10**6):
            learn.save(path, params={"W": np.full(20_000, float(step))}, step=step)
            os.write(tell, b"%d\\n" % step)
    os.close(tell)
    with os.fdopen(told, "rb") as lines:
        done = last
        if turn == 0:
            done = int(lines.readline())  # before the first file is there is nothing to lose
        time.sleep(random.Random(turn).random() * 0.03)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        done = max([done, *(int(line) for line in lines.read().split(b"\\n")[:-1])])
    saved = learn.load(path)
    assert saved["step"] >= done, (saved["step"], done)
    assert (saved["params"]["W"] == saved["step"]).all()
    last = saved["step"]
learn.save(path, step=-1)
print(len(os.listdir(os.path.dirname(path))), last)
"""


def make_environment() -> dict[str, str]:
    """Return an environment in which another process finds the package."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(ag.__file__).parents[1]), *sys.path])}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_kill_at_any_moment_leaves_the_last_good_file(suffix: str, tmp_path: Path) -> None:
    kills = 500 if NIGHT else 20
    done = subprocess.run([sys.executable, "-c", KILLS, str(tmp_path / f"run{suffix}"), str(kills)], env=make_environment(),
                          capture_output=True, text=True, check=False, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    files, last = map(int, done.stdout.split())
    assert files == 1, "what killed writers left is removed"
    assert last > 0


RESUMES = """
import os, random, signal, sys, time
import numpy as np
import autograd_seq as ag
from autograd_seq import learn

path, kills, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
t, b = ag.Axis("t"), ag.Axis("b")
x, s = ag.input("x", (3,), over=(t, b)), ag.state("s", (4,), over=(t, b))
s[t] = ag.tanh(ag.nn.dropout("units", ag.param("U", (4, 3)) @ x[t], 0.3, over=(t, b)) + ag.param("V", (4, 4)) @ s[t - 1])
loss = ag.sum(ag.mean(s[t] ** 2), over=(t, b))
step = ag.value_and_grad(loss, carry=t)
batches = learn.batches({"x": np.random.default_rng(0).normal(size=(8, 6, 3))}, 2, seed=5)
pieces = lambda epoch: [piece for batch in batches(epoch) for piece in learn.segments(batch, 3)]
params = ag.nn.init.params(loss, seed=1)
run = lambda **k: learn.train(step, params, pieces, learn.adam(0.05), steps=steps, progress=False, **k)
whole, done = run(), []
for turn in range(kills):
    child = os.fork()
    if child == 0:
        run(save=path, save_every=1, resume=True)
        os._exit(0)
    time.sleep(random.Random(turn).random() * 0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    done.append(learn.load(path)["step"] if os.path.exists(path) else 0)
assert done == sorted(done), done
last = run(save=path, save_every=1, resume=True)
assert all((last.params[name] == p).all() for name, p in whole.params.items())
print(*done)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_training_that_is_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    kills, steps = (40, 400) if NIGHT else (6, 60)
    command = [sys.executable, "-c", RESUMES, str(tmp_path / "run.npz"), str(kills), str(steps)]
    done = subprocess.run(command, env=make_environment(), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 0
