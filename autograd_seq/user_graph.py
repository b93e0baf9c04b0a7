"""A user's own graph at the command line: loaded from a file, fed with random numbers, errors of the file explained."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import autograd_seq as ag
from autograd_seq.core.errors import AutogradSeqError, did_you_mean
from autograd_seq.core.node import Node
from autograd_seq.ops.leaf import PARAM
from autograd_seq.ops.time import ALONG


class UsageError(AutogradSeqError):
    """The command line asks for something that cannot be done."""


def load_graph(place: str) -> ag.Graph:
    """Return the graph named NAME in FILE.py, for ``place`` = "FILE.py:NAME"; the file is run.

    Raises:
        UsageError: there is no such file or name, the file fails, or the name stands for something else.
        AutogradSeqError: the equations in the file are wrong.
    """
    file, colon, name = place.rpartition(":")
    if not (file and colon and name):
        raise UsageError("C102", f"{place!r:.200} does not name a graph in a file", expected="FILE.py:NAME", got=repr(place))
    path = Path(file)
    if not path.is_file():
        raise UsageError("C103", f"there is no file {file!r}", expected="FILE.py:NAME", got=repr(place))
    sys.path.insert(0, str(path.resolve().parent))  # the file may import its neighbours
    try:
        names = runpy.run_path(str(path), run_name=path.stem)
    except AutogradSeqError:
        raise
    except (Exception, SystemExit) as error:
        raise _make_file_error(path, error) from None
    finally:
        sys.path.pop(0)
    graphs = sorted(k for k, v in names.items() if _is_graph(v))
    if name not in names:
        raise UsageError(
            "C105", f"{file} has no {name!r}", got=name, expected="the name of a graph, a node or a list of nodes",
            fix=did_you_mean(name, graphs),
        )  # fmt: skip
    found = names[name]
    if not _is_graph(found):
        raise UsageError(
            "C106", f"{name!r} in {file} is not a graph", expected="a Graph, a node or a list of nodes",
            got=f"{type(found).__name__}: {found!r:.60}", fix=did_you_mean(name, graphs),
        )  # fmt: skip
    return found if isinstance(found, ag.Graph) else ag.Graph(found)


def is_loss(node: Node) -> bool:
    """Tell whether a node is a number whose gradient can be computed."""
    return node.shape == () and not node.axes and node.dtype is float


def list_params(graph: ag.Graph) -> list[Node]:
    """Return the parameters of a graph that have gradients."""
    return [n for n in graph.inputs.values() if n.op is PARAM and n.dtype is float]


def _is_graph(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(v, Node) for v in value)
    return isinstance(value, (ag.Graph, Node))


def _make_file_error(path: Path, error: BaseException) -> UsageError:
    """Return the error about what a user's file raised, with the line of the file."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return UsageError(
        "C104", f"{path} does not run: {type(error).__name__}: {error}", where=f"{path.name}:{line}" if line else None
    )


@contextmanager
def blame_file(place: str) -> Iterator[None]:
    """Explain errors raised in the block by operations that the user's file defines."""
    path = Path(place.rpartition(":")[0])
    try:
        yield
    except AutogradSeqError:
        raise
    except Exception as error:
        if all(f.filename != str(path) for f in traceback.extract_tb(error.__traceback__)):
            raise
        raise _make_file_error(path, error) from None


def draw_feeds(graph: ag.Graph) -> dict[str, np.ndarray]:
    """Return random feeds of the declared shapes at which the outputs are finite.

    A logarithm needs positive numbers, and a table of two rows an index below 2: narrower feeds are tried after wider ones.
    """
    random = np.random.default_rng(0)
    sizes = _choose_sizes(graph)
    wide: Callable[..., np.ndarray] = random.standard_normal
    draws = [(draw, classes) for draw in (wide, lambda n: random.uniform(0.1, 0.9, n)) for classes in (3, 2, 1)]
    feeds: dict[str, np.ndarray] = {}
    for last, (draw, classes) in enumerate(draws, start=1 - len(draws)):
        for name, node in graph.inputs.items():
            if "default" not in node.attrs:
                shape = tuple(sizes[a.name] for a in node.axes) + node.shape
                values = draw(shape) if node.dtype is float else random.integers(0, classes, shape)
                feeds[name] = np.asarray(values, dtype=node.dtype)
        try:
            with np.errstate(all="ignore"):
                if all(np.isfinite(value).all() for value in graph.unroll(**sizes).evaluate(**feeds)):
                    break
        except (AutogradSeqError, IndexError):
            if last == 0:  # the narrowest feeds fail as well: the feeds are not the cause
                raise
    else:
        raise UsageError(
            "C107", "no random feeds were found at which the outputs are finite", expected="numbers",
            got="NaN or infinity",
            fix="call ag.check_grad(loss, params, feeds) with feeds of your own",
        )  # fmt: skip
    return feeds


def _choose_sizes(graph: ag.Graph) -> dict[str, int]:
    """Return a length of 3, 4 or 5 for each axis; axes that the equations make equally long get the same."""
    sizes = {axis.name: 3 + (i + 1) % 3 for i, axis in enumerate(graph.axes)}
    ties = [n.attrs for n in graph.nodes if n.op is ALONG]
    for _ in ties:  # as many rounds as ties reach along any chain of them
        for tie in ties:
            a, b = tie["axis"].name, tie["other"].name
            sizes[a] = sizes[b] = min(sizes.get(a, 5), sizes.get(b, 5))
    return {axis.name: sizes[axis.name] for axis in graph.axes}


__all__ = ["UsageError", "blame_file", "draw_feeds", "is_loss", "list_params", "load_graph"]
