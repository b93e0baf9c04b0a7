"""The cells against loops written out in NumPy, against numerical derivatives, and against torch.nn with the same weights."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import nn

T, B, D, H = 5, 3, 2, 4
Arrays = dict[str, np.ndarray]
CELLS: dict[str, Callable[..., Any]] = {"rnn": nn.rnn, "lstm": nn.lstm, "gru": nn.gru}
GATES = {"rnn": [""], "lstm": list("ifog"), "gru": list("rzn")}


def weights(cell: str, bias: bool = True, seed: int = 0) -> Arrays:
    """Random weights, all different, so that swapped gates and transposed matrices show."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {}
    for gate in GATES[cell]:
        shapes |= {f"U{gate}": (H, D), f"W{gate}": (H, H)} | ({f"b{gate}": (H,)} if bias else {})
    if cell == "gru" and bias:
        shapes["cn"] = (H,)
    return {name: rng.normal(0, 0.7, shape) for name, shape in shapes.items()}


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def by_hand(cell: str, x: np.ndarray, w: Arrays, h: Any = 0.0, c: Any = 0.0, reverse: bool = False) -> list[np.ndarray]:
    """Return the states of one sequence x (T, D), step by step; an lstm has two."""
    h, c = np.zeros(H) + h, np.zeros(H) + c
    zero = np.zeros(H)
    hs, cs = np.zeros((len(x), H)), np.zeros((len(x), H))

    def affine(gate: str, x_t: np.ndarray) -> Any:
        return w[f"U{gate}"] @ x_t + w[f"W{gate}"] @ h + w.get(f"b{gate}", zero)

    for step in reversed(range(len(x))) if reverse else range(len(x)):
        x_t = x[step]
        if cell == "rnn":
            h = np.tanh(affine("", x_t))
        elif cell == "lstm":
            i, f, o = (sigmoid(affine(k, x_t)) for k in "ifo")
            c = f * c + i * np.tanh(affine("g", x_t))
            h = o * np.tanh(c)
        else:
            r, z = sigmoid(affine("r", x_t)), sigmoid(affine("z", x_t))
            past = w["Wn"] @ h + w.get("cn", zero)
            n = np.tanh(w["Un"] @ x_t + w.get("bn", zero) + r * past)
            h = (1 - z) * n + z * h
        hs[step], cs[step] = h, c
    return [hs, cs] if cell == "lstm" else [hs]


def states(cell: str, over: Any, t: ag.Axis, **kw: Any) -> tuple[ag.Node, list[ag.Node]]:
    """Return the input and the states of a cell."""
    x = ag.input("x", (D,), over=over)
    out = CELLS[cell](x, H, over=t, **kw)
    return x, [*out] if cell == "lstm" else [out]


def read_out(hs: list[ag.Node]) -> ag.Node:
    """A number of each step's states in which every entry counts differently."""
    rng = np.random.default_rng(5)
    parts = [rng.normal(size=H) @ h + rng.normal(size=H) @ (h * h) for h in hs]
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


