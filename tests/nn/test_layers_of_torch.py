"""Layers, attention, Transformers and the projected LSTM: values and all gradients beside PyTorch's own modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag
from autograd_seq import nn

torch: Any = pytest.importorskip("torch")
T, U, B, D, HEADS, INNER = 5, 4, 3, 8, 2, 6
t, u, b = ag.Axis("t"), ag.Axis("u"), ag.Axis("b")


def compare(y: ag.Node, feeds: dict[str, Any], theirs: Any, their_grads: dict[str, Any], weights: dict[str, Any]) -> None:
    """Compare y, and the gradients of Σ g y, with PyTorch's; ``their_grads`` by the name of ours."""
    g = np.random.default_rng(9).normal(size=theirs.shape)
    loss = ag.sum(ag.sum(y * ag.input("g", y.shape, over=y.axes)), over=y.axes)
    graph = ag.Graph(loss)
    wrt = [graph[name] for name in their_grads]
    got = ag.Graph(y, *ag.grad(loss, wrt)).evaluate(**feeds, **weights, g=g)
    (theirs * torch.tensor(g)).sum().backward()
    np.testing.assert_allclose(got[0], theirs.detach().numpy(), rtol=1e-11, atol=1e-12)
    assert set(graph.inputs) == {*feeds, *weights, "g"}
    for name, ours in zip(their_grads, got[1:], strict=True):
        want = their_grads[name]() if callable(their_grads[name]) else their_grads[name].grad
        np.testing.assert_allclose(ours, want.numpy(), rtol=1e-9, atol=1e-11, err_msg=name)


def randomise(net: Any) -> Any:
    """Other numbers than those that PyTorch starts with: norms are not 1 and 0, biases not 0."""
    for p in net.parameters():
        p.data = torch.tensor(np.random.default_rng(p.numel()).normal(0.1, 0.5, p.shape))
    return net


def pair(ours: str, theirs: Any) -> dict[str, Any]:
    return {f"{ours}/W": theirs.weight, f"{ours}/b": theirs.bias}


def norm(ours: str, theirs: Any) -> dict[str, Any]:
    return {f"{ours}/gain": theirs.weight, f"{ours}/bias": theirs.bias}


def heads(ours: str, theirs: Any) -> dict[str, Any]:
    """The parts of the stacked matrix, as (parameter, which part)."""
    cut = {f"{ours}/{m}{k}": (p, i) for m, p in (("W", theirs.in_proj_weight), ("b", theirs.in_proj_bias))
           for i, k in enumerate("qkv")}  # fmt: skip
    return cut | {f"{ours}/Wo": theirs.out_proj.weight, f"{ours}/bo": theirs.out_proj.bias}


