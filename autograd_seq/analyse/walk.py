"""Many sequences that a stream continues together, a symbol a step, and which symbols may be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import OperationError
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.run.carry import Carry
from autograd_seq.run.stream import Stream


class Walk:
    """A stream that is read (the log-probabilities of the next symbol), and then written to (what was chosen).

    Args:
        stream: of log-probabilities (K,) over ``batch`` and ``over``.
        symbol, start: the input that is the previous symbol, and what it is at first.
        weights, feeds: what is fed; a feed with a leading dimension more than declared has one value for each problem.
        prompt: (P,) symbols that are read first, or (N, P), those of each of N problems.

    Attributes:
        problems: N, or ``None`` where no feed and no prompt is one of several.
        owners: the problem of each sequence that is continued.
    """

    def __init__(
        self, stream: Stream, batch: Axis, over: Axis, symbol: str, start: int, weights: Mapping[str, Any],
        feeds: Mapping[str, Any], prompt: Any, count: int,
    ) -> None:  # fmt: skip
        self.symbol, self.batch, self.step = symbol, batch, 0
        self.carry: Carry | None = None
        inputs = stream.program.graph.inputs
        _check_names(feeds, inputs, symbol)
        fixed: dict[str, np.ndarray] = {}
        self.varying: dict[str, tuple[np.ndarray, bool]] = {}  # with a leading dimension for problems; whether over the steps
        prompt = np.asarray(prompt)
        sizes = {"prompt": len(prompt)} if prompt.ndim == 2 else {}
        for name in [n for n in inputs if n != symbol and (n in feeds or n in weights)]:
            value, node = np.asarray(feeds[name] if name in feeds else weights[name]), inputs[name]
            if batch not in node.axes:
                fixed[name] = value
                continue
            _check_shape(name, value, node, batch)
            if value.ndim == len(node.axes) + len(node.shape):
                sizes[name] = len(value)
            else:
                value = value[None]
            self.varying[name] = value, over in node.axes
        if len(counts := {*sizes.values()}) > 1 or counts == {0}:
            fault = "no sequence" if counts == {0} else f"different numbers of sequences: {', '.join(map(str, sizes.values()))}"
            raise OperationError(
                "Q106", f"the feeds are of {fault}",
                where=show_site(user_site()), expected="as many of each, or one for all",
                got=", ".join(f"{n} of {name}" for name, n in sizes.items()),
            )  # fmt: skip
        self.problems = next(iter(sizes.values()), None)
        self.owners = np.repeat(np.arange(1 if self.problems is None else self.problems), count)
        self.stream = stream.bind(**fixed)
        self.last = np.full(len(self.owners), start, np.int64)
        prompts = np.atleast_2d(prompt)
        for k in range(prompts.shape[1]):
            self.read()
            self.write(self._of_each(prompts)[:, k].astype(np.int64))

    def read(self) -> np.ndarray:
        """Return the log-probabilities (sequences, K) of the next symbol."""
        for name, (value, steps) in self.varying.items():
            if steps and self.step >= value.shape[1]:
                raise OperationError(
                    "Q110", f"{name} has {value.shape[1]} steps, and there are more symbols", node=name,
                    where=show_site(user_site()), expected="a step for each symbol of the prompt and each that follows",
                    got=f"{name} of {value.shape[1]} steps",
                )  # fmt: skip
        given = {name: self._of_each(value[:, self.step] if steps else value) for name, (value, steps) in self.varying.items()}
        (logp,), self.carry = self.stream(self.carry, **{self.symbol: self.last}, **given)
        logp = np.asarray(logp, float)
        if not np.isfinite(logp.max(-1)).all():  # NaN, or no symbol that can follow
            raise OperationError(
                "Q113", f"the scores of symbol {self.step} are no probabilities", where=show_site(user_site()),
                expected="finite numbers, or −∞ for some of them", got=str(logp[~np.isfinite(logp.max(-1))][0])[:80],
                fix="look for NaN in the weights and in what is fed",
            )  # fmt: skip
        return logp

    def write(self, symbols: np.ndarray, parents: np.ndarray | None = None) -> None:
        """Go on with these symbols, of the sequences ``parents``."""
        self.last, self.step = symbols, self.step + 1
        if parents is not None:
            self.owners = self.owners[parents]
            if self.carry is not None and len(self.carry):
                self.carry = self.carry.take(self.batch, parents)

    def _of_each(self, value: np.ndarray) -> np.ndarray:
        """Return the value of each sequence's problem, of values of all problems or of one for all."""
        return value[self.owners] if len(value) > 1 or self.problems == 1 else np.repeat(value, len(self.owners), axis=0)


def _check_shape(name: str, value: np.ndarray, node: Node, batch: Axis) -> None:
    axes, rank = [a.name for a in node.axes if a is not batch], len(node.axes) - 1 + len(node.shape)
    core = value.shape[value.ndim - len(node.shape) :]
    if value.dtype.kind not in "biuf" or value.ndim not in (rank, rank + 1) or core != node.shape:
        shape = ", ".join([*axes, *map(str, node.shape)])
        raise OperationError(
            "Q114", f"{name} of shape {value.shape} is not what the model reads", node=name, where=show_site(user_site()),
            expected=f"numbers ({shape}), or with a leading dimension for several problems",
            got=f"{value.dtype} of shape {value.shape}",
        )  # fmt: skip


def _check_names(feeds: Mapping[str, Any], inputs: Mapping[str, Node], symbol: str) -> None:
    for name in feeds:
        if name not in inputs or name == symbol:
            raise OperationError(
                "Q107", f"the model has no other input {name}", node=name, where=show_site(user_site()),
                expected=", ".join(n for n in inputs if n != symbol) or "none", got=f"{name}=…",
            )  # fmt: skip


def limit(logits: np.ndarray, top_k: int | None, top_p: float | None) -> np.ndarray:
    """Return probabilities (N, K), 0 for the symbols that are left out."""
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    order = np.argsort(-p, axis=-1, kind="stable")
    ranked = np.take_along_axis(p, order, -1)
    keep = np.ones_like(ranked, bool)
    if top_k is not None:
        keep[:, top_k:] = False
    if top_p is not None:  # the first always stays
        keep &= ranked.cumsum(-1) - ranked < top_p
    out = np.zeros_like(p)
    np.put_along_axis(out, order, np.where(keep, ranked, 0.0), -1)
    return out


__all__ = ["Walk", "limit"]
