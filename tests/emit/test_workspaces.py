"""What programs keep for the next call, and what they refuse before they allocate it."""

from __future__ import annotations

import gc
import linecache
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq.emit.native import numba
from autograd_seq.graph import memory
from autograd_seq.run import workspaces
from autograd_seq.run.workspaces import Workspaces, count_held_bytes

t, b = ag.Axis("t"), ag.Axis("b")
BACKENDS = ["numpy", pytest.param("numba", marks=pytest.mark.skipif(not numba.is_available(), reason="numba is not installed"))]


def network() -> ag.Node:
    W, x, h = ag.param("W", (4, 4)), ag.input("x", (4,), over=(t, b)), ag.state("h", (4,), over=(t, b))
    h[t] = ag.tanh(W @ h[t - 1] + x[t])
    return ag.sum(ag.dot(h, h), over=(t, b))


# -- what is kept -----------------------------------------------------------------------------------------------------------


def test_workspaces_that_were_used_longest_ago_are_let_go(monkeypatch):
    monkeypatch.setattr(workspaces, "KEPT", 1000)
    made: list[Any] = []

    def make(workspace: int) -> Any:
        array = np.zeros(workspace // 8)
        made.append(workspace)
        return lambda: array.size

    kept = Workspaces(make)
    for size in (400, 408, 400, 480):
        kept(size, ())
    assert made == [400, 408, 480] and kept.bytes == 400 + 480, "408 was used longest ago"
    assert kept(408, ()) == 51 and made[3:] == [408] and kept.bytes == 480 + 408
    kept(8000, ())
    assert kept.bytes == 8000, "that of the last lengths is kept in any case"
    kept(80, ())
    assert kept.bytes == 80


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_program_holds_is_about_what_it_costs(backend: str):
    step = ag.value_and_grad(network(), backend=backend)
    step(x=np.zeros((50, 64, 4)), W=np.eye(4))
    (run,) = step.program.workspaces
    arrays = 50 * 64 * 4 * 8
    assert 2 * arrays < count_held_bytes(run) < 8 * arrays
    assert count_held_bytes(run) == step.program.workspaces.bytes
    assert count_held_bytes(run) == pytest.approx(step.cost(t=50, b=64).bytes, rel=0.1)


RESIDENT = """
import numpy as np, autograd_seq as ag
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
t, b = ag.Axis("t"), ag.Axis("b")
W, x, h = ag.param("W", (64, 64)), ag.input("x", (64,), over=(t, b)), ag.state("h", (64,), over=(t, b))
h[t] = ag.tanh(W @ h[t - 1] + x[t])
step = ag.value_and_grad(ag.sum(ag.dot(h, h), over=(t, b)), backend="numpy")
values, given = np.zeros((260, 48, 64)), {"W": np.zeros((64, 64))}
step(x=values[:200], **given)
one = step.program.workspaces.bytes
before = resident()
for n in range(201, 241):
    step(x=values[:n], **given)
print(one, resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_with_the_lengths_that_came():
    """Forty lengths, of some 16 MB each: kept for ever, they would be 640 MB."""
    done = subprocess.run([sys.executable, "-c", RESIDENT], capture_output=True, text=True, check=True)
    one, grown = map(int, done.stdout.split())
    assert one > 10e6 and grown < workspaces.KEPT + 2 * one, (one, grown)


def test_calls_from_several_threads_have_a_workspace_each_while_others_are_let_go(monkeypatch):
    monkeypatch.setattr(workspaces, "KEPT", 20_000)
    step, rng = ag.value_and_grad(network(), backend="numpy"), np.random.default_rng(0)
    feeds = [{"x": rng.normal(size=(n, 2, 4)), "W": rng.normal(size=(4, 4)) / 2} for n in (3, 9, 17, 30, 41)]
    want = [step(**fed)[1]["W"] for fed in feeds]
    order = rng.integers(0, len(feeds), size=300)
    with ThreadPoolExecutor(8) as pool:
        for i, (_, grads) in zip(order, pool.map(lambda i: step(**feeds[i]), order), strict=True):
            assert np.array_equal(grads["W"], want[i])


def test_what_is_known_of_feeds_does_not_grow_with_their_sorts():
    total = ag.compile(ag.sum(ag.input("x", over=t), over=t), backend="numpy")
    for n in range(1, 700):
        total(x=np.ones(n))
    assert len(total.feeding.known) <= 256 and len(total.feeding.fits) <= 256
    step = ag.stream(ag.shift(ag.input("x", over=(t, b)), t, 1))
    carries = []
    for n in range(1, 70):
        for carry in (None, "go on"):
            _, last = step(carry and carries[-1], x=np.ones(n))
            carries.append(last)
    assert len(step.stepped.spaces) <= 32
    (values,), _ = step(carries[1], x=np.ones(1))
    assert values.tolist() == [1.0], "a carry goes on though its space is forgotten"


def test_a_stream_keeps_few_frames_of_many_carries():
    s = ag.state("s", (5000,), over=t)
    s[t] = s[t - 1] + 1.0
    step = ag.stream(s)
    _, carry = step(None)
    _, carry = step(carry)
    many = [step(carry)[1] for _ in range(2000)]
    (pool,) = step.stepped.spaces.values()
    many.clear()
    gc.collect()
    assert sum(frame.bytes for frame in pool.idle) <= workspaces.KEPT


@pytest.mark.parametrize("backend", BACKENDS)
def test_lines_of_programs_go_with_them(backend: str):
    def lines() -> set[str]:
        gc.collect()
        return {name for name in linecache.cache if name.startswith("<autograd_seq") and " program " in name}

    before = lines()
    x = ag.input("x", over=t)
    one, two = (ag.compile(ag.sum(ag.sin(x) * 1.25, over=t), backend=backend) for _ in range(2))
    one(x=np.ones(3)), two(x=np.ones(3))
    (name,) = lines() - before
    assert "def program(" in "".join(linecache.getlines(name))
    del one
    assert name in lines(), "the other one has the same source"
    del two
    assert lines() == before


# -- what is refused ----------------------------------------------------------------------------------------------------------

LONG = 8 * 10**13
WAYS: dict[str, Any] = {
    "numpy": lambda loss, **fed: ag.compile(loss, backend="numpy")(**fed),
    "float32": lambda loss, **fed: ag.compile(loss, backend="numpy", dtype="float32")(**fed),
    "native": lambda loss, **fed: ag.compile(loss, backend="numba")(**fed),
    "carry": lambda loss, **fed: ag.compile(loss, backend="numpy", carry=t)(**fed),
    "lengths": lambda loss, **fed: ag.compile(loss, backend="numpy")(**fed, lengths={t: [5, 3]}),
    "gradients": lambda loss, **fed: ag.value_and_grad(loss, backend="numpy")(**fed),
    "evaluate": lambda loss, **fed: ag.Graph(loss).evaluate(**fed),
    "evaluate, carry": lambda loss, **fed: ag.Graph(loss).evaluate(carry=t, **fed),
    "unroll": lambda loss, **fed: ag.Graph(loss).unroll(t=LONG, b=2),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_does_not_fit_is_refused_before_anything_is_allocated(way: str, in_python):
    feed = np.broadcast_to(1.0, (LONG, 2, 4))
    with pytest.raises(ag.MemoryNeededError, match=r"M101.*needs [\d.]+ [PE]B for .*t=8e13") as caught:
        WAYS[way](network(), x=feed, W=np.eye(4))
    assert (
        isinstance(caught.value, MemoryError) and "b=2" in str(caught.value) and "all that the machine has" in str(caught.value)
    )


def test_copies_of_feeds_are_refused_too(in_python):
    total = ag.sum(ag.input("x", over=t), over=t)
    with pytest.raises(ag.MemoryNeededError, match="needs 640 TB for t=8e13"):
        ag.compile(total, backend="numba")(x=np.broadcast_to(1.0, LONG))
    for dtype, kind in ((None, np.int64), (np.float32, np.float64)):
        with pytest.raises(ag.MemoryNeededError, match=r"needs [36].*TB for t=8e13"):
            ag.compile(total, backend="numpy", dtype=dtype)(x=np.broadcast_to(kind(1), LONG))


def test_no_alarm_is_false(monkeypatch):
    """Of a machine with 2 GB what needs more is refused, and nothing else, though it may be near to that."""
    step = ag.compile(ag.sin(ag.input("x", over=t)) * 1.0, backend="numpy")
    monkeypatch.setattr(memory, "read_machine", lambda: (2 * 10**9, 0))
    checked: list[int] = []
    monkeypatch.setattr(step.workspaces, "make", lambda workspace: lambda x: checked.append(workspace[0]))
    fits = next(n for n in range(2 * 10**9 // 8, 0, -(10**6)) if step.cost(t=n).bytes <= 2 * 10**9)
    step(x=np.broadcast_to(1.0, fits))
    with pytest.raises(ag.MemoryNeededError):
        step(x=np.broadcast_to(1.0, fits + 2 * 10**6))
    assert checked == [fits]


def test_limits_of_the_process_and_of_its_control_group_count(monkeypatch, tmp_path):
    whole = memory.get_memory_limit()
    assert 2**28 < whole <= memory.ADDRESSES
    monkeypatch.setattr(memory, "read_machine", lambda: (10**12, 10**11))
    monkeypatch.setattr(memory, "read_groups", lambda swap: [5 * 10**9 + swap])
    assert memory.get_memory_limit() <= 5 * 10**9 + 10**11
    monkeypatch.setattr(memory, "read_groups", lambda swap: [])
    monkeypatch.setattr(memory, "read_machine", lambda: (0, 0))
    assert memory.get_memory_limit() <= memory.ADDRESSES
    resource = import_module("resource") if sys.platform != "win32" else pytest.skip("no limits")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (3 * 10**9, -1) if which == resource.RLIMIT_AS else (-1, -1))
    assert memory.get_memory_limit() == 3 * 10**9
    assert [memory.format_short(x) for x in (41.2e9, 6.4e14, 5e21)] == ["41.2 G", "640 T", "5e+03 E"]
