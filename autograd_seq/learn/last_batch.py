"""The last batch that a training used, as its file describes it: a training that goes on from there must have had the same."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd_seq.core.errors import LoadError

_FIX = [
    "the data, batches and segments of that training, in its order",
    'other data: begin anew with its parameters, train(…, load(path)["params"], …)',
]


class OtherBatchesWarning(UserWarning):
    """A training goes on from a file, and its batches are not those that the file's training has used."""


def describe_batch(batch: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return for each feed two texts: its dtype and shape, and a digest of its values.

    Example:
        >>> describe_batch({"x": np.ones((2, 3))})
        {'x': ['float64 of shape (2, 3)', '961e76f1c44f5ce8']}
    """
    return {name: _describe(value) for name, value in batch.items() if name != "carry"}


def _describe(value: Any) -> list[str]:
    if isinstance(value, Mapping):  # lengths by axis
        parts = sorted((str(key), *_describe(v)) for key, v in value.items())
        return [", ".join(f"{key}: {what}" for key, what, _ in parts), "".join(digest for *_, digest in parts)]
    array = np.asarray(value)
    if array.dtype.hasobject:
        return [f"a value of {type(value).__name__}", ""]
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return [f"{array.dtype} of shape {array.shape}", hashlib.sha256(array.tobytes()).hexdigest()[:16]]


def is_description(value: Any) -> bool:
    """Tell whether a value is what :func:`describe_batch` returns, or ``None``."""
    texts = [] if value is None else [*value.values()]
    return all(isinstance(text, list) and [*map(type, text)] == [str, str] for text in texts)


def check_batch(source: str, held: Any, batch: Mapping[str, Any] | None, drawn: bool) -> None:
    """Compare the last batch that a file's training used with what comes in its place now.

    Args:
        source: the name of the file.
        held: what :func:`describe_batch` returned for it; ``None`` in the file of an earlier version.
        batch: what comes in its place; ``None`` if nothing does.
        drawn: whether batches come from a function or an iterator, which may draw them anew each time: then other ones do not
            end the training.

    Raises:
        LoadError: they differ.

    Warns:
        OtherBatchesWarning: they differ, and are ``drawn``.
    """
    if held is None:
        return
    now = {} if not isinstance(batch, Mapping) else describe_batch(batch)
    name = next((name for name in [*held, *now] if held.get(name) != now.get(name)), None)
    if name is None:
        return
    (expected, old), (got, new) = held.get(name) or ["none", ""], now.get(name) or ["none", ""]
    same = expected == got
    fault = f"{source} is of a training on other batches: {name} of the last one that it used differs"
    expected += f", values with digest {old}" if same else ""
    got = "no such batch" if batch is None else got + (f", values with digest {new}" if same else "")
    if not drawn:
        raise LoadError("L153", fault, node=name, expected=expected, got=got, fix=_FIX)
    warnings.warn(f"{fault}: {expected} then, {got} now; the training goes on, but not as if it had never been interrupted",
                  OtherBatchesWarning, stacklevel=5)  # fmt: skip


__all__ = ["OtherBatchesWarning", "check_batch", "describe_batch", "is_description"]