def split(names: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return values and gradients by our names."""

    def part(of: Any, what: Any) -> Any:
        return what(of[0]).chunk(3)[of[1]] if isinstance(of, tuple) else what(of)

    values = {name: part(of, lambda p: p.detach()).numpy() for name, of in names.items()}
    return values, {name: (lambda of=of: part(of, lambda p: p.grad)) for name, of in names.items()}


def fed(*shape: int) -> tuple[np.ndarray, Any]:
    x = np.random.default_rng(len(shape)).normal(size=shape)
    return x, torch.tensor(x, requires_grad=True)


def test_multi_head_attention_to_itself_and_to_a_memory() -> None:
    x, x_ = fed(T, B, D)
    memory, memory_ = fed(U, B, D)
    net = randomise(torch.nn.MultiheadAttention(D, HEADS).double())
    values, grads = split(heads("a", net))
    mask = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
    ours = nn.multi_head_attention(ag.input("x", (D,), over=(t, b)), HEADS, over=t, causal=True, name="a")
    compare(ours, {"x": x}, net(x_, x_, x_, attn_mask=mask)[0], grads | {"x": x_}, values)
    net.zero_grad()
    x_.grad = None
    read = nn.multi_head_attention(
        ag.input("x", (D,), over=(t, b)), HEADS, over=t, memory=ag.input("m", (D,), over=(u, b)), memory_over=u, name="a"
    )
    compare(read, {"x": x, "m": memory}, net(x_, memory_, memory_)[0], grads | {"x": x_, "m": memory_}, values)


@pytest.mark.parametrize("place", ["after", "before"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_layer_of_an_encoder(place: str, activation: str) -> None:
    x, x_ = fed(T, B, D)
    net = randomise(torch.nn.TransformerEncoderLayer(
        D, HEADS, INNER, dropout=0.0, norm_first=place == "before", activation=activation).double())  # fmt: skip
    names = heads("l/self", net.self_attn) | pair("l/inner", net.linear1) | pair("l/outer", net.linear2)
    values, grads = split(names | norm("l/norm1", net.norm1) | norm("l/norm2", net.norm2))
    y = nn.transformer_layer(ag.input("x", (D,), over=(t, b)), HEADS, INNER, over=t, norm=place, name="l",
                             activation=getattr(ag, activation))  # fmt: skip
    compare(y, {"x": x}, net(x_), grads | {"x": x_}, values)


@pytest.mark.parametrize("place", ["after", "before"])
def test_a_layer_of_a_decoder(place: str) -> None:
    x, x_ = fed(T, B, D)
    memory, memory_ = fed(U, B, D)
    net = randomise(torch.nn.TransformerDecoderLayer(D, HEADS, INNER, dropout=0.0, norm_first=place == "before").double())
    names = heads("l/self", net.self_attn) | heads("l/cross", net.multihead_attn)
    names |= pair("l/inner", net.linear1) | pair("l/outer", net.linear2)
    for k in (1, 2, 3):
        names |= norm(f"l/norm{k}", getattr(net, f"norm{k}"))
    values, grads = split(names)
    mask = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
    y = nn.transformer_layer(
        ag.input("x", (D,), over=(t, b)), HEADS, INNER, over=t, norm=place, name="l", causal=True,
        memory=ag.input("m", (D,), over=(u, b)), memory_over=u,
    )  # fmt: skip
    compare(y, {"x": x, "m": memory}, net(x_, memory_, tgt_mask=mask), grads | {"x": x_, "m": memory_}, values)


def test_an_encoder_with_lengths_is_that_of_pytorch_with_a_padding_mask() -> None:
    x, x_ = fed(T, B, D)
    lengths = [5, 2, 3]
    one = torch.nn.TransformerEncoderLayer(D, HEADS, INNER, dropout=0.0, norm_first=True).double()
    net = randomise(torch.nn.TransformerEncoder(one, 2, torch.nn.LayerNorm(D).double(), enable_nested_tensor=False))
    names: dict[str, Any] = norm("encoder/norm", net.norm)
    for k, layer in enumerate(net.layers):
        at = f"encoder/{k}"
        names |= heads(f"{at}/self", layer.self_attn) | pair(f"{at}/inner", layer.linear1) | pair(f"{at}/outer", layer.linear2)
        names |= norm(f"{at}/norm1", layer.norm1) | norm(f"{at}/norm2", layer.norm2)
    values, _ = split(names)
    y = nn.transformer_encoder(ag.input("x", (D,), over=(t, b)), HEADS, INNER, 2, over=t, norm="before")
    padding = torch.tensor([[k >= n for k in range(T)] for n in lengths])
    want = net(x_, src_key_padding_mask=padding).detach().numpy()
    got = ag.compile(y, backend="numpy")(x=x, lengths={t: lengths}, **values)[0]
    for k, n in enumerate(lengths):
        np.testing.assert_allclose(got[:n, k], want[:n, k], rtol=1e-10)
        assert not got[n:, k].any()


def test_norms() -> None:
    x, x_ = fed(T, D)
    for ours, theirs in ((nn.layer_norm, torch.nn.LayerNorm(D, eps=1e-5)), (nn.rms_norm, torch.nn.RMSNorm(D, eps=1e-6))):
        net = randomise(theirs.double())
        names = {"n/gain": net.weight} | ({"n/bias": net.bias} if ours is nn.layer_norm else {})
        values, grads = split(names)
        x_.grad = None
        compare(ours(ag.input("x", (D,), over=t), name="n"), {"x": x}, net(x_), grads | {"x": x_}, values)


def test_the_projected_lstm() -> None:
    x, x_ = fed(T, B, D)
    net = randomise(torch.nn.LSTM(D, 6, proj_size=2).double())
    net.bias_hh_l0.data.zero_()
    parts = {"U": net.weight_ih_l0, "W": net.weight_hh_l0, "b": net.bias_ih_l0}
    values = {f"{m}{k}": p.detach().chunk(4)[i].numpy() for m, p in parts.items() for i, k in enumerate("ifgo")}
    grads: dict[str, Any] = {f"{m}{k}": (lambda p=p, i=i: p.grad.chunk(4)[i]) for m, p in parts.items()
                             for i, k in enumerate("ifgo")}  # fmt: skip
    h, _ = nn.projected_lstm(ag.input("x", (D,), over=(t, b)), 6, over=t, projection=2)
    values["P"], grads["P"], grads["x"] = net.weight_hr_l0.detach().numpy(), net.weight_hr_l0, x_
    compare(h, {"x": x}, net(x_)[0], grads, values)


def test_two_layers_of_each_cell_in_both_directions() -> None:
    x, x_ = fed(T, B, D)
    net = randomise(torch.nn.GRU(D, 3, 2, bidirectional=True).double())
    values = {}
    for k in range(2):
        for way, tail in (("forward", ""), ("backward", "_reverse")):
            for m, name in (("U", "weight_ih"), ("W", "weight_hh"), ("b", "bias_ih"), ("c", "bias_hh")):
                for gate, part in zip("rzn", getattr(net, f"{name}_l{k}{tail}").detach().chunk(3), strict=True):
                    values[f"layers/{k}/{way}/{m}{gate}"] = part.numpy()
    for name in list(values):  # PyTorch has two biases in each gate, of which but one counts
        head, _, last = name.rpartition("/")
        if last in ("cr", "cz"):
            values[f"{head}/b{last[1]}"] = values[f"{head}/b{last[1]}"] + values.pop(name)
    y = nn.stack(ag.input("x", (D,), over=(t, b)), 3, 2, over=t, cell=lambda *a, **k: nn.bidirectional(*a, cell=nn.gru, **k))
    got = ag.Graph(y).evaluate(x=x, **values)[0]
    np.testing.assert_allclose(got, net(x_)[0].detach().numpy(), rtol=1e-11, atol=1e-12)
