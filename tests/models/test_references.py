"""The plain loops of the zoo are judged by PyTorch and SciPy, where they are installed: gradients, and their own functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from night import late
from zoo import MODELS
from zoo.judge import DEEP, alike, case, near, unrolled
from zoo.plain import Fed, Functions


@pytest.mark.parametrize("name", [late(n, unless=n not in DEEP) for n in MODELS])
def test_gradients_are_those_of_pytorch(name: str):
    torch = pytest.importorskip("torch")
    of = case(name, None)
    feeds = {k: torch.tensor(v, requires_grad=True) if v.dtype.kind == "f" else v for k, v in of.feeds.items()}
    loss = of.plain(feeds, f=Functions(torch))
    grads = torch.autograd.grad(loss, [feeds[x.name] for x in of.wrt], allow_unused=True)
    want = [g.numpy() if g is not None else np.zeros(of.feeds[x.name].shape) for x, g in zip(of.wrt, grads, strict=True)]
    alike(of, unrolled(name, None), [loss.detach().numpy(), *want], 1e-9, "PyTorch")


def fed(name: str) -> Fed:
    return Fed(case(name, None).feeds)


def value(name: str) -> Any:
    return unrolled(name, None)[0]


def test_filters_are_those_of_scipy():
    signal = pytest.importorskip("scipy.signal")
    p = fed("biquad")
    y = [signal.lfilter([p.b0[k], p.b1[k], p.b2[k]], [1, p.a1[k], p.a2[k]], p.x[:, k]) for k in range(p.x.shape[1])]
    near(value("biquad"), np.sum((np.stack(y, 1) - p.goal) ** 2), 1e-12, "biquad")
    p = fed("filter_cascade")
    y = p.x
    for k in (1, 2):
        y = signal.lfilter([p[f"b{k}"], p[f"c{k}"], 1.0], [1, p[f"a{k}"], 0.3], y)
    near(value("filter_cascade"), np.sum((y - p.goal) ** 2), 1e-12, "cascade")


def test_a_kalman_filter_says_the_density_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    p = fed("kalman")
    cov, A = np.eye(2), p.A
    n, covs = len(p.y), []
    for _ in range(n):
        cov = A @ cov @ A.T + p.G @ p.G.T
        covs.append(cov)
    S = np.array([[p.c @ np.linalg.matrix_power(A, abs(i - j)) @ covs[min(i, j)] @ p.c for j in range(n)] for i in range(n)])
    S = (S + S.T) / 2 + np.log1p(np.exp(p.r)) * np.eye(n)
    near(value("kalman"), -stats.multivariate_normal(np.zeros(n), S).logpdf(p.y), 1e-12, "kalman")


def test_paths_of_labels_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    p, h, said = fed("ctc"), 0.0, []
    for x in p.x:
        h = np.tanh(p.U @ x + p.W @ (h + np.zeros(len(p.b))) + p.b)
        said.append(p.O @ h)
    logits = torch.log_softmax(torch.tensor(np.array(said))[:, None], -1)
    label = torch.tensor(p.l[1::2].astype(np.int64))[None]
    sizes = torch.tensor([len(p.x)]), torch.tensor([label.shape[1]])
    want = torch.nn.functional.ctc_loss(logits, label, *sizes, reduction="sum")
    near(value("ctc"), want.numpy(), 1e-12, "ctc")


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_stacks_are_those_of_pytorch(cell: str):
    torch = pytest.importorskip("torch")
    p, net = fed(f"{cell}_{cell}"), getattr(torch.nn, cell.upper())(2, 3, num_layers=2).double()
    for k in range(2):
        q = p.under(f"l{k}/")
        gates = "ifgo" if cell == "lstm" else "rzn"
        stacked = {"weight_ih": [q[f"U{g}"] for g in gates], "weight_hh": [q[f"W{g}"] for g in gates],
                   "bias_ih": [q[f"b{g}"] for g in gates],
                   "bias_hh": [q.get(f"c{g}", np.zeros(3)) for g in gates]}  # fmt: skip
        for name, parts in stacked.items():
            getattr(net, f"{name}_l{k}").data = torch.tensor(np.concatenate(parts))
    y = net(torch.tensor(p.x)[:, None])[0][:, 0].detach().numpy()
    near(value(f"{cell}_{cell}"), np.sum((y - p.goal) ** 2), 1e-12, cell)


def test_attention_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    p = fed("self_attention")
    q, k, v = (torch.tensor(p.x @ p[f"W{c}"].T) for c in "qkv")
    y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).numpy()
    near(value("self_attention"), np.sum((y - p.goal) ** 2), 1e-12, "self_attention")
    p, q = fed("multi_head_attention"), fed("multi_head_attention").under("self/")
    x = p.x @ p["in/W"].T + p["in/b"]
    net = torch.nn.MultiheadAttention(4, 2).double()
    net.in_proj_weight.data = torch.tensor(np.concatenate([q.Wq, q.Wk, q.Wv]))
    net.in_proj_bias.data = torch.tensor(np.concatenate([q.bq, q.bk, q.bv]))
    net.out_proj.weight.data, net.out_proj.bias.data = torch.tensor(q.Wo), torch.tensor(q.bo)
    y = net(*[torch.tensor(x)] * 3)[0].detach().numpy()
    near(value("multi_head_attention"), np.sum((y - p.goal) ** 2), 1e-12, "multi_head_attention")
