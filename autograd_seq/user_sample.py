"""`autograd-seq sample`: sequences drawn from a trained model in a user's file, or a series continued by it."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import autograd_seq as ag
from autograd_seq import learn
from autograd_seq.analyse.probability import SequenceModel
from autograd_seq.arguments import BY_DEFAULT, add_graph_argument, parse_natural, parse_number, parse_positive
from autograd_seq.core.names import make_printable
from autograd_seq.core.node import Node
from autograd_seq.ops.random import TRAIN
from autograd_seq.sequences.step import make_one_step
from autograd_seq.user_data import find_batch, find_steps, list_fed, read_feeds
from autograd_seq.user_graph import UsageError, load_graph


def add_sample(commands: Any) -> None:
    """Add the command."""
    sample = commands.add_parser("sample", help="draw sequences from a model of your own, or let it continue a series")
    add_graph_argument(sample)
    sample.add_argument("--params", metavar="FILE", required=True, help="what `train` saved")
    sample.add_argument("--steps", metavar="N", type=parse_positive, default=20, help="symbols, or numbers " + BY_DEFAULT)
    sample.add_argument("--count", metavar="N", type=parse_positive, default=5, help="sequences " + BY_DEFAULT)
    sample.add_argument("--seed", metavar="N", type=parse_natural, default=0, help="of the draws " + BY_DEFAULT)
    sample.add_argument("--temperature", metavar="T", type=parse_number, default=1.0,
                        help="below 1 likely symbols are likelier, 0 takes the likeliest (default: %(default)g)")  # fmt: skip
    sample.add_argument("--symbols", metavar="TEXT", help="a character for each symbol (default: numbers are printed)")
    sample.add_argument("--start", metavar="N", type=parse_natural, help="the symbol before the first (default: of the model)")
    sample.add_argument("--stop", metavar="N", type=parse_natural, help="the symbol that ends a sequence")
    sample.add_argument("--data", metavar="FILE", help="the beginning of a series, .npz or .csv, which is continued")
    sample.set_defaults(run=run_sample)


def run_sample(args: argparse.Namespace) -> None:
    """Draw, and print a sequence a line.

    Raises:
        UsageError: the output is neither scores of symbols nor the next numbers of a series.
        LoadError: the file does not hold the parameters.
    """
    graph = load_graph(args.graph)
    saved = learn.load(args.params, fits=graph)
    params = saved.get("params", saved)
    weights = {name: params[name] for name in graph.inputs if name in params}
    output = graph.outputs[0]
    symbols = [name for name, n in list_fed(graph).items() if n.dtype is int and not n.shape and n.axes]
    if len(graph.outputs) != 1 or output.dtype is not float:
        raise UsageError("C150", f"{args.graph} is not one output of a model",
                         expected="scores of symbols, or the next numbers of a series",
                         got=", ".join(map(repr, graph.outputs))[:120])  # fmt: skip
    if symbols and len(output.shape) == 1:
        _sample_symbols(args, graph, symbols, weights)
    else:
        batch = find_batch(graph)
        alone = graph if batch is None else ag.Graph(make_one_step(graph, batch))
        _continue_series(args, alone, weights)


def _switch_off(graph: ag.Graph) -> dict[str, Any]:
    """Return the feed that turns dropout off, if the model has some."""
    return {"train": False} if graph.inputs.get("train") is TRAIN else {}


def _sample_symbols(args: argparse.Namespace, graph: ag.Graph, symbols: list[str], weights: dict[str, Any]) -> None:
    if len(symbols) > 1:
        raise UsageError(
            "C151", "the model has several inputs of symbols", expected="one, the symbol before", got=", ".join(symbols)
        )
    (scores,) = graph.outputs
    if args.symbols is not None and len(args.symbols) != scores.shape[0]:
        raise UsageError("C152", f"--symbols gives {len(args.symbols)} characters",
                         expected=f"{scores.shape[0]}, one for each symbol", got=repr(args.symbols)[:80])  # fmt: skip
    model = SequenceModel(scores, symbols[0], start=args.start)
    feeds = _switch_off(graph)
    made = model.sample(
        weights, args.steps, count=args.count, seed=args.seed, temperature=args.temperature, stop=args.stop, **feeds
    )
    for row, n in zip(made.symbols, made.lengths, strict=True):
        kept = [int(k) for k in row[:n] if k != args.stop]
        print(make_printable("".join(args.symbols[k] for k in kept)) if args.symbols else " ".join(map(str, kept)))


def _continue_series(args: argparse.Namespace, graph: ag.Graph, weights: dict[str, Any]) -> None:
    """Print the next numbers of a series: each is fed again as the next input."""
    (output,), fed = graph.outputs, list_fed(graph)
    varying = [name for name, n in fed.items() if n.axes]
    if len(varying) != 1 or not _is_series(fed[varying[0]], output):
        raise UsageError(
            "C153", f"{args.graph} is neither scores of symbols nor the next numbers of a series",
            got=f"{output!r}, of {', '.join(fed)}"[:120],
            expected="one input over the steps, of the output's shape; or an int, and scores (K,)",
        )  # fmt: skip
    if args.data is None:
        raise UsageError("C154", "a series is continued from its beginning, which is missing", expected="--data FILE",
                         got="none", fix="--data FILE, .npz or .csv")  # fmt: skip
    (name,) = varying
    feeds = read_feeds(args.data, graph, surplus=True)
    series = np.asarray(feeds[name], float)
    steps = find_steps(graph)
    fixed = {k: v for k, v in feeds.items() if k not in (name, "lengths")} | _switch_off(graph)
    step = ag.stream(output, over=steps).bind(**weights, **fixed)
    carry, value = None, np.zeros(output.shape)
    for x in series:
        (value,), carry = step(carry, **{name: x})
    for _ in range(args.steps):
        print(",".join(f"{v:.6g}" for v in np.ravel(value)))
        (value,), carry = step(carry, **{name: np.array(value)})


def _is_series(source: Node, output: Node) -> bool:
    return source.dtype is float and source.axes == output.axes and source.shape == output.shape


__all__ = ["add_sample", "run_sample"]
