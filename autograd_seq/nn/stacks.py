"""Cells on cells: layers on top of one another, with residual connections and dropout between them, and in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import OperationError, ShapeError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.nn.frame import Cell, check_count, check_function, check_input, check_rows, get_output, open_scope
from autograd_seq.nn.gated import lstm
from autograd_seq.nn.noise import dropout as drop
from autograd_seq.ops.parts import concat


def stack(
    x: Node, hidden: int | Sequence[int], layers: int | None = None, *, over: Axis, cell: Cell = lstm, name: str = "layers",
    residual: bool = False, dropout: Any = 0.0, **options: Any,
) -> Node:  # fmt: skip
    """Layers of one cell, each of which reads the output of the one below it.

    Args:
        x: (D,) the input of the first layer.
        hidden: H, the units of each layer; or a list, one number a layer.
        layers: how many; not needed where ``hidden`` is a list.
        over: the axis along which they recur.
        cell: a cell of ``ag.nn``, or any function ``cell(x, hidden, *, over, name, …)`` that returns its output, or a tuple
            whose first entry is the output. ``functools.partial(ag.nn.bidirectional, cell=ag.nn.gru)`` works too.
        name: the scope of the layers, ``name/0``, ``name/1``, ….
        residual: what a layer reads is added to its output, if both have the same shape (He et al. 2016).
        dropout: the probability with which what a layer reads, but the first, is set to 0: at each step anew, as in PyTorch.
        options: given to the cell: ``bias=False``, say.

    Returns:
        The output of the last layer.

    Raises:
        ShapeError: ``layers`` contradicts the list, or is no positive integer.
        Others, as the cell raises them.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> h = stack(ag.input("x", (3,), over=t), [8, 4], over=t, cell=ag.nn.gru)
        >>> h
        layers/1/h[t]: float[4]

    Notes:
        Graves 2013. ``ag.nn.dropout(…, over=b)`` by hand makes one mask a sequence instead (Gal & Ghahramani 2016).
    """
    x, cell = check_input(x, over, "stack"), check_function(cell, "stack", "cell", "ag.nn.gru")
    widths = list(hidden) if isinstance(hidden, Sequence) else [hidden] * check_count(layers, "stack", "layers")
    if not widths or layers not in (None, len(widths)):
        raise ShapeError(
            "N124", f"stack is given {len(widths)} widths and layers={layers!r:.60}", where=show_site(user_site()),
            expected="hidden=[8, 4], or hidden=8, layers=2", got=f"hidden={hidden!r:.60}, layers={layers!r:.60}",
        )  # fmt: skip
    with open_scope(name):
        for k, width in enumerate(widths):
            below = drop(f"{k}/dropout", x, dropout, over=x.axes) if k else x
            y = get_output(cell(below, width, over=over, name=str(k), **options))
            x = x + y if residual and x.shape == y.shape else y
    return x


def bidirectional(
    x: Node, hidden: int, *, over: Axis, cell: Cell = lstm, name: str | None = None, init: Any = None, **options: Any
) -> Node:
    """Two cells, one that reads the past and one that reads the future; their outputs one after the other.

    Args:
        x: (D,) the input of both.
        hidden: H, the units of each.
        over: the axis along which one goes forward, the other backward.
        cell: a cell with a keyword ``reverse``.
        name: the scope; the cells are named ``name/forward`` and ``name/backward``.
        init: a pair: the ``init`` of each.
        options: given to both cells.

    Returns:
        (2H,), forward first. It reads the whole sequence: it cannot be streamed or carried.

    Raises:
        Errors, as the cell raises them.

    Example:
        >>> import autograd_seq as ag
        >>> t = ag.Axis("t")
        >>> bidirectional(ag.input("x", (3,), over=t), 4, over=t, cell=ag.nn.gru).shape
        (8,)

    Notes:
        Schuster & Paliwal 1997. With ``lengths=`` the backward cell starts at the end of each sequence.
    """
    x, cell = check_input(x, over, "bidirectional"), check_function(cell, "bidirectional", "cell", "ag.nn.gru")
    first, second = check_rows(tuple(init) if isinstance(init, list) else init, "a bidirectional net", "forward backward")
    if "reverse" in options:
        raise OperationError(
            "N150", "bidirectional takes no reverse=: it goes in both directions", where=show_site(user_site()),
            expected="no reverse=", got=f"reverse={options['reverse']!r:.60}", fix="cell(x, hidden, over=t, reverse=True)",
        )  # fmt: skip
    with open_scope(name):
        ahead = get_output(cell(x, hidden, over=over, name="forward", init=first, **options))
        back = get_output(cell(x, hidden, over=over, name="backward", init=second, reverse=True, **options))
        return concat([ahead, back])


__all__ = ["bidirectional", "stack"]
explain_keywords(globals(), __all__)
