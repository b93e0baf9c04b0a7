"""Calls with ``lengths=``: for padded sequences another program runs, that of the same equations without the padding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from autograd_seq.graph import feeds
from autograd_seq.graph.graph import Graph
from autograd_seq.sequences.lengths import Over, read_padded_call
from autograd_seq.sequences.padding import Ragged


class LengthsCall(ABC):
    """Base class of programs that are called with feeds by name and, for padded sequences, ``lengths=``.

    Attributes:
        graph: the folded graph.
        padded: the programs that have run in place of this one in calls with ``lengths=``.
    """

    graph: Graph
    padded: dict[Over, Any]

    def __call__(self, /, *unnamed: Any, lengths: Any = None, **given: Any) -> tuple[Any, ...]:
        """Return the values of the outputs, in order.

        Args:
            lengths: for padded sequences, a dict from an axis to the real number of steps: one number, or one per sequence,
                ``{t: [5, 3, 7]}``. The batch axis is found from the inputs, or given: ``{(t, b): …}``. A length may vary over
                an axis that has lengths itself: words in sentences, ``{w: [[3, 1], [2, 0]], s: [2, 1]}``.
            given: an array for each input and parameter, by name: axes first in their declared order, then the value's
                dimensions. They are never changed. ``seed`` is 0 by default. If no feed has an axis, give its length by
                the axis's name. An input called ``lengths`` is fed by that keyword.

        Returns:
            A tuple of arrays that the caller owns; an output that varies over axes has them in front, and is 0 in the
            padding.

        Raises:
            FeedError, DTypeError: a feed is missing, unknown, or does not fit; a length is no whole number, or too long.
            AxisError: an axis or a sequence is too short for what is read; or it is ambiguous over which axis lengths vary.
            MemoryNeededError: the call would need more memory than there is, or than ``memory=`` gives.

        Notes:
            With ``lengths=`` another program runs, compiled when it is first needed: the same equations, changed so that the
            contents of the padding reach no output and no gradient. It costs one more pass over each value that is summed over
            time; a read of a later step (``s[t + 1]``) costs a selection at each step of the loop of ``s``.
        """
        if unnamed:
            raise feeds.make_unnamed_error(self.graph, unnamed)
        if lengths is not None:
            if "lengths" not in self.graph.inputs:
                return self._run_padded(lengths, given)
            given["lengths"] = lengths
        return self._compute(given)

    def _run_padded(self, lengths: Any, given: dict[str, Any]) -> tuple[Any, ...]:
        said, made, fed = read_padded_call(self.graph, lengths, given)
        if said.over not in self.padded:
            self.padded[said.over] = self._make_padded(made)
        out: tuple[Any, ...] = self.padded[said.over]._compute(fed)
        return out

    @abstractmethod
    def _compute(self, given: dict[str, Any]) -> tuple[Any, ...]:
        """Return the values of the outputs for feeds without ``lengths=``."""

    @abstractmethod
    def _make_padded(self, made: Ragged) -> Any:
        """Return the program of the equations without the padding."""


__all__ = ["LengthsCall"]
