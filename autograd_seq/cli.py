"""The command line: `demo` runs the lecture's RNN, `draw`, `check` and `explain` a user's own graph, `bench` a race,
`doctor` the machine.

Whatever a user can get wrong ends as a sentence on the standard error and exit code 2, never as a traceback.
"""

from __future__ import annotations

import argparse
import math
import os
import runpy
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import autograd_seq as ag
from autograd_seq import demo, doctor
from autograd_seq.bench import measure, peers, work
from autograd_seq.emit.backends import BACKENDS, VARIABLE
from autograd_seq.errors import AutogradSeqError, did_you_mean
from autograd_seq.names import shown
from autograd_seq.node import Node
from autograd_seq.ops.random import SEED
from autograd_seq.pictures import viz

DONE, FAILED, INTERRUPTED = 0, 2, 130
_PICTURED_STEPS = 4
DEMO = "autograd-seq-demo"
"""Where the demo puts its pictures, which git ignores."""


class UsageError(AutogradSeqError):
    """The command line asks for something that cannot be done."""


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        argv: the arguments behind the program's name; those of the process by default.

    Returns:
        0, or 2 after an error, which stands in words on the standard error.

    Example:
        >>> main(["check", "nowhere.py:g"])
        2
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Σ shows ? instead of failing
    try:
        args = _make_parser().parse_args(argv)
        args.run(args)
        sys.stdout.flush()
        return DONE
    except SystemExit as stop:  # argparse has printed its help (0) or its error (2)
        return stop.code if isinstance(stop.code, int) else FAILED
    except AutogradSeqError as error:
        print(error, file=sys.stderr)
    except BrokenPipeError:  # `| head` has read enough; what is still buffered goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        print(shown(f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")), file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return FAILED


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="autograd-seq", description="Recurrence equations as graphs: drawn, differentiated, compiled, trained."
    )
    parser.add_argument("--version", action="version", version=f"autograd-seq {ag.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("demo", help="the lecture's RNN on the sunspots, from equations to a forecast")
    run.add_argument("--out", metavar="DIR", default=DEMO, help="of the pictures; made if need be (default: %(default)s)")
    run.add_argument("--steps", metavar="N", type=_parse_positive, default=demo.STEPS, help="of Adam (default: %(default)s)")
    run.add_argument("--seed", metavar="N", type=_parse_natural, default=demo.SEED, help="of the start (default: 0)")
    run.set_defaults(run=_run_demo)

    draw = commands.add_parser("draw", help="draw a graph of your own")
    _graph_argument(draw)
    draw.add_argument("-o", "--out", metavar="FILE", required=True, help="png, svg, pdf or dot, by the suffix")
    draw.add_argument("--unroll", metavar="N", type=_parse_natural, help="unfold over N steps (default: draw it folded)")
    draw.add_argument("--level", choices=("variables", "ops"), help="what is drawn (default: variables)")
    draw.add_argument("--params", choices=("labels", "bus", "hide"), help="parameters of the unfolded picture")
    draw.add_argument("--theme", choices=("white", "dark"), default="white", help="(default: %(default)s)")
    draw.set_defaults(run=_run_draw)

    check = commands.add_parser("check", help="print a graph of your own, and check it and its gradient")
    _graph_argument(check)
    check.set_defaults(run=_run_check)

    explain = commands.add_parser("explain", help="print the schedule and the program that a graph of your own becomes")
    _graph_argument(explain)
    explain.add_argument("--plain", action="store_true", help="print the program as it is written by hand")
    explain.set_defaults(run=_run_explain)

    bench = commands.add_parser("bench", help="time compiled training steps beside others'")
    bench.add_argument("--cells", metavar="LIST", type=_parse_list, default=[*work.GATES], help=_describe_choices(work.GATES))
    bench.add_argument("--sizes", metavar="LIST", type=_parse_list, default=[*work.SIZES], help=_describe_choices(work.SIZES))
    slow = [name for name, peer in peers.PEERS.items() if peer.slow]
    others = f'{_describe_choices(peers.PEERS, slow)}; "" for ours and by hand alone'
    bench.add_argument("--peers", metavar="LIST", type=_parse_list, help=others)
    bench.add_argument("--backend", choices=BACKENDS, help=f"of ours (default: {VARIABLE}, or auto)")
    bench.add_argument("--seconds", metavar="N", type=_parse_seconds, default=20.0, help="for each line (default: %(default)g)")
    bench.set_defaults(run=_run_bench)
    doctor_ = commands.add_parser("doctor", help="what this machine offers, and what to set")
    doctor_.set_defaults(run=_run_doctor)
    return parser


def _graph_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("graph", metavar="FILE.py:NAME", help="a Graph, a node or a list of nodes in a Python file")


def _parse_natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer ≥ 0")
    return int(text)


def _parse_positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer ≥ 1")
    return int(text)


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number ≥ 0")
    return seconds


def _parse_list(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(","))) if text else []


