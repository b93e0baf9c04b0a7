"""Sequence models: probabilities of sequences, samples, and the most probable continuation, by the chain rule.

A model gives scores (logits) of the next symbol, from the symbols before. All else follows from that one conditional
probability (:mod:`autograd_seq.analyse.likelihood`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.analyse.ranges import check_ranges, check_symbols, refuse_probabilities
from autograd_seq.analyse.walk import Walk, limit
from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import CarryError, OperationError
from autograd_seq.core.misfit import label_of
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.graph.graph import Graph
from autograd_seq.graph.order import get_shift_rows
from autograd_seq.graph.rebuild import rebuild, vmap
from autograd_seq.ops.gather import pick
from autograd_seq.ops.leaf import INPUT
from autograd_seq.ops.softmax import log_softmax
from autograd_seq.ops.state import STATE
from autograd_seq.ops.time import SHIFT
from autograd_seq.run.compile import compile
from autograd_seq.run.program import Program
from autograd_seq.run.stream import Stream, stream
from autograd_seq.sequences.cut import find_carried_axis
from autograd_seq.sequences.step import make_one_step


class Sequences(NamedTuple):
    """Sequences that a model made.

    Args:
        symbols: (N, T) int64; after a ``stop`` symbol only that. Of several problems each of the three has their number as
            leading dimension.
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
        symbol: the name of the input of symbols, an int over the axis of steps. Either the scores read it one step back
            only (``y[t - 1]``), as a loss has it; or at the same step, where it is the previous symbol: then sequences begin
            with ``start``. Where scores and symbols vary over a batch too, the model is that of one sequence.
        start: what is read before the first symbol, an integer; 0 by default. Where the input is shifted, its row before the
            first step is that.
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

    def __init__(self, scores: Node, symbol: str = "y", *, start: int | None = None, backend: str = "numpy") -> None:
        scores = _leave_out_batch(scores, symbol)
        self.scores, self.symbol, self.backend = scores, symbol, backend
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
        refuse_probabilities(scores, "scores of SequenceModel")
        (self.over,), self.size = source.axes, scores.shape[0]
        same = {
            source,
            *(n for n in graph.nodes if n.op is STATE and n.inputs[0] is source),
        }  # those have rows before the first
        readers = [n for n in graph.nodes if n not in same and any(x in same for x in n.inputs)]
        shifts = [n for n in readers if n.op is SHIFT and n.attrs["axis"] is self.over and n.attrs["by"] == 1]
        self.delayed = bool(shifts)
        if shifts and len(shifts) < len(readers):
            other = next(n for n in readers if n.op is not SHIFT or n.attrs["by"] != 1)
            raise OperationError(
                "Q103", f"the scores read {symbol} one step back, and in another way too", node=symbol,
                where=other.where or here, expected=f"{symbol}[{self.over} - 1] alone: the scores of a symbol must not read it",
                got=repr(other)[:80], fix=f"name what is read: previous = {symbol}[{self.over} - 1]",
            )  # fmt: skip
        check_ranges(start=start)
        self.start = start or 0
        if shifts:
            self.start = self._find_start(shifts, start, here)
        self._batch = Axis("sequence")
        previous = Node(INPUT, (), {}, (), int, source.axes, name=symbol)
        swap = dict.fromkeys(shifts, previous) if self.delayed else {}
        (alone,) = rebuild([log_softmax(scores)], lambda node, inputs: None, shifts=lambda old, new: swap.get(old, new))
        self._next: Any = vmap(alone, over=self._batch)

    def _find_start(self, shifts: Sequence[Node], start: int | None, here: str | None) -> int:
        """Return the symbol before the first one, which is the row before the first step of what is shifted."""
        rows = [row[0]._value if (row := get_shift_rows(shift)) else 0 for shift in shifts]
        found = {None if row is None else int(row) for row in rows}
        if len(found) > 1 or None in found or start not in (None, *found):
            what = ", ".join("one that is fed" if k is None else str(k) for k in found)
            raise OperationError(
                "Q109", f"what is read before the first {self.symbol} is the row of its shift: {what}", where=here,
                expected="one symbol, which is known" if start is None else f"start={start}", got=what,
                fix=f"ag.shift({self.symbol}, {self.over}, 1, init={start or 0})",
            )  # fmt: skip
        return found.pop() or 0

    def __repr__(self) -> str:
        return f"<SequenceModel of {self.size} symbols {self.symbol} along {self.over}>"

    @cached_property
    def _stream(self) -> Stream:
        return stream(self._next, over=self.over, order=(self._batch, self.over), backend=self.backend)

    @cached_property
    def _steps(self) -> Node:
        """The log-probability of each symbol, a node; what the scores read at the same step is another input then."""
        target = Graph(self.scores).inputs[self.symbol]
        if not self.delayed:
            target = Node(INPUT, (), {}, (), int, target.axes, name=f"{self.symbol} to score")
        return pick(log_softmax(self.scores), target)

    def _refuse_look_ahead(self) -> None:
        """Refuse scores that read a later symbol: what they sum up to would be no probability."""
        try:
            _ = self._stream
        except CarryError as error:
            if error.code == "K104":
                raise

    @cached_property
    def _scorer(self) -> Program:
        self._refuse_look_ahead()
        return compile(self._steps, backend=self.backend)

    @cached_property
    def _scorer_of_many(self) -> Program:
        self._refuse_look_ahead()
        many: Any = vmap(self._steps, over=self._batch)
        return compile(many, order=(self._batch, self.over), backend=self.backend)

    def score(self, weights: Mapping[str, Any], symbols: Any, *, lengths: Any = None, **feeds: Any) -> np.ndarray:
        """Return log p(y_t | y_<t) at each step, in nats; their sum is the log-probability of the sequence.

        Args:
            weights: the parameters, by name.
            symbols: (T,) integers, or (N, T) of N sequences, which are scored together.
            lengths: (N,) of sequences that are padded to the longest, with any symbol.
            feeds: other inputs: one value for all sequences, or, with a leading dimension more, one for each.

        Returns:
            (T,) or (N, T), 0 after the end of each sequence; :func:`perplexity` takes the same lengths.

        Raises:
            OperationError: a symbol is not one of 0 … K − 1; lengths of one sequence.
            CarryError: the scores shift from a later step. (Of attention, :func:`audit` finds out.)
        """
        check_ranges(weights=weights)
        symbols = check_symbols(symbols, self.size, self.symbol, (1, 2))
        if lengths is not None and symbols.ndim == 1:
            raise OperationError(
                "Q108", "lengths= are of several sequences, and one is given", where=show_site(user_site()),
                expected="symbols (N, T) and lengths (N,)", got=f"symbols of shape {symbols.shape}", fix="symbols[:length]",
            )  # fmt: skip
        read = {self.symbol: symbols}
        if not self.delayed:
            before = np.concatenate([np.full_like(symbols[..., :1], self.start), symbols[..., :-1]], axis=-1)
            read = {self.symbol: before, f"{self.symbol} to score": symbols}
        program = self._scorer if symbols.ndim == 1 else self._scorer_of_many
        given = {**{name: value for name, value in weights.items() if name in program.graph.inputs}, **feeds}
        for name, node in program.graph.inputs.items():
            if name in given and self._batch in node.axes and np.ndim(given[name]) < len(node.axes) + len(node.shape):
                given[name] = np.broadcast_to(given[name], (len(symbols), *np.shape(given[name])))
        ends = {} if lengths is None else {"lengths": {self.over: lengths}}
        return program(**{**given, **read, **ends})[0]

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
            prompt: (P,) symbols that come first; they are read, not drawn. (M, P) are the prompts of M problems, which are
                solved together.
            feeds: other inputs: one value for all sequences, or, with a leading dimension more, one for each of M problems.

        Returns:
            N sequences, or (M, N) of M problems.

        Raises:
            OperationError: something is out of its range; the numbers of problems differ; there is no such input.
        """
        ranges = {"count": count, "steps": steps, "temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
        self._check(stop, prompt, weights=weights, **ranges)
        if temperature == 0:
            return self._run(weights, steps, count, lambda logp: logp.argmax(-1), stop, prompt, feeds)
        random = np.random.default_rng(seed)

        def choose(logp: np.ndarray) -> np.ndarray:
            with np.errstate(over="ignore"):  # a temperature near 0 leaves the most probable symbol alone
                p = limit((logp - logp.max(-1, keepdims=True)) / temperature, top_k, top_p)
            return (p.cumsum(-1) < random.random((len(p), 1)) * p.sum(-1, keepdims=True)).sum(-1).clip(max=p.shape[-1] - 1)

        return self._run(weights, steps, count, choose, stop, prompt, feeds)

    def greedy(
        self, weights: Mapping[str, Any], steps: int, *, stop: int | None = None, prompt: Sequence[int] = (), **feeds: Any
    ) -> Sequences:
        """Choose the most probable symbol at each step; arguments and what is returned as for one sample (N = 1)."""
        self._check(stop, prompt, weights=weights, steps=steps)
        return self._run(weights, steps, 1, lambda logp: logp.argmax(-1), stop, prompt, feeds)

    def _run(self, weights: Any, steps: int, count: int, choose: Any, stop: Any, prompt: Any, feeds: Any) -> Sequences:
        walk = self._walk(weights, feeds, prompt, count)
        many = len(walk.owners)
        symbols, total = np.zeros((many, steps), np.int64), np.zeros(many)
        ended, lengths = np.zeros(many, bool), np.full(many, steps)
        for k in range(steps):
            logp = walk.read()
            chosen = np.where(ended, stop or 0, choose(logp))
            total += np.where(ended, 0.0, np.take_along_axis(logp, chosen[:, None], 1)[:, 0])
            symbols[:, k] = chosen
            if stop is not None:
                lengths = np.where(~ended & (chosen == stop), k + 1, lengths)
                ended |= chosen == stop
            walk.write(chosen)
        return _group(Sequences(symbols, total, lengths), walk.problems)

    def _walk(self, weights: Mapping[str, Any], feeds: Mapping[str, Any], prompt: Any, count: int) -> Walk:
        return Walk(self._stream, self._batch, self.over, self.symbol, self.start, weights, feeds, prompt, count)

    def _check(self, stop: Any, prompt: Any, **ranges: Any) -> None:
        check_ranges(**ranges)
        check_symbols(prompt, self.size, "prompt", (1, 2))
        if stop is not None:
            check_symbols(stop, self.size, "stop", (0,))

    def beam(
        self, weights: Mapping[str, Any], steps: int, width: int, *, stop: int | None = None, prompt: Sequence[int] = (),
        **feeds: Any,
    ) -> Sequences:  # fmt: skip
        """Search for probable sequences: at each step keep the ``width`` most probable beginnings, and all their successors.

        Args:
            width: of the beam; 1 is :meth:`greedy`, and K ** steps finds the most probable sequence of all.
            weights, steps, stop, prompt, feeds: as for :meth:`sample`.

        Returns:
            At most ``width`` sequences, the most probable first; of M problems (M, …), where one with fewer possible sequences
            than the others has some of log-probability −∞.

        Notes:
            Lowerre 1976. Sequences that have ended keep their place in the beam; no correction for length.
        """
        self._check(stop, prompt, weights=weights, steps=steps, width=width)
        walk = self._walk(weights, feeds, prompt, 1)
        many = len(walk.owners)  # problems, each with a beam of the same width
        symbols, total = np.zeros((many, 0), np.int64), np.zeros(many)
        ended, lengths = np.zeros(many, bool), np.full(many, steps)
        for k in range(steps):
            logp = walk.read()
            if stop is not None:  # an ended sequence has one successor, itself
                logp = np.where(ended[:, None], np.where(np.arange(self.size) == stop, 0.0, -np.inf), logp)
            reach = (total[:, None] + logp).reshape(many, -1)
            best = np.argsort(-reach, axis=1, kind="stable")[:, :width]
            best = best[:, (np.take_along_axis(reach, best, 1) > -np.inf).any(0)]
            parents, chosen = np.divmod(best, self.size)
            parents, chosen = (parents + np.arange(many)[:, None] * (len(total) // many)).ravel(), chosen.ravel()
            symbols = np.concatenate([symbols[parents], chosen[:, None]], axis=1)
            total, ended, lengths = np.take_along_axis(reach, best, 1).ravel(), ended[parents], lengths[parents]
            if stop is not None:
                lengths = np.where(~ended & (chosen == stop), k + 1, lengths)
                ended = ended | (chosen == stop)
            walk.write(chosen, parents)
        return _group(Sequences(symbols, total, lengths), walk.problems)


def _leave_out_batch(scores: Node, symbol: str) -> Node:
    """Return the scores of one sequence, without the axes of a batch over which the symbols vary beside that of the steps."""
    graph = Graph(scores)
    source = graph.inputs.get(symbol)
    if source is None or len(source.axes) < 2:
        return scores
    try:
        steps = find_carried_axis(graph, True)
    except CarryError:
        return scores  # refused, as it varies over several axes
    (alone,) = make_one_step(graph, *(a for a in source.axes if a is not steps))
    return alone


def _group(made: Sequences, problems: int | None) -> Sequences:
    """Return the sequences with the problems as leading dimension, if there are several problems."""
    if problems is None:
        return made
    return Sequences(*(array.reshape(problems, len(array) // problems, *array.shape[1:]) for array in made))


__all__ = ["SequenceModel", "Sequences"]
