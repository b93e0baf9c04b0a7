"""Names are data: whatever a name holds, nothing of it runs, and everything made of it says and computes the right thing."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_seq as ag
import viz
from autograd_seq.cli import main
from autograd_seq.core.errors import AutogradSeqError, CarryError, OperationError, did_you_mean
from autograd_seq.core.names import make_docstring, make_identifier, make_printable
from autograd_seq.ops.random import SEED

RUN = "__import__('builtins').__dict__.__setitem__('RAN', True)"
BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", '"', "'", '"""\n', "'''\n", "\\", "\\\n"]
HOSTILE = [
    *(f"z{brk}{' ' * indent}{RUN}{brk}{' ' * indent}#" for brk in BREAKS for indent in (0, 4, 8, 12)),
    f'"""\n    {RUN}\n    """', f"{{{RUN}}}", RUN, "\\N{DASH}", "\\x", "\\", "a\\", '"', '"""', "'", "{x}", "%s", "#", "\n",
    "\ndef program(T, real):", "\n    def run(x):", ", constants):\n", "\x00", "\x1b[31m", "\x1b]0;owned\x07", "\x7f", "\ud800",
    "\u202ereversed", "\ufeff", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;", "../../etc/passwd", "/",
    "σ²", "x₁", "h₀", "①", "𝐱", "ﬁ", "é", "你好", "∂L/∂W", "W_{hh}", r"\sigma", "self", "dtype", "lengths", "given", "graph",
    "op", "order", "backend", "passes", "seed", "class", "lambda", "None", "__debug__", "__class__", "print", "open", "np",
    "real", "program", "run", "constants", "native", "rows", "exp", "empty", "x" * 3000, "1", "s[t - 1]", "add_1", "_mark",
]  # fmt: skip
ROLES = ["t", "x", "W", "s", "start", "y", "scope", "table", "noise", "L"]
RNG = np.random.default_rng(5)
X, W, START, TABLE = RNG.normal(size=(4, 2)), RNG.normal(size=(2, 2)) / 2, RNG.normal(size=2), RNG.normal(size=(33, 2))


def model(**names: str) -> tuple[list[ag.Node], dict[str, Any]]:
    """Return a loss with gradients, everything in it named as told, and what it is fed."""
    called = {role: names.get(role, role) for role in ROLES}
    t = ag.Axis(called["t"])
    with ag.scope(called["scope"]):
        x, w, start = ag.input(called["x"], (2,), over=t), ag.param(called["W"], (2, 2)), ag.param(called["start"], (2,))
        s = ag.state(called["s"], (2,), over=t, init=start)
        s[t] = ag.tanh(w @ s[t - 1] + x[t] + 0.1 * ag.bernoulli(called["noise"], 0.5, (2,), over=t))
        y = (ag.tensor(TABLE, name=called["table"]) @ s[t]).named(called["y"])
        loss = ag.sum(ag.softplus(y), over=t).sum().named(called["L"])
    return [loss, s, *ag.grad(loss, [w, start])], {str(x.name): X, str(w.name): W, str(start.name): START}


@lru_cache
def want(scope: str = "scope", noise: str = "noise") -> tuple[np.ndarray, ...]:
    """Return what the model computes; draws depend on the name of their node."""
    outputs, feeds = model(scope=scope, noise=noise)
    return ag.Graph(*outputs).evaluate(**feeds)


def wanted(names: dict[str, str]) -> tuple[np.ndarray, ...]:
    return want(**{role: names[role] for role in ("scope", "noise") if role in names})


@pytest.fixture(autouse=True)
def nothing_runs() -> Any:
    yield
    assert not hasattr(builtins, "RAN"), "a name was run"


def every_role(i: int) -> dict[str, str]:
    """Return the hostile names from the i-th on, one for each role; no two nodes have one name."""
    return {role: HOSTILE[(i + 7 * k) % len(HOSTILE)] for k, role in enumerate(ROLES)}