def _describe_choices(names: Iterable[str], but: Sequence[str] = ()) -> str:
    rest = f" but {' and '.join(but)}, which compile for minutes" if but else ""
    return f"some of {','.join(names)} (default: all{rest})"


# -- demo -------------------------------------------------------------------------------------------------------------


def _run_demo(args: argparse.Namespace) -> None:
    draw, folder = viz(), Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    model = demo.build()
    demo.describe(model, _PICTURED_STEPS)
    # Drawn before the training: a directory that cannot be written to is known at once.
    pictures = [
        draw.folded(model.loss).save(folder / "folded.png"),
        draw.unfolded(model.loss, t=_PICTURED_STEPS).save(folder / "unfolded.png"),
        draw.fold_unfold(model.loss, t=3).save(folder / "fold_unfold.png"),
    ]
    scores = demo.run(model, args.steps, args.seed)
    plot = draw.plots.forecast(
        scores.year, scores.actual, scores.predicted, split=demo.LAST_TRAIN + 1, ylabel="sunspot number",
        title="Yearly sunspot numbers, and the RNN's forecast from the year before",
    )  # fmt: skip
    pictures.append(plot.save(folder / "forecast.png"))
    print(f"\nPictures: {', '.join(map(str, pictures))}")


# -- draw -------------------------------------------------------------------------------------------------------------


def _run_draw(args: argparse.Namespace) -> None:
    if args.unroll is None and args.params is not None:
        raise UsageError(
            "C101", f"--params {args.params} has no effect without --unroll", got=f"--params {args.params} without --unroll",
            fix="add --unroll 4",
        )  # fmt: skip
    graph = load_graph(args.graph)
    if args.unroll is None:
        picture = viz().folded(graph, level=args.level or "variables", theme=args.theme)
    else:
        picture = viz().unfolded(graph, t=args.unroll, params=args.params, level=args.level, theme=args.theme)
    print(picture.save(args.out))


# -- a user's graph ---------------------------------------------------------------------------------------------------


def load_graph(place: str) -> ag.Graph:
    """Return the graph called NAME in FILE.py, for ``place`` = "FILE.py:NAME"; the file is run.

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


def _is_graph(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(v, Node) for v in value)
    return isinstance(value, (ag.Graph, Node))


def _make_file_error(path: Path, error: BaseException) -> UsageError:
    """Say what a user's file raised, and at which of its lines."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return UsageError(
        "C104", f"{path} does not run: {type(error).__name__}: {error}", where=f"{path.name}:{line}" if line else None
    )


@contextmanager
def _blame_file(place: str) -> Iterator[None]:
    """Tell in words what an operation of the user's own raises when it is run or differentiated."""
    path = Path(place.rpartition(":")[0])
    try:
        yield
    except AutogradSeqError:
        raise
    except Exception as error:
        if all(f.filename != str(path) for f in traceback.extract_tb(error.__traceback__)):
            raise
        raise _make_file_error(path, error) from None


# -- check ------------------------------------------------------------------------------------------------------------


def _run_check(args: argparse.Namespace) -> None:
    graph = load_graph(args.graph)
    print(graph)
    cycles = graph.cycles()
    for cycle in cycles:
        print(f"cycle: {' → '.join(map(shown, [*cycle, cycle[0]]))}")
    print(f"{len(cycles)} cycle{'' if len(cycles) == 1 else 's'}, each broken by a delay" if cycles else "no cycle")
    losses = [o for o in graph.outputs if _is_loss(o)]
    if not losses:
        print("gradient not checked: no output is a scalar float; sum it, over its axes as well: ag.sum(y, over=t)")
    with _blame_file(args.graph):
        for loss in losses:
            _check_gradient(ag.Graph(loss), loss)


def _is_loss(node: Node) -> bool:
    return node.shape == () and not node.axes and node.dtype is float


def _list_params(graph: ag.Graph) -> list[Node]:
    return [n for n in graph.inputs.values() if n.op.name == "param" and n.dtype is float]


def _check_gradient(graph: ag.Graph, loss: Node) -> None:
    name, params = graph.label(loss), _list_params(graph)
    if not params:
        print(f"gradient of {name} not checked: it reads no parameter")
        return
    feeds = _draw_feeds(graph)
    sizes = ", ".join(f"{shown(axis)}={n}" for axis, n in graph.sizes(feeds).items())
    where, count = f" over {sizes}" if sizes else "", sum(int(np.prod(p.shape)) for p in params)
    print(f"gradient of {name}{where}, random feeds, {count:,} entries, against numerical derivatives:", flush=True)
    for line in str(ag.check_grad(loss, params, feeds)).splitlines():  # raises if one differs
        print(f"  {line}")


