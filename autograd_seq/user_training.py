"""`autograd-seq train`: a loss in a user's file, trained on data in another one, saved, and gone on with."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import autograd_seq as ag
from autograd_seq import learn
from autograd_seq.arguments import BY_DEFAULT, add_graph_argument, parse_natural, parse_number, parse_positive
from autograd_seq.core.names import make_printable
from autograd_seq.run.backends import BACKENDS
from autograd_seq.user_data import find_batch, find_steps, list_fed, read_feeds
from autograd_seq.user_graph import UsageError, blame_file, is_loss, list_params, load_graph

OPTIMIZERS: dict[str, Callable[[Any], learn.Optimizer]] = {
    "adam": learn.adam, "adamw": learn.adamw, "sgd": learn.sgd, "momentum": learn.momentum, "rmsprop": learn.rmsprop,
}  # fmt: skip
_STEPS = 1000


def add_train(commands: Any) -> None:
    """Add the command."""
    train = commands.add_parser("train", help="train a loss of your own on data of your own")
    add_graph_argument(train)
    train.add_argument("--data", metavar="FILE", required=True,
                       help=".npz: arrays by the names of the inputs; .csv: a row for each step")  # fmt: skip
    train.add_argument(
        "--save", metavar="FILE", required=True, help="the training, .safetensors or .npz: once a minute, and at the end"
    )
    train.add_argument("--resume", action="store_true", help="go on from that file, if it is there")
    train.add_argument(
        "--steps", metavar="N", type=parse_natural, help=f"in all (default: {_STEPS}, or as many as --epochs make)"
    )
    train.add_argument("--epochs", metavar="N", type=parse_natural, help="how many times to go through the data")
    train.add_argument("--batch", metavar="N", type=parse_positive, help="sequences at a step (default: all)")
    train.add_argument(
        "--segment", metavar="N", type=parse_positive, help="time steps at a step, states carried on (default: all)"
    )
    train.add_argument(
        "--memory", metavar="M", help='"sqrt", or an amount such as 50MB: recompute instead of storing (default: store)'
    )
    train.add_argument("--optimizer", choices=[*OPTIMIZERS, "lbfgs"], default="adam", help=BY_DEFAULT)
    train.add_argument("--rate", metavar="R", type=parse_number, default=0.001, help="of learning " + BY_DEFAULT)
    train.add_argument("--cosine", action="store_true", help="let the rate fall as half a cosine")
    train.add_argument("--clip", metavar="C", type=parse_number, help="the largest norm of the gradients (default: any)")
    train.add_argument("--valid", metavar="FILE", help="data for validation: the best parameters are kept")
    train.add_argument("--validate-every", metavar="N", type=parse_positive, help="steps (default: an epoch)")
    train.add_argument("--patience", metavar="N", type=parse_positive, help="stop after N validations that are no better")
    train.add_argument("--log", metavar="FILE", help="history, a .csv file")
    train.add_argument(
        "--seed", metavar="N", type=parse_natural, help="of first parameters, draws, order (default: 0, or the file's)"
    )
    train.add_argument("--backend", choices=BACKENDS, help="of the compiled program")
    train.set_defaults(run=run_train)


def run_train(args: argparse.Namespace) -> None:
    """Train, and print what came of it.

    Raises:
        UsageError: something is asked for that cannot be done.
        KeyboardInterrupt: Ctrl-C has ended it; the training is saved.
    """
    graph = load_graph(args.graph)
    loss = _find_loss(graph, args.graph)
    if Path(args.save).exists() and not args.resume:
        raise UsageError("C140", f"there is a file {args.save!r} already", expected="a new name", got=args.save,
                         fix="--resume goes on from it; another --save begins anew")  # fmt: skip
    args.seed = _choose_seed(args)
    feeds = read_feeds(args.data, graph)
    valid = None if args.valid is None else read_feeds(args.valid, graph)
    steps = _STEPS if args.steps is None and args.epochs is None else args.steps
    options = {name: given for name in ("backend", "memory") if (given := getattr(args, name))}
    began = time.monotonic()
    with blame_file(args.graph), _refuse_other_batches(args):
        result = learn.train(
            loss, ag.nn.init.params(loss, seed=args.seed), _make_batches(graph, feeds, args), _make_optimizer(args, steps),
            steps=steps, epochs=args.epochs, clip=args.clip, valid=valid, validate_every=args.validate_every,
            patience=args.patience, save=args.save, resume=args.resume, seed=args.seed,
            description=make_printable(args.graph.rpartition(":")[2]), callbacks=[learn.CsvLog(args.log)] if args.log else [],
            carry=args.segment is not None and find_steps(graph), **options,
        )  # fmt: skip
    _print_report(result, args, time.monotonic() - began)
    if result.interrupted:
        raise KeyboardInterrupt


@contextmanager
def _refuse_other_batches(args: argparse.Namespace) -> Iterator[None]:
    """Let a training that goes on from a file have the batches of that file, and no others."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", learn.OtherBatchesWarning)
        try:
            yield
        except learn.OtherBatchesWarning as warning:
            raise UsageError("C146", f"{args.save} is of a training on other segments of data", expected="the same as before",
                             got=f"{warning}", fix="the --data, --batch and --segment of that training") from None  # fmt: skip


