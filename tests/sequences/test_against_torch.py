"""Ragged batches beside PyTorch's packed sequences: outputs, last states and all gradients (where torch is installed)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_seq as ag

torch: Any = pytest.importorskip("torch")

T, B, D, H, K, LENGTHS = 9, 5, 4, 6, 3, [9, 2, 5, 1, 7]


def close(got: Any, want: Any, what: str) -> None:
    """Equal to 1e-5 of the largest entry, in float32."""
    want = want.detach().numpy()
    assert got.shape == want.shape and got.dtype == np.float32, what
    assert np.max(np.abs(got - want)) <= 1e-5 * max(1.0, float(np.max(np.abs(want)))), what


def direction(x: ag.Node, t: ag.Axis, b: ag.Axis, suffix: str, ahead: bool) -> tuple[ag.Node, ag.Node, list[ag.Node]]:
    """One direction of a layer, with PyTorch's names and order of gates (input, forget, cell, output)."""
    shapes = {"weight_ih": (4 * H, x.shape[0]), "weight_hh": (4 * H, H), "bias_ih": (4 * H,), "bias_hh": (4 * H,)}
    params = [ag.param(f"{name}_{suffix}", shape) for name, shape in shapes.items()]
    h, c = ag.state(f"h_{suffix}", (H,), over=(t, b)), ag.state(f"c_{suffix}", (H,), over=(t, b))
    before = t + 1 if ahead else t - 1
    gates = params[0] @ x[t] + params[2] + (params[1] @ h[before] + params[3])
    i, f, g, o = (gates[k * H : (k + 1) * H] for k in range(4))
    c[t] = ag.sigmoid(f) * c[before] + ag.sigmoid(i) * ag.tanh(g)
    h[t] = ag.sigmoid(o) * ag.tanh(c[t])
    return h, c, params


def test_two_layers_of_bidirectional_lstm():
    t, b = ag.Axis("t"), ag.Axis("b")
    x, label, V = ag.input("x", (D,), over=(t, b)), ag.input("l", over=(t, b), dtype=int), ag.param("V", (K, 2 * H))
    below, params, ends = x[t], [], []
    for layer in range(2):
        pair = [direction(below, t, b, f"l{layer}{'_reverse' * ahead}", ahead) for ahead in (False, True)]
        for (h, c, own), pick in zip(pair, (ag.last, ag.first), strict=True):
            params += own
            ends += [pick(h, over=t), pick(c, over=t)]
        below = ag.concat([pair[0][0][t], pair[1][0][t]])
    squares = ag.stack([ag.sum(ag.sum(e * e), over=b) for e in ends])
    loss = ag.sum(ag.cross_entropy(V @ below, label), over=(t, b)) + ag.sum(squares)
    wrt = [*params, V, x]
    program = ag.compile([loss, below, *ends, *ag.grad(loss, wrt)])

    torch.manual_seed(0)
    net, head = torch.nn.LSTM(D, H, num_layers=2, bidirectional=True), torch.nn.Linear(2 * H, K, bias=False)
    data, labels = torch.randn(T, B, D), torch.randint(0, K, (T, B))
    data.requires_grad_()
    packed = torch.nn.utils.rnn.pack_padded_sequence(data, torch.tensor(LENGTHS), enforce_sorted=False)
    out, (hn, cn) = net(packed)
    wanted, _ = torch.nn.utils.rnn.pad_packed_sequence(out)
    flat = torch.nn.utils.rnn.pack_padded_sequence(labels, torch.tensor(LENGTHS), enforce_sorted=False).data
    total = torch.nn.functional.cross_entropy(head(out.data), flat, reduction="sum") + (hn**2).sum() + (cn**2).sum()
    total.backward()

    feeds = {name: value.detach().numpy() for name, value in net.named_parameters()}
    feed, labelled = data.detach().numpy().copy(), labels.numpy().copy()
    for i, n in enumerate(LENGTHS):
        feed[n:, i], labelled[n:, i] = np.nan, -1
    got = program(x=feed, l=labelled, V=head.weight.detach().numpy(), lengths={t: LENGTHS}, **feeds)
    close(got[0], total, "loss")
    close(got[1], wanted, "outputs")
    for k in range(4):  # layer by layer, forward and backward
        close(got[2 + 2 * k], hn[k], f"last h {k}")
        close(got[3 + 2 * k], cn[k], f"last c {k}")
    for value, node in zip(got[10:-2], params, strict=True):
        close(value, dict(net.named_parameters())[node.name].grad, str(node.name))
    close(got[-2], head.weight.grad, "V")
    close(got[-1], data.grad, "x")


def test_an_encoder_decoder_with_attention():
    """Additive attention, both lengths ragged; in PyTorch a loop over sequences, each at its own lengths."""
    t, u, b, n = ag.Axis("t"), ag.Axis("u"), ag.Axis("b"), H
    x, y = ag.input("x", (D,), over=(t, b)), ag.input("y", (K,), over=(u, b))
    shapes = {"U": (n, D), "R": (n, n), "W": (n, n), "C": (n, n), "Y": (n, K), "A": (n, n), "B": (n, n), "v": (n,), "V": (K, n)}
    p = {name: ag.param(name, shape) for name, shape in shapes.items()}
    h = ag.state("h", (n,), over=(t, b))
    h[t] = ag.tanh(p["U"] @ x[t] + p["R"] @ h[t - 1])
    s = ag.state("s", (n,), over=(u, b), init={u: ag.last(h, over=t)})
    score = p["v"] @ ag.tanh(p["A"] @ s[u - 1] + p["B"] @ h[t])
    context = ag.sum(ag.softmax(score, over=t) * h[t], over=t)
    s[u] = ag.tanh(p["W"] @ s[u - 1] + p["C"] @ context + p["Y"] @ y[u - 1])
    loss = ag.sum(ag.sum(ag.sum((p["V"] @ s[u] - y[u]) ** 2), over=u), over=b)
    program = ag.compile([loss, *ag.grad(loss, [*p.values(), x])])

    torch.manual_seed(1)
    w = {name: (torch.randn(shape) * 0.5).requires_grad_() for name, shape in shapes.items()}
    xs, ys = torch.randn(T, B, D, requires_grad=True), torch.randn(T, B, K)
    target, total = LENGTHS[::-1], torch.zeros(())
    for i, (length, steps) in enumerate(zip(LENGTHS, target, strict=True)):
        state, states = torch.zeros(n), []
        for k in range(length):
            state = torch.tanh(w["U"] @ xs[k, i] + w["R"] @ state)
            states.append(state)
        keys = torch.stack(states)
        for k in range(steps):
            weights = torch.softmax(torch.tanh(w["A"] @ state + keys @ w["B"].T) @ w["v"], 0)
            said = ys[k - 1, i] if k else torch.zeros(K)
            state = torch.tanh(w["W"] @ state + w["C"] @ (weights @ keys) + w["Y"] @ said)
            total = total + ((w["V"] @ state - ys[k, i]) ** 2).sum()
    total.backward()

    feed, aim = xs.detach().numpy().copy(), ys.numpy().copy()
    for i, (length, steps) in enumerate(zip(LENGTHS, target, strict=True)):
        feed[length:, i], aim[steps:, i] = np.nan, np.inf
    given = {name: value.detach().numpy() for name, value in w.items()}
    got = program(x=feed, y=aim, lengths={t: LENGTHS, u: target}, **given)
    close(got[0], total, "loss")
    for value, name in zip(got[1:-1], shapes, strict=True):
        close(value, w[name].grad, name)
    close(got[-1], xs.grad, "x")
