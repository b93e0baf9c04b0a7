"""PyTorch: its own recurrent layers, and the loop written out, with its autograd; the loop compiled as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd_seq.bench.competitor import Competitor, Outcome, pack, unpack
from autograd_seq.bench.work import Arrays, Workload

ORDER = {"rnn": "", "lstm": "ifgo", "gru": "rzn"}
"""The order in which torch.nn stacks the gates."""

LONGEST = 100
"""Steps up to which the loop is compiled, for that takes minutes, and grows with their number."""


def make_layer(work: Workload, feeds: Arrays) -> Competitor:
    """Return ``torch.nn.RNN``, ``LSTM`` or ``GRU`` without biases, and a product with V.

    Args:
        work: the workload.
        feeds: x (T, B, D), l (T, B) and the parameters.
    """
    import torch

    x, l, V, weights = _tensors(work, feeds)
    layer = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[work.cell](work.D, work.H, bias=False)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(weights[0])
        layer.weight_hh_l0.copy_(weights[1])
    layer.to(x.dtype)
    return _competitor("torch.nn", work, lambda: layer(x)[0] @ V.T, l, [layer.weight_ih_l0, layer.weight_hh_l0, V])


def compile_loop(work: Workload, feeds: Arrays) -> Competitor | None:
    """Return the loop, compiled by ``torch.compile``; ``None`` for more steps than ``LONGEST``.

    The layers of torch.nn gain nothing by it: they are not taken apart.
    """
    return make_loop(work, feeds, compiles=True) if work.T <= LONGEST else None


def make_loop(work: Workload, feeds: Arrays, compiles: bool = False) -> Competitor:
    """Return the loop written out in torch's operations: inputs of all steps in one product, gates packed.

    Args:
        work: the workload.
        feeds: x (T, B, D), l (T, B) and the parameters.
        compiles: whether it is compiled.
    """
    import torch

    x, l, V, (U, W) = _tensors(work, feeds)
    start = torch.zeros(work.B, work.H, dtype=x.dtype)

    def rnn(a: Any) -> list[Any]:
        s, out = start, []
        for a_t in a.unbind():
            s = torch.tanh(a_t + s @ W.T)
            out.append(s)
        return out

    def lstm(a: Any) -> list[Any]:
        h, c, out = start, start, []
        for a_t in a.unbind():
            i, f, g, o = (a_t + h @ W.T).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            out.append(h)
        return out

    def gru(a: Any) -> list[Any]:
        h, out = start, []
        for a_t in a.unbind():
            a_r, a_z, a_n = a_t.chunk(3, 1)
            r, z, n = (h @ W.T).chunk(3, 1)
            r, z = torch.sigmoid(a_r + r), torch.sigmoid(a_z + z)
            n = torch.tanh(a_n + r * n)
            h = n + z * (h - n)
            out.append(h)
        return out

    states = {"rnn": rnn, "lstm": lstm, "gru": gru}[work.cell]

    def logits() -> Any:
        return torch.stack(states(x @ U.T)) @ V.T

    name = "torch.compile" if compiles else "torch loop"
    return _competitor(name, work, torch.compile(logits) if compiles else logits, l, [U, W, V])


def _tensors(work: Workload, feeds: Arrays) -> tuple[Any, Any, Any, tuple[Any, Any]]:
    """Return x, l, V, and U and W of all gates in torch's order."""
    import torch

    order = ORDER[work.cell]
    U, W = (torch.from_numpy(pack(work, feeds, letter, order)).requires_grad_() for letter in "UW")
    V = torch.from_numpy(feeds["V"].copy()).requires_grad_()
    return torch.from_numpy(feeds["x"]), torch.from_numpy(feeds["l"]), V, (U, W)


def _competitor(name: str, work: Workload, logits: Callable[[], Any], l: Any, params: list[Any]) -> Competitor:
    import torch

    labels, order = l.reshape(-1), ORDER[work.cell]

    def step() -> Any:
        for p in params:
            p.grad = None
        loss = torch.nn.functional.cross_entropy(logits().reshape(-1, work.K), labels, reduction="sum")
        loss.backward()
        return loss

    def convert(loss: Any) -> Outcome:
        dU, dW, dV = (p.grad.numpy().copy() for p in params)
        return loss.item(), unpack(work, dU, "U", order) | unpack(work, dW, "W", order) | {"V": dV}

    return Competitor(name, step, convert)


__all__ = ["compile_loop", "make_layer", "make_loop"]