def _choose_seed(args: argparse.Namespace) -> int:
    """Return the seed that is given; of a training that is gone on with, its own, on which the order of its batches depends."""
    if not (args.resume and Path(args.save).exists()):
        return args.seed or 0
    held = learn.load(args.save).get("seed")
    if args.seed is not None and args.seed != held:
        raise UsageError("C145", f"--seed {args.seed} is not that of {args.save}", expected=f"--seed {held}, or none",
                         got=f"--seed {args.seed}", fix=f"--seed {held}")  # fmt: skip
    return held if type(held) is int else 0  # what else it is, the training refuses


def _find_loss(graph: ag.Graph, place: str) -> ag.Node:
    losses = [o for o in graph.outputs if is_loss(o)]
    if len(losses) != 1 or not list_params(graph):
        raise UsageError(
            "C141", f"{place} is not a loss that can be trained", expected="a float without axes, that reads parameters",
            got=", ".join(map(repr, graph.outputs))[:120], fix="ag.mean(…, over=(t, b)) makes one number",
        )  # fmt: skip
    return losses[0]


def _make_batches(graph: ag.Graph, feeds: dict[str, Any], args: argparse.Namespace) -> Any:
    """Return all data as one dict, or batches of sequences, or segments of these."""
    batch, steps, fed = find_batch(graph), find_steps(graph), list_fed(graph)

    def find_places(axis: ag.Axis) -> dict[str, int]:
        return {name: n.axes.index(axis) for name, n in fed.items() if axis in n.axes}

    if args.batch is None and args.segment is None:
        return feeds
    if args.batch is not None:
        if batch is None:
            raise UsageError("C142", "--batch needs an axis of sequences, and the inputs have none",
                             expected="inputs over steps and sequences", got=f"--batch {args.batch}",
                             fix='b = ag.Axis("b"); ag.input("x", over=(t, b))')  # fmt: skip
        batches: Any = learn.batches(feeds, args.batch, axis=find_places(batch), seed=args.seed)
        if args.segment is None:
            return batches
    else:
        batches = lambda epoch: [feeds]  # noqa: E731 - the other branch has a function too
    if steps is None:
        raise UsageError("C143", "--segment needs an axis of steps, and the inputs have none", got=f"--segment {args.segment}")
    return lambda epoch: [
        piece for part in batches(epoch) for piece in learn.segments(part, args.segment, axis=find_places(steps))
    ]


def _make_optimizer(args: argparse.Namespace, steps: int | None) -> learn.Optimizer:
    if args.optimizer == "lbfgs":
        return learn.lbfgs()
    if not args.cosine:
        return OPTIMIZERS[args.optimizer](args.rate)
    if steps is None:
        raise UsageError(
            "C144", "--cosine needs the number of steps", expected="--steps N", got="--epochs alone", fix="--steps N"
        )
    return OPTIMIZERS[args.optimizer](learn.cosine(args.rate, max(steps, 1)))


def _print_report(result: learn.Result, args: argparse.Namespace, seconds: float) -> None:
    count, losses = result.state.step, result.losses[result.resumed :]
    if len(losses):
        print(f"{len(losses):,} step{'s' * (len(losses) > 1)} in {seconds:.1f} s: loss {losses[0]:.4g} → {losses[-1]:.4g}")
    else:
        asked = args.steps != 0 and args.epochs != 0
        print("no step was made" + (f": there were {count:,} before" if count else ": the gradient is 0" if asked else ""))
    if len(result.valid):
        best = result.valid[result.valid[:, 1].argmin()]
        print(f"least validation loss {best[1]:.4g}, after step {best[0]:,.0f}")
    print(f"saved after {count:,} step{'s' * (count != 1)} in all: {args.save}")
    if result.interrupted:
        print("the same command with --resume goes on")


__all__ = ["add_train", "run_train"]