# -- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_values_are_those_of_the_loop(cell: str, bias: bool, reverse: bool) -> None:
    t, w, x = ag.Axis("t"), weights(cell, bias), np.random.default_rng(1).normal(size=(T, D))
    _, hs = states(cell, t, t, bias=bias, reverse=reverse)
    found = ag.Graph(*hs).evaluate(x=x, **w)
    for value, hand in zip(found, by_hand(cell, x, w, reverse=reverse), strict=True):
        np.testing.assert_allclose(value, hand, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_batch_axis_on_either_side_and_rows_of_its_own(cell: str, batch_first: bool, reverse: bool) -> None:
    """The state varies over all axes of x, laid out as x is, and may start from another row in every sequence."""
    t, b = ag.Axis("t"), ag.Axis("b")
    rng, w = np.random.default_rng(2), weights(cell)
    x, h0, c0 = rng.normal(size=(T, B, D)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    row, c_row = ag.input("h0", (H,), over=b), ag.input("c0", (H,), over=b)
    over = (b, t) if batch_first else (t, b)
    _, hs = states(cell, over, t, init=(row, c_row) if cell == "lstm" else row, reverse=reverse)
    assert all(h.axes == over for h in hs)
    rows = {"h0": h0} | ({"c0": c0} if cell == "lstm" else {})
    found = ag.Graph(*hs).evaluate(x=x.swapaxes(0, 1) if batch_first else x, **rows, **w)
    for k in range(B):
        for value, hand in zip(found, by_hand(cell, x[:, k], w, h0[k], c0[k], reverse), strict=True):
            np.testing.assert_allclose(value[k] if batch_first else value[:, k], hand, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_no_two_gates_can_be_swapped_unnoticed(cell: str) -> None:
    """The check on the checks above: their weights tell every gate from every other."""
    t, w, x = ag.Axis("t"), weights(cell), np.random.default_rng(1).normal(size=(T, D))
    graph = ag.Graph(states(cell, t, t)[1][0])
    right = by_hand(cell, x, w)[0]
    for a, b in itertools.combinations(GATES[cell], 2):
        swapped = w | {f"{k}{a}": w[f"{k}{b}"] for k in "UWb"} | {f"{k}{b}": w[f"{k}{a}"] for k in "UWb"}
        assert np.max(np.abs(graph.evaluate(x=x, **swapped)[0] - right)) > 0.01


def test_an_lstm_may_start_from_one_row_and_zeros() -> None:
    t, w, x = ag.Axis("t"), weights("lstm"), np.random.default_rng(1).normal(size=(T, D))
    _, hs = states("lstm", t, t, init=(None, np.ones(H)))
    np.testing.assert_allclose(ag.Graph(hs[0]).evaluate(x=x, **w)[0], by_hand("lstm", x, w, 0.0, 1.0)[0], rtol=1e-13)


@pytest.mark.parametrize("cell", CELLS)
def test_no_steps_are_no_states(cell: str) -> None:
    t = ag.Axis("t")
    _, hs = states(cell, t, t)
    assert ag.Graph(hs[0]).evaluate(x=np.zeros((0, D)), **weights(cell))[0].shape == (0, H)


def test_saturated_gates_do_what_they_are_for() -> None:
    """f = 1, i = 0 keeps the memory for ever; z = 1 keeps the state of a gru, z = 0 and r = 0 forgets it at once."""
    t, x = ag.Axis("t"), np.random.default_rng(1).normal(size=(T, D))
    w = weights("lstm") | {"bf": np.full(H, 1e3), "bi": np.full(H, -1e3)}
    start = np.array([0.3, -2.0, 5.0, 0.0])
    c = states("lstm", t, t, init=(None, start))[1][1]
    np.testing.assert_array_equal(ag.Graph(c).evaluate(x=x, **w)[0], np.tile(start, (T, 1)))
    h = states("gru", t, t, init=start)[1][0]
    kept = ag.Graph(h).evaluate(x=x, **(weights("gru") | {"bz": np.full(H, 1e3)}))[0]
    np.testing.assert_array_equal(kept, np.tile(start, (T, 1)))
    w = weights("gru") | {"bz": np.full(H, -1e3), "br": np.full(H, -1e3)}
    forgot = ag.Graph(h).evaluate(x=x, **w)[0]
    np.testing.assert_allclose(forgot, np.tanh(x @ w["Un"].T + w["bn"]), rtol=1e-13)


# -- gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_parameters_input_and_rows(cell: str, reverse: bool) -> None:
    t = ag.Axis("t")
    rng, w = np.random.default_rng(3), weights(cell)
    rows = [ag.param("h0", (H,)), ag.param("c0", (H,))][: 2 if cell == "lstm" else 1]
    x, hs = states(cell, t, t, init=tuple(rows) if cell == "lstm" else rows[0], reverse=reverse)
    loss = ag.sum(read_out(hs), over=t)
    params = [n for name, n in ag.Graph(loss).inputs.items() if name in w]
    assert {n.name for n in params} == set(w)
    feeds = w | {"x": rng.normal(size=(T, D))} | {str(r.name): rng.normal(size=H) for r in rows}
    report = ag.check_grad(loss, [*params, x, *rows], feeds, tol=1e-8)
    assert len(report.errors) == len(w) + 1 + len(rows)


# where torch puts the gates in its stacked matrices
STACKED = {"rnn": [""], "lstm": ["i", "f", "g", "o"], "gru": ["r", "z", "n"]}


@pytest.mark.parametrize("cell", CELLS)
def test_values_and_gradients_are_those_of_torch(cell: str) -> None:
    """One weight after the other, for torch stacks its gates in its own order: of the lstm i, f, g, o."""
    torch = pytest.importorskip("torch")
    rng, w, order = np.random.default_rng(4), weights(cell), STACKED[cell]
    x, g, start = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, H)), rng.normal(size=(2, B, H))
    theirs = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](D, H).double()
    b_hidden = [w["cn"] if cell == "gru" and k == "n" else np.zeros(H) for k in order]
    stacked = {
        "weight_ih_l0": [w[f"U{k}"] for k in order], "weight_hh_l0": [w[f"W{k}"] for k in order],
        "bias_ih_l0": [w[f"b{k}"] for k in order], "bias_hh_l0": b_hidden,
    }  # fmt: skip
    theirs.load_state_dict({name: torch.tensor(np.concatenate(parts)) for name, parts in stacked.items()})
    x_, h_, c_ = (torch.tensor(a, requires_grad=True) for a in (x, start[:1], start[1:]))
    y, _ = theirs(x_, (h_, c_) if cell == "lstm" else h_)
    (y * torch.tensor(g)).sum().backward()

    t, b = ag.Axis("t"), ag.Axis("b")
    rows = [ag.input(n, (H,), over=b) for n in ("h0", "c0")][: 2 if cell == "lstm" else 1]
    x_node, (h, *_) = states(cell, (t, b), t, init=tuple(rows) if cell == "lstm" else rows[0])
    loss = ag.sum(ag.sum(h * ag.input("g", (H,), over=(t, b))), over=(t, b))
    feeds = w | {"x": x, "g": g, "h0": start[0]} | ({"c0": start[1]} if cell == "lstm" else {})
    graph = ag.Graph(loss)
    params = [graph[name] for name in w]
    np.testing.assert_allclose(
        ag.Graph(h).evaluate(**{k: v for k, v in feeds.items() if k != "g"})[0], y.detach().numpy(), rtol=1e-12, atol=1e-13
    )
    grads = ag.Graph(*ag.grad(loss, [*params, x_node, *rows])).evaluate(**feeds)

    stacks = {name: np.split(p.grad.numpy(), len(order)) for name, p in theirs.named_parameters()}
    slices = {name: dict(zip(order, parts, strict=True)) for name, parts in stacks.items()}
    torch_name = {"U": "weight_ih_l0", "W": "weight_hh_l0", "b": "bias_ih_l0", "c": "bias_hh_l0"}
    expected = [slices[torch_name[name[0]]][name[1:]] for name in w] + [x_.grad.numpy(), h_.grad[0].numpy()]
    expected += [c_.grad[0].numpy()] if cell == "lstm" else []
    for name, ours, other in zip([*w, "x", "h0", "c0"], grads, expected, strict=False):
        np.testing.assert_allclose(ours, other, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("cell", CELLS)
def test_a_name_opens_a_scope_for_parameters_states_and_gates(cell: str) -> None:
    t = ag.Axis("t")
    _, hs = states(cell, t, t, name="encoder")
    graph = ag.Graph(*hs)
    assert set(graph.inputs) == {"x"} | {f"encoder/{name}" for name in weights(cell)}
    assert [h.name for h in hs] == ["encoder/h", "encoder/c"][: len(hs)]
    assert all(graph[f"encoder/{gate}"].shape == (H,) for gate in GATES[cell] if gate)
    assert ag.param("W").name == "W"  # the scope is closed again


@pytest.mark.parametrize("cell", CELLS)
def test_gates_take_no_names_from_the_model(cell: str) -> None:
    """Outside of all scopes only parameters and states are named; inside the user's own scope gates are, too."""
    t = ag.Axis("t")
    _, hs = states(cell, t, t)
    named = {n.name for n in ag.Graph(*hs).nodes if n.name}
    assert named == {"x", "h", *weights(cell)} | ({"c"} if cell == "lstm" else set())
    with ag.scope("mine"):
        _, hs = states(cell, t, t)
    assert {f"mine/{gate}" for gate in GATES[cell] if gate} <= {n.name for n in ag.Graph(*hs).nodes}


def test_cells_stack_and_run_both_ways() -> None:
    """What a cell returns is an input for the next; one cell for each direction makes a bidirectional network."""
    t = ag.Axis("t")
    x = ag.input("x", (D,), over=t)
    first = nn.gru(x, H, over=t, name="layer1")
    second = nn.rnn(ag.concat([first, x]), H, over=t, name="layer2", reverse=True)
    g, w = weights("gru"), weights("rnn", seed=1)
    w["U"] = np.random.default_rng(8).normal(size=(H, H + D))
    data = np.random.default_rng(9).normal(size=(T, D))
    feeds = {f"layer1/{k}": v for k, v in g.items()} | {f"layer2/{k}": v for k, v in w.items()}
    (h1,) = by_hand("gru", data, g)
    (h2,) = by_hand("rnn", np.concatenate([h1, data], axis=1), w, reverse=True)
    np.testing.assert_allclose(ag.Graph(second).evaluate(x=data, **feeds)[0], h2, rtol=1e-12)
    with pytest.raises(ag.NameClashError, match="two nodes are named"):  # without names
        ag.Graph(nn.rnn(nn.rnn(x, H, over=t), H, over=t))


@pytest.mark.parametrize("cell", CELLS)
def test_all_parameters_are_used_once_a_step(cell: str) -> None:
    """Each parameter is one node with one reader in the folded graph, and with T readers unrolled."""
    t = ag.Axis("t")
    dag = ag.Graph(*states(cell, t, t)[1]).unroll(t=T)
    for name in weights(cell):
        assert sum(x is dag[name] for n in dag.nodes for x in n.inputs) == T, name


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("code", "error", "shape", "kw"),
    [
        ("N101", ag.AxisError, (D,), {"over": "other"}),
        ("N101", ag.AxisError, (D,), {"over": None}),
        ("N102", ag.ShapeError, (), {}),
        ("N102", ag.ShapeError, (B, D), {}),
        ("N103", ag.ShapeError, (D,), {"hidden": 0}),
        ("N103", ag.ShapeError, (D,), {"hidden": 2.5}),
        ("N103", ag.ShapeError, (D,), {"hidden": True}),
        ("O103", ag.OperationError, (D,), {"name": ""}),
    ],
)
def test_refusals(cell: str, code: str, error: type[ag.AutogradSeqError], shape: tuple[int, ...], kw: dict[str, Any]) -> None:
    t = ag.Axis("t")
    x = ag.input("x", shape, over=t)
    over = {"other": ag.Axis("u"), None: None}[kw["over"]] if "over" in kw else t
    with pytest.raises(error) as caught:
        CELLS[cell](x, kw.get("hidden", H), over=over, name=kw.get("name"))
    assert caught.value.code == code
    if code[0] == "N":
        assert cell in str(caught.value) and "test_cells.py:" in str(caught.value.where)


def test_an_lstm_needs_a_pair_of_rows() -> None:
    t = ag.Axis("t")
    with pytest.raises(ag.OperationError, match=r"init=\(h, c\)") as caught:
        nn.lstm(ag.input("x", (D,), over=t), H, over=t, init=ag.param("h0", (H,)))
    assert caught.value.code == "N104"


def test_a_static_input_and_a_row_that_varies_over_time() -> None:
    t = ag.Axis("t")
    with pytest.raises(ag.AxisError, match=r'ag\.input\("x", \(2,\), over=t\)'):
        nn.rnn(ag.param("x", (D,)), H, over=t)
    with pytest.raises(ag.StateError, match="pick a step"):
        nn.rnn(ag.input("x", (D,), over=t), H, over=t, init=ag.input("rows", (H,), over=t))