CASES = [*({role: HOSTILE[2]} for role in ROLES), *map(every_role, range(0, len(HOSTILE), 7))]


def printable(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def close(found: Any, right: Any) -> None:
    for a, b in zip(found, right, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("names", CASES, ids=range(len(CASES)))
def test_every_runner_computes_the_same_whatever_the_names(names: dict[str, str], tmp_path: Path, in_python: None) -> None:
    outputs, feeds = model(**names)
    graph = ag.Graph(*outputs)
    close(graph.evaluate(**feeds), wanted(names))
    for backend in ("numpy", "numba"):
        program = ag.compile(outputs, backend=backend)
        close(program(**feeds), wanted(names))
        for text in (str(graph), repr(graph), program.source, str(program.schedule), repr(program)):
            assert printable(text), text
        path = program.save_source(tmp_path / "saved.py")
        namespace: dict[str, Any] = {}
        exec(path.read_text(encoding="utf-8"), namespace)
        run = namespace["program"](4, np.float64)
        arrays = {**feeds, "seed": np.array(0)}
        close(run(*(arrays[name] for name in program.feeding.order)), wanted(names))
    plain = ag.compile(outputs, backend="plain")
    close(plain(**feeds), wanted(names))
    assert printable(plain.source), plain.source
    rows = ag.compile(outputs, backend="numpy").profile(**feeds).rows
    assert rows and all(printable(equation) for _, equation in rows)


@pytest.mark.parametrize("names", CASES[1::6])
def test_pieces_and_streams_compute_the_same_whatever_the_names(names: dict[str, str]) -> None:
    outputs, feeds = model(**names)
    program, step, carry, left = ag.compile(outputs[1], carry=True), ag.stream(outputs[1]), None, None
    x, found = next(iter(feeds)), []
    for k in range(4):
        (piece,), carry = program(carry=carry, **{**feeds, x: X[k : k + 1]})
        (value,), left = step(left, **{**feeds, x: X[k]})
        np.testing.assert_allclose(piece[0], value, rtol=1e-12)
        found.append(np.array(value))
        assert printable(repr(carry))
    close([np.array(found)], wanted(names)[1:2])


@pytest.mark.parametrize("names", CASES[::5])
def test_pictures_show_names_and_nothing_else(names: dict[str, str]) -> None:
    graph = ag.Graph(model(**names)[0][0])
    plain = ag.Graph(model()[0][0])
    for draw in (viz.folded, lambda g: viz.folded(g, level="ops"), lambda g: viz.unfolded(g, t=2)):
        dot = draw(graph).dot
        assert len(dot.split("\n")) == len(draw(plain).dot.split("\n")) and printable(dot)
        assert "<script" not in dot and "<img" not in dot


def test_a_rendered_picture_holds_no_tag_of_a_name(tmp_path: Path) -> None:
    names = {"W": '"><img src=x onerror=alert(1)>', "y": "<script>alert(1)</script>", "t": "\x1b]0;owned\x07", "s": "σ²\n"}
    picture = viz.folded(ag.Graph(model(**names)[0][0])).save(tmp_path / "hostile.svg").read_text(encoding="utf-8")
    assert "<script" not in picture and "<img" not in picture and "\x1b" not in picture


@pytest.mark.parametrize("name", ["self", "dtype", "lengths", "seed", "given", "graph", "sizes", "op", "t", "x₁"])
def test_what_is_declared_is_fed_by_its_name(name: str) -> None:
    t, w = ag.Axis("t"), ag.param(name)
    s = ag.state("s", over=t)
    s[t] = w * s[t - 1] + ag.input("x", over=t)[t]
    feeds = {"x": [1.0, 2.0, 4.0], name: 0.5}
    right, graph = [1.0, 2.5, 5.25], ag.Graph(s)
    assert graph.evaluate(**feeds)[0].tolist() == graph.unroll(t=3).evaluate(**feeds)[0].tolist() == right
    assert ag.compile(s)(**feeds)[0].tolist() == right
    assert ag.compile(s, carry=True)(**feeds)[0][0].tolist() == right
    assert graph.unroll(t=3).evaluate(**feeds, carry=None)[0][0].tolist() == right
    assert float(ag.stream(s).bind(**{name: 0.5})(x=1.0)[0][0]) == 1.0
    loss, grads = ag.value_and_grad(ag.sum(s, over=t), w)(**feeds)
    assert (float(loss), {k: float(v) for k, v in grads.items()}) == (8.75, {name: 4.0})
    assert ag.compile(s).profile(**feeds).runs


def test_an_axis_may_be_called_as_an_argument_is() -> None:
    t = ag.Axis("self")
    program = ag.compile(ag.sum(ag.input("x", over=t), over=t))
    assert program.cost(self=3).flops and program(x=[1.0, 2.0])[0] == 3.0
    assert ag.Graph(ag.index(t) * 1.0).unroll(self=2).evaluate()[0].tolist() == [0.0, 1.0]


def test_a_carried_program_has_no_input_called_carry() -> None:
    t = ag.Axis("t")
    s = ag.state("s", over=t)
    s[t] = s[t - 1] + ag.input("carry", over=t)[t]
    assert ag.compile(s)(carry=[1.0, 2.0])[0].tolist() == [1.0, 3.0]
    with pytest.raises(CarryError, match='an input is named "carry"'):
        ag.compile(s, carry=True)


def test_the_seed_of_draws_is_no_input() -> None:
    t = ag.Axis("t")
    noise = ag.uniform("u", over=t)
    with pytest.raises(AutogradSeqError, match='two nodes are named "seed"'):
        ag.Graph(noise * ag.input("seed", over=t)[t])
    assert "seed" in ag.Graph(noise).inputs and ag.Graph(noise).inputs["seed"] is SEED


@pytest.mark.parametrize("make", [lambda n: ag.tensor(1.0).named(n), lambda n: ag.scope(n).__enter__(), ag.param])
@pytest.mark.parametrize("name", ["", 3, None, b"s"])
def test_a_name_is_a_text(make: Callable[[Any], Any], name: Any) -> None:
    with pytest.raises(OperationError, match="a node cannot be named"):
        make(name)


# -- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [HOSTILE[0], "\x1b[31m", "\u202e", "a\rb"])
def test_messages_are_printable_and_keep_their_lines(name: str) -> None:
    t = ag.Axis(name)
    s = ag.state(f"s{name}", over=t)
    s[t] = s[t] + 1
    w = ag.param(name)
    wrong: list[Callable[[], Any]] = [
        lambda: ag.Graph(s), lambda: ag.compile(w * 2)(), lambda: ag.compile(w * 2)(**{name: 1.0, name + "x": 2}),
        lambda: ag.compile(w * 2)(**{name: [1.0, 2.0]}), lambda: ag.compile(w * 2)(**{name: "text"}), lambda: w[t - 1],
        lambda: ag.param("V", (3,)).named(name), lambda: ag.Graph(w, ag.param(name)), lambda: float(w),
    ]  # fmt: skip
    for do in wrong:
        with pytest.raises(AutogradSeqError) as caught:
            do()
        message = str(caught.value)
        assert printable(message) and RUN not in [line.strip() for line in message.split("\n")]
    with pytest.raises(AutogradSeqError) as caught:
        ag.Graph(s)
    assert caught.value.node == s.name  # what a program reads is the name itself
    assert make_printable(did_you_mean("z", [name]) or "") in str(AutogradSeqError("X1", "x", fix=did_you_mean("z", [name])))


# -- the one place ----------------------------------------------------------------------------------------------------


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_identifiers_literals_and_comments_hold_any_text(text: str) -> None:
    name = make_identifier(text)
    assert name.isidentifier() and name.isascii() and not hasattr(builtins, name) and len(name) < 400
    source = f"{make_docstring(text)}\n# {make_printable(text)}\n{name} = {text!r}\n"
    namespace: dict[str, Any] = {}
    exec(compile(source, "names", "exec"), namespace)
    assert namespace[name] == text and make_printable(text).isprintable()
    assert namespace["__doc__"] == "\n".join(map(make_printable, text.split("\n")))


def test_identifiers_can_be_read() -> None:
    readable = {
        "σ": "sigma", "Σ": "Sigma", "σ²": "sigma2", "x₁": "x1", "h₀": "h0", "①": "_1", "ς": "sigma", "ϵ": "epsilon", "é": "e",
        "ø": "o", "ß": "s", "Ж": "Zhe", "ﬁ": "fi", "𝐱": "x", "∂L": "dL", "∇": "nabla", "W_{hh}": "W_hh", r"\hat{y}": "hat_y",
        "encoder/h": "encoder_h", "s[t - 1]": "s_t_1", "lambda": "lambda_", "print": "print_", "你": "value", "2x": "_2x",
        "__debug__": "debug", "": "value",
    }  # fmt: skip
    assert {name: make_identifier(name) for name in readable} == readable


# -- functions of the user's that programs copy -------------------------------------------------------------------------


def _scale(x: Any) -> Any:
    """Twice,

    def program(T, real):
    def run(x):
        # "no equation"
    """
    return x * 2.0


def shadowed(x: Any) -> Any:
    scale = 0.5
    shadowed2 = np.tanh(x)
    return _scale(shadowed2) * scale


def test_what_a_function_calls_is_not_what_it_calls_its_variables(tmp_path: Path) -> None:
    for name in ("shadowed2", "shadowed", "scale"):
        op = ag.defop(name, shape=ag.same_shape, forward=shadowed, vjp=lambda g, y, x: (g * (1 - y * y),))
        program = ag.compile(op(ag.input("x", (2,), over=ag.Axis("t"))), backend="numpy")
        close(program(x=X), [np.tanh(X)])
        namespace: dict[str, Any] = {}
        exec(program.save_source(tmp_path / "saved.py").read_text(encoding="utf-8"), namespace)
        close(namespace["program"](T=4, real=np.float64)(X), [np.tanh(X)])
        assert [equation for _, equation in program.profile(x=X).rows] == [f"{name}_1[t] = {name}(x)"]


def labelled(x: Any, *, note: str) -> Any:
    return x * len(note)


@pytest.mark.parametrize("note", HOSTILE[::9])
def test_texts_of_operations_are_literals(note: str, tmp_path: Path) -> None:
    op = ag.defop("labelled", shape=lambda x, *, note: x, forward=labelled, vjp=lambda g, y, x, *, note: (g * len(note),))
    y = op(ag.input("x", (2,), over=ag.Axis("t")), note=note)
    program = ag.compile(y, backend="numpy")
    close(program(x=X), [X * len(note)])
    namespace: dict[str, Any] = {}
    exec(program.save_source(tmp_path / "saved.py").read_text(encoding="utf-8"), namespace)
    close(namespace["program"](4, np.float64)(X), [X * len(note)])
    assert all(map(printable, (program.source, str(ag.Graph(y)), str(program.schedule))))


# -- terminals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [HOSTILE[2], "\x1b[31m", "\u202e"])
def test_commands_print_names_on_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "model.py"
    file.write_text(
        f"import autograd_seq as ag\nt = ag.Axis({name!r})\ns = ag.state({name + 's'!r}, over=t)\n"
        f"s[t] = ag.tanh(ag.param({name!r}) * s[t - 1] + ag.input('x', over=t)[t])\n"
        f"L = ag.sum(s, over=t).named({name + 'L'!r})\n",
        encoding="utf-8",
    )  # fmt: skip
    for command in (["check"], ["explain"], ["draw", "-o", str(tmp_path / "a.dot")]):
        assert main([command[0], f"{file}:L", *command[1:]]) == 0
        said = capsys.readouterr()
        assert printable(said.out) and printable(said.err), said
        assert RUN not in map(str.strip, said.out.split("\n"))
