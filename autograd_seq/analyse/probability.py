"""Sequence models: probabilities of sequences, samples, and the most probable continuation, by the chain rule.

A model gives scores (logits) of the next symbol, from the symbols before. All else follows from that one conditional
probability (:mod:`autograd_seq.analyse.likelihood`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import OperationError
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import get_rows
from autograd_seq.graph.rebuild import rebuild, vmap
from autograd_seq.ops.gather import pick
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.softmax import log_softmax
from autograd_seq.ops.time import SHIFT
from autograd_seq.run.carry import Carry
from autograd_seq.run.compile import compile
from autograd_seq.run.program import Program
from autograd_seq.run.stream import Stream, stream


class Sequences(NamedTuple):
    """Sequences that a model made.

    Args:
        symbols: (N, T) int64; after a ``stop`` symbol only that.
        log_probs: (N,) of each sequence under the model, in nats, the prompt not counted.
        lengths: (N,) symbols up to the first stop, that included.
    """

    symbols: np.ndarray
    log_probs: np.ndarray
    lengths: np.ndarray


class SequenceModel:
    """A model of sequences of symbols, one after the other.

    Args:
        scores: (K,) logits of the symbol at each step, which depend on earlier symbols.
        symbol: the name of the input of symbols, an int over the axis of steps alone. Either the scores read it one step back
            only (``y[t - 1]``), as a loss has it; or at the same step, where it is the previous symbol: then sequences begin
            with ``start``.
        start: what is read before the first symbol: 0, unless the input is shifted with other rows.
        backend: as for ``ag.compile``.

    Raises:
        OperationError: there is no such input; or it is read otherwise.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> y = ag.input("y", over=t, dtype=int)
        >>> h = ag.nn.gru(ag.nn.embedding(ag.shift(y, t, 1), 3, 4), 8, over=t)
        >>> model = SequenceModel(ag.nn.dense(h, 3, name="out"))
        >>> weights = ag.nn.init.params(model.scores, seed=1)
        >>> made = model.sample(weights, 5, count=2, seed=0)
        >>> made.symbols.shape, bool(np.allclose(made.log_probs, [model.score(weights, s).sum() for s in made.symbols]))
        ((2, 5), True)

    Notes:
        All runs go step by step through ``ag.stream``: the cost of a step does not grow with the steps before.
    """

    def __init__(self, scores: Node, symbol: str = "y", *, start: int = 0, backend: str = "numpy") -> None:
        self.scores, self.symbol, self.start, self.backend = scores, symbol, start, backend
        graph = Graph(scores)
        source = graph.inputs.get(symbol)
        here = show_site(user_site())
        if source is None or source.dtype is not int or source.shape or len(source.axes) != 1 or source.op is not INPUT:
            raise OperationError(
                "Q101", f'the scores have no input "{symbol}" of symbols', where=here,
                expected='ag.input("y", over=t, dtype=int), one symbol a step', got=repr(source)[:80],
                fix=f"the inputs are {', '.join(graph.inputs)}",
            )  # fmt: skip
        if len(scores.shape) != 1 or scores.axes != source.axes:
            raise OperationError(
                "Q102", f"{label_of(scores)} is no vector of scores at each step of {source.axes[0]}", where=here,
                expected=f"(K,) over {source.axes[0]}", got=repr(scores)[:80],
            )  # fmt: skip
        (self.over,), self.size = source.axes, scores.shape[0]
        readers = [n for n in graph.nodes if any(x is source for x in n.inputs)]
        shifts = [n for n in readers if n.op is SHIFT and n.attrs["axis"] is self.over and n.attrs["by"] == 1]
        self.delayed = bool(shifts)
        if shifts and len(shifts) < len(readers):
            other = next(n for n in readers if n.op is not SHIFT or n.attrs["by"] != 1)
            raise OperationError(
                "Q103", f"the scores read {symbol} one step back, and in another way too", node=symbol,
                where=other.where or here, expected=f"{symbol}[{self.over} - 1] alone: the scores of a symbol must not read it",
                got=repr(other)[:80], fix=f"name what is read: previous = {symbol}[{self.over} - 1]",
            )  # fmt: skip
        if shifts:
            bound, rows = get_rows(source, self.over, "init")
            if bound is not None and rows[0]._value is not None:
                self.start = int(rows[0]._value)
        self._batch = Axis("sequence")
        previous = Node(INPUT, (), {}, (), int, source.axes, name=symbol)
        swap = dict.fromkeys(shifts, previous) if self.delayed else {}
        (alone,) = rebuild([log_softmax(scores)], lambda node, inputs: None, shifts=lambda old, new: swap.get(old, new))
        self._next: Any = vmap(alone, over=self._batch)

    @cached_property
    def _stream(self) -> Stream:
        return stream(self._next, over=self.over, order=(self._batch, self.over), backend=self.backend)

    @cached_property
    def _scorer(self) -> Program:
        graph = Graph(self.scores)
        symbol = graph.inputs[self.symbol]
        if not self.delayed:
            target = Node(INPUT, (), {}, (), int, symbol.axes, name=f"{self.symbol} to score")
            return compile(pick(log_softmax(self.scores), target), backend=self.backend)
        return compile(pick(log_softmax(self.scores), symbol), backend=self.backend)

    def score(self, weights: Mapping[str, Any], symbols: Any, **feeds: Any) -> np.ndarray:
        """Return log p(y_t | y_<t) at each step, in nats; their sum is the log-probability of the sequence.

        Args:
            weights: the parameters, by name.
            symbols: (T,) integers.
            feeds: other inputs.
        """
        symbols = np.asarray(symbols, np.int64)
        given = {**weights, **feeds, self.symbol: symbols}
        if not self.delayed:
            given |= {self.symbol: np.append(self.start, symbols[:-1])[: len(symbols)], f"{self.symbol} to score": symbols}
        return self._scorer(**given)[0]

    def sample(
        self, weights: Mapping[str, Any], steps: int, *, count: int = 1, seed: int = 0, temperature: float = 1.0,
        top_k: int | None = None, top_p: float | None = None, stop: int | None = None, prompt: Sequence[int] = (), **feeds: Any,
    ) -> Sequences:  # fmt: skip
        """Draw sequences, symbol after symbol, each given those that were drawn before it (ancestral sampling).

        Args:
            weights: the parameters, by name.
            steps: T, symbols to draw.
            count: N, sequences, drawn together.
            seed: of the draws.
            temperature: scores are divided by it: below 1 the likely symbols become likelier; 0 is :meth:`greedy`.
            top_k: draw from the k most probable symbols.
            top_p: draw from the fewest symbols whose probabilities add up to this or more (Holtzman et al. 2020).
            stop: the symbol after which a sequence has ended.
            prompt: symbols that come first; they are read, not drawn.
            feeds: other inputs, one value for all sequences.

        Raises:
            OperationError: something is out of its range.
        """
        if temperature == 0:
            return self.greedy(weights, steps, stop=stop, prompt=prompt, **feeds)
        _check_ranges(count=count, steps=steps, temperature=temperature, top_k=top_k, top_p=top_p)
        random = np.random.default_rng(seed)

        def choose(logp: np.ndarray) -> np.ndarray:
            p = _limit(logp / temperature, top_k, top_p)
            return (p.cumsum(-1) < random.random((len(p), 1)) * p.sum(-1, keepdims=True)).sum(-1).clip(max=p.shape[-1] - 1)

        return self._run(weights, steps, count, choose, stop, prompt, feeds)

    def greedy(
        self, weights: Mapping[str, Any], steps: int, *, stop: int | None = None, prompt: Sequence[int] = (), **feeds: Any
    ) -> Sequences:
        """Choose the most probable symbol at each step; arguments as for :meth:`sample`."""
        _check_ranges(steps=steps)
        return self._run(weights, steps, 1, lambda logp: logp.argmax(-1), stop, prompt, feeds)

    def _run(self, weights: Any, steps: int, count: int, choose: Any, stop: Any, prompt: Any, feeds: Any) -> Sequences:
        walk = _Walk(self, weights, feeds, count, prompt)
        symbols, total = np.zeros((count, steps), np.int64), np.zeros(count)
        ended, lengths = np.zeros(count, bool), np.full(count, steps)
        for k in range(steps):
            logp = walk.read()
            chosen = np.where(ended, stop or 0, choose(logp))
            total += np.where(ended, 0.0, np.take_along_axis(logp, chosen[:, None], 1)[:, 0])
            symbols[:, k] = chosen
            if stop is not None:
                lengths = np.where(~ended & (chosen == stop), k + 1, lengths)
                ended |= chosen == stop
            walk.write(chosen)
        return Sequences(symbols, total, lengths)

    def beam(
        self, weights: Mapping[str, Any], steps: int, width: int, *, stop: int | None = None, prompt: Sequence[int] = (),
        **feeds: Any,
    ) -> Sequences:  # fmt: skip
        """Search for probable sequences: at each step keep the ``width`` most probable beginnings, and all their successors.

        Args:
            width: of the beam; 1 is :meth:`greedy`, and K ** steps finds the most probable sequence of all.
            weights, steps, stop, prompt, feeds: as for :meth:`sample`.

        Returns:
            At most ``width`` sequences, the most probable first.

        Notes:
            Lowerre 1976. Sequences that have ended keep their place in the beam; no correction for length.
        """
        _check_ranges(steps=steps, width=width)
        walk = _Walk(self, weights, feeds, 1, prompt)
        symbols, total, ended, lengths = np.zeros((1, 0), np.int64), np.zeros(1), np.zeros(1, bool), np.full(1, steps)
        for k in range(steps):
            logp = walk.read()
            if stop is not None:  # an ended sequence has one successor, itself
                logp = np.where(ended[:, None], np.where(np.arange(self.size) == stop, 0.0, -np.inf), logp)
            reach = (total[:, None] + logp).ravel()
            best = np.argsort(-reach, kind="stable")[:width]
            best = best[reach[best] > -np.inf]
            parents, chosen = np.divmod(best, self.size)
            symbols, total = np.concatenate([symbols[parents], chosen[:, None]], axis=1), reach[best]
            ended, lengths = ended[parents], lengths[parents]
            if stop is not None:
                lengths = np.where(~ended & (chosen == stop), k + 1, lengths)
                ended = ended | (chosen == stop)
            walk.write(chosen, parents)
        return Sequences(symbols, total, lengths)


class _Walk:
    """A stream that is read (the scores of the next symbol), and then written to (what was chosen)."""

    def __init__(self, model: SequenceModel, weights: Any, feeds: Any, count: int, prompt: Any) -> None:
        self.model, self.count, self.step = model, count, 0
        self.carry: Carry | None = None
        graph = model._stream.program.graph
        self.fixed: dict[str, np.ndarray] = {}
        self.varying: dict[str, np.ndarray] = {}
        for name, node in graph.inputs.items():
            if name == model.symbol or (name not in feeds and "default" in node.attrs):
                continue
            if name not in feeds and name not in weights:
                continue  # the stream says what is missing
            value = np.asarray(feeds[name] if name in feeds else weights[name])
            (self.varying if model._batch in node.axes else self.fixed)[name] = value
        self.over_time = {name for name in self.varying if model.over in graph.inputs[name].axes}
        self.stream = model._stream.bind(**self.fixed)
        self.last = np.full(count, model.start, np.int64)
        for symbol in prompt:
            self.read()
            self.write(np.full(count, symbol, np.int64))

    def read(self) -> np.ndarray:
        """Return the log-probabilities (N, K) of the next symbol."""
        given = {name: value[self.step] if name in self.over_time else value for name, value in self.varying.items()}
        given = {name: np.broadcast_to(value, (self.count, *np.shape(value))) for name, value in given.items()}
        (logp,), self.carry = self.stream(self.carry, **{self.model.symbol: self.last}, **given)
        return np.asarray(logp, float)

    def write(self, symbols: np.ndarray, parents: np.ndarray | None = None) -> None:
        """Go on with these symbols, of the sequences ``parents``."""
        self.last, self.count, self.step = symbols, len(symbols), self.step + 1
        if parents is not None and self.carry is not None and len(self.carry):
            self.carry = self.carry.take(self.model._batch, parents)


def _limit(logits: np.ndarray, top_k: int | None, top_p: float | None) -> np.ndarray:
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


_RANGES: dict[str, tuple[Any, str]] = {
    "count": (lambda n: _is_int(n) and n >= 1, "an integer ≥ 1"),
    "steps": (lambda n: _is_int(n) and n >= 0, "an integer ≥ 0"),
    "width": (lambda n: _is_int(n) and n >= 1, "an integer ≥ 1"),
    "top_k": (lambda n: n is None or (_is_int(n) and n >= 1), "an integer ≥ 1, or None"),
    "top_p": (lambda p: p is None or 0 < p <= 1, "a number, 0 < top_p ≤ 1, or None"),
    "temperature": (lambda x: x > 0 and math.isfinite(x), "a number ≥ 0"),
}


def _is_int(n: Any) -> bool:
    return isinstance(n, (int, np.integer)) and not isinstance(n, bool)


def _check_ranges(**given: Any) -> None:
    for name, value in given.items():
        right, expected = _RANGES[name]
        if not right(value):
            raise OperationError(
                "Q104", f"{name}={value!r:.60} is out of its range", where=show_site(user_site()), expected=expected,
                got=repr(value)[:80],
            )  # fmt: skip


__all__ = ["SequenceModel", "Sequences"]
