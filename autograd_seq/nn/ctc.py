"""Labels without an alignment: connectionist temporal classification (CTC), a recurrence along steps and labels."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

import numpy as np

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import AxisError, OperationError
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.node import Node, constant
from autograd_seq.core.sites import show_site, user_site
from autograd_seq.nn.chains import check_classes
from autograd_seq.nn.frame import as_integers, check_vector
from autograd_seq.ops.elementwise import equal, logical_and, not_equal, where
from autograd_seq.ops.gather import pick
from autograd_seq.ops.parts import stack
from autograd_seq.ops.picking import at
from autograd_seq.ops.softmax import SOFTMAX, logsumexp
from autograd_seq.ops.state import state
from autograd_seq.ops.statistics import all as all_of
from autograd_seq.ops.time import index, shift, size

NEVER = float("-inf")


def ctc_loss(
    log_probs: Node, labels: Node, *, over: Axis, labels_over: Axis, blank: int = 0, zero_infinity: bool = False
) -> Node:
    """The negative log-probability of labels without an alignment: the sum over all paths that read as the labels.

    A path says one symbol or the blank at each step; it reads as what is left when repeated symbols are merged and then blanks
    removed.

    Args:
        log_probs: (K,) over ``over``: ``ag.log_softmax`` of scores.
        labels: integers over ``labels_over``, with a blank before, between and after them: ``add_blanks`` of the labels,
            2 L + 1 of them. The loss is NaN where they are fed otherwise.
        over, labels_over: the axis of the steps, and that of the labels with blanks.
        blank: the class of the blank, of 0 … K − 1.
        zero_infinity: where the labels do not fit into the steps, the loss and its gradient are 0 instead of infinite.

    Returns:
        A number, over the other axes of ``log_probs`` (a batch, with lengths of both axes); infinite where the labels do not
        fit into the steps.

    Raises:
        AxisError: ``log_probs`` or ``labels`` does not vary over its axis.
        ShapeError, DTypeError: ``log_probs`` is no vector at each step; ``labels`` is not one integer at each.
        OperationError: the blank is no class; ``log_probs`` are probabilities.
        FeedError: at the call, a label is no class.

    Example:
        >>> import numpy as np
        >>> import autograd_seq as ag
        >>> t, u = ag.Axis("t"), ag.Axis("u")
        >>> loss = ctc_loss(ag.input("p", (2,), over=t), ag.input("l", over=u, dtype=int), over=t, labels_over=u)
        >>> p = ag.Graph(loss).evaluate(p=np.log(np.full((2, 2), 0.5)), l=add_blanks([1]))[0]
        >>> round(float(np.exp(-p)), 3)  # 1 1, 1 blank and blank 1 of four paths
        0.75

    Notes:
        Graves, Fernández, Gomez & Schmidhuber 2006, section 4.1, in logarithms: a grid with a recurrence along both axes.
        Time T (2 L + 1). Equal to PyTorch's ``ctc_loss`` with ``reduction="none"``.
    """
    log_probs, labels = constant(log_probs), check_classes(labels, "ctc_loss", "the labels")
    for name, x, axis in (("log_probs", log_probs, over), ("labels", labels, labels_over)):
        if axis not in x.axes:
            raise AxisError(
                "N140", f"{name} of ctc_loss does not vary over {axis}", node=x.name, where=show_site(user_site()),
                expected=f"a value over {axis}", got=repr(x)[:80],
            )  # fmt: skip
    check_vector(log_probs, "ctc_loss")
    if log_probs.op is SOFTMAX:
        raise OperationError(
            "N160", "log_probs of ctc_loss are probabilities, not their logarithms", node=log_probs.name,
            where=show_site(user_site()), expected="ag.log_softmax(scores)", got=repr(log_probs)[:80],
        )  # fmt: skip
    _check_blank(blank, "ctc_loss", log_probs.shape[0])
    t, u = over, labels_over
    others = tuple(a for a in (*log_probs.axes, *labels.axes) if a not in (t, u))
    first = where(equal(index(u), 0), 0.0, NEVER)
    alpha = state(None, over=(t, u, *dict.fromkeys(others)), init={t: first, u: NEVER})
    skips = logical_and(not_equal(labels, blank), not_equal(labels, shift(labels, u, 2, init=-1)))
    ways = [alpha[t - 1, u], alpha[t - 1, u - 1], where(skips, alpha[t - 1, u - 2], NEVER)]
    alpha[t, u] = logsumexp(stack(ways)) + pick(log_probs, labels)
    end = where(equal(size(t), 0), first, at(alpha, t, -1, outside="zero"))  # without steps nothing has been read
    total = logsumexp(stack([at(end, u, -1), at(end, u, -2, outside="zero") + where(equal(size(u), 1), NEVER, 0.0)]))
    loss = where(equal(total, NEVER), 0.0, -total) if zero_infinity else -total
    blanks = equal(equal(labels, blank), equal(index(u) % 2, 0))  # at even places, and only there
    return where(logical_and(all_of(blanks, over=u), equal(size(u) % 2, 1)), loss, float("nan"))


def add_blanks(labels: Any, blank: int = 0) -> Any:
    """Return labels with a blank before, between and after them, as :func:`ctc_loss` reads them.

    Args:
        labels: (L, …) integers, the labels first.
        blank: the class of the blank.

    Returns:
        (2 L + 1, …).

    Raises:
        OperationError: they are not integers from 0, or one of them is the blank.

    Example:
        >>> add_blanks([3, 1]).tolist()
        [0, 3, 0, 1, 0]
    """
    labels = _as_classes("labels", labels)
    _check_blank(blank, "add_blanks")
    if not labels.ndim or np.any(labels == blank):
        raise OperationError(
            "N154", "the labels of add_blanks are not a list of classes other than the blank", where=show_site(user_site()),
            expected=f"(L, …) integers, none of them {blank}", got=repr(labels.tolist())[:80],
        )  # fmt: skip
    out = np.full((2 * len(labels) + 1, *labels.shape[1:]), blank, np.int64)
    out[1::2] = labels
    return out


def read_labels(path: Any, blank: int = 0) -> list[int]:
    """Return the labels that a path of CTC reads as: repeated symbols are merged, then blanks removed.

    Args:
        path: (T,) integers, the symbol of each step: the most probable one of each (greedy decoding), or drawn.
        blank: the class of the blank.

    Returns:
        The labels, a list.

    Raises:
        OperationError: the path is not one row of integers from 0.

    Example:
        >>> read_labels([0, 3, 3, 0, 3, 1, 0])
        [3, 3, 1]
    """
    path = _as_classes("path", path)
    _check_blank(blank, "read_labels")
    if path.ndim != 1:
        raise OperationError(
            "N155", f"read_labels reads one path, and is given an array of shape {path.shape}", where=show_site(user_site()),
            expected="(T,) integers", got=str(path.shape), fix="[read_labels(p) for p in paths]; logits.argmax(-1) is a path",
        )  # fmt: skip
    return [symbol for symbol, _ in groupby(path.tolist()) if symbol != blank]


def _as_classes(what: str, values: Any) -> np.ndarray:
    """Return classes as an array of integers."""
    array = as_integers(values)
    if array is None or (array.size and array.min() < 0):
        raise OperationError(
            "N156", f"{what}={values!r:.60} are not classes", where=show_site(user_site()), expected="integers from 0",
            got=repr(values)[:80],
        )  # fmt: skip
    return array


def _check_blank(blank: Any, name: str, classes: float = math.inf) -> None:
    if not isinstance(blank, (int, np.integer)) or isinstance(blank, bool) or not 0 <= blank < classes:
        raise OperationError(
            "N149", f"the blank of {name}, {blank!r:.60}, is not a class", where=show_site(user_site()),
            expected="an integer from 0" + (f" to {classes - 1}" if classes < math.inf else ""), got=repr(blank)[:80],
        )  # fmt: skip


__all__ = ["add_blanks", "ctc_loss", "read_labels"]
explain_keywords(globals(), __all__)