def _draw_feeds(graph: ag.Graph) -> dict[str, np.ndarray]:
    """Return random feeds of the declared shapes at which the outputs are finite.

    A logarithm wants positive numbers, a table of two rows no third: narrower feeds are tried after the wider ones.
    """
    random = np.random.default_rng(0)
    sizes = _choose_sizes(graph)
    wide: Callable[..., np.ndarray] = random.standard_normal
    draws = [(draw, classes) for draw in (wide, lambda n: random.uniform(0.1, 0.9, n)) for classes in (3, 2, 1)]
    feeds: dict[str, np.ndarray] = {}
    for last, (draw, classes) in enumerate(draws, start=1 - len(draws)):
        for name, node in graph.inputs.items():
            if node is not SEED:
                shape = tuple(sizes[a.name] for a in node.axes) + node.shape
                values = draw(shape) if node.dtype is float else random.integers(0, classes, shape)
                feeds[name] = np.asarray(values, dtype=node.dtype)
        try:
            with np.errstate(all="ignore"):
                if all(np.isfinite(value).all() for value in graph.unroll(**sizes).evaluate(**feeds)):
                    break
        except (AutogradSeqError, IndexError):
            if last == 0:  # the narrowest fail as well: it is not the feeds
                raise
    else:
        raise UsageError(
            "C107", "no random feeds were found at which the outputs are finite", expected="numbers",
            got="NaN or infinity",
            fix="call ag.check_grad(loss, params, feeds) with feeds of your own",
        )  # fmt: skip
    return feeds


def _choose_sizes(graph: ag.Graph) -> dict[str, int]:
    """Return 3, 4 or 5 for each axis, equal for axes that the equations tie together."""
    sizes = {axis.name: 3 + (i + 1) % 3 for i, axis in enumerate(graph.axes)}
    ties = [n.attrs for n in graph.nodes if n.op.name == "along"]
    for _ in ties:  # as many rounds as ties reach along any chain of them
        for tie in ties:
            a, b = tie["axis"].name, tie["other"].name
            sizes[a] = sizes[b] = min(sizes.get(a, 5), sizes.get(b, 5))
    return {axis.name: sizes[axis.name] for axis in graph.axes}


# -- explain ----------------------------------------------------------------------------------------------------------


def _run_explain(args: argparse.Namespace) -> None:
    graph = load_graph(args.graph)
    params, returned = _list_params(graph), ", ".join(graph.label(o) for o in graph.outputs)
    if len(graph.outputs) == 1 and _is_loss(graph.outputs[0]) and params:
        with _blame_file(args.graph):
            step: Any = ag.value_and_grad(graph.outputs[0], params)
        returned += f", and its gradients with respect to {', '.join(shown(str(p.name)) for p in params)}"
    else:
        step = ag.compile(graph)
    if args.plain:
        print(step.textbook.rstrip())
        return
    print(f"Schedule of {returned}; at the right, floating-point operations and bytes:\n")
    print(f"{step.schedule}\n\nProgram:\n\n{step.source.rstrip()}")


# -- bench ------------------------------------------------------------------------------------------------------------


def _run_bench(args: argparse.Namespace) -> None:
    works = [work.Workload.of(cell, size) for cell in args.cells for size in args.sizes]
    if not works:
        raise UsageError("C108", "there is nothing to measure", got="an empty list", fix="--cells rnn --sizes tiny")
    peers.choose(args.peers)  # raises for a name that there is not
    rows: list[measure.Row] = []
    with tqdm(total=len(works), desc="measuring", unit="workload", dynamic_ncols=True) as bar:

        def done(new: list[measure.Row]) -> None:
            rows.extend(new)
            bar.update()

        try:
            measure.measure(works, args.peers, seconds=args.seconds, backend=args.backend, done=done)
        finally:  # what is measured is shown, also where Ctrl-C ends it
            bar.close()
            if rows:
                print(measure.report(rows))


# -- doctor -----------------------------------------------------------------------------------------------------------


def _run_doctor(args: argparse.Namespace) -> None:
    print(doctor.examine())
    t = ag.Axis("t")
    s = ag.state("s", over=t)
    s[t] = ag.tanh(s[t - 1])
    with tempfile.TemporaryDirectory() as folder:
        try:
            viz().folded(ag.Graph(ag.last(s, over=t))).save(Path(folder) / "s.png")
            pictures = "render"
        except AutogradSeqError as error:
            pictures = f"do not render: {error}"
    print(f"\npictures {pictures}")
