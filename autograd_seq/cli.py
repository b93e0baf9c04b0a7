"""The command line. `demo` runs the lecture's RNN; `draw`, `check` and `explain` show a user's own graph, `train` and `sample`
use it; `bench` compares training steps; `gallery` trains on real data; `doctor` examines the machine.

A user's mistake ends in a sentence on standard error and exit code 2, never in a traceback.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import autograd_seq as ag
from autograd_seq import demo, doctor
from autograd_seq.applications.architectures import READERS, Kept
from autograd_seq.applications.architectures import compare as compare_readers
from autograd_seq.applications.gallery import APPLICATIONS, run_all
from autograd_seq.applications.outcome import Budget
from autograd_seq.arguments import (
    BY_DEFAULT,
    add_graph_argument,
    describe_choices,
    parse_list,
    parse_natural,
    parse_number,
    parse_positive,
    parse_positives,
)
from autograd_seq.bench import measure, peers, work
from autograd_seq.core.errors import AutogradSeqError, did_you_mean
from autograd_seq.core.names import make_printable
from autograd_seq.core.node import Node
from autograd_seq.core.notebook import import_viz
from autograd_seq.datasets.tasks import TASKS
from autograd_seq.run.backends import BACKENDS, VARIABLE
from autograd_seq.user_graph import UsageError, blame_file, draw_feeds, is_loss, list_params, load_graph
from autograd_seq.user_sample import add_sample
from autograd_seq.user_training import add_train

DONE, FAILED, INTERRUPTED = 0, 2, 130
_PICTURED_STEPS = 4
DEMO, GALLERY = "autograd-seq-demo", "autograd-seq-gallery"
"""The folders for the pictures of the demo and of the gallery, which git ignores."""


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        argv: the arguments after the program's name; those of the process by default.

    Returns:
        0, or 2 after an error, whose message is on standard error.

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
        print(make_printable(f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")), file=sys.stderr)
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
    run.add_argument("--out", metavar="DIR", default=DEMO, help="folder for the pictures, created if missing " + BY_DEFAULT)
    run.add_argument("--steps", metavar="N", type=parse_positive, default=demo.STEPS, help="steps of Adam " + BY_DEFAULT)
    run.add_argument(
        "--seed", metavar="N", type=parse_natural, default=demo.SEED, help="seed of the first parameters " + BY_DEFAULT
    )
    run.set_defaults(run=_run_demo)

    draw = commands.add_parser("draw", help="draw a graph of your own")
    add_graph_argument(draw)
    draw.add_argument("-o", "--out", metavar="FILE", required=True, help="png, svg, pdf, dot, tex, mmd, or html: a page")
    draw.add_argument("--unroll", metavar="N", type=parse_natural, help="unfold over N steps (default: draw it folded)")
    draw.add_argument("--level", choices=("variables", "ops"), help="what is drawn (default: variables)")
    draw.add_argument("--params", choices=("labels", "bus", "hide"), help="parameters of the unfolded picture")
    draw.add_argument("--depth", metavar="N", type=parse_positive, help="draw scopes of this depth as boxes")
    draw.add_argument("--collapse", metavar="LIST", type=parse_list, help="draw these scopes as boxes: encoder,decoder")
    draw.add_argument("--legend", action="store_true", help="write below what colours and shapes mean")
    draw.add_argument("--theme", choices=("white", "dark"), default="white", help=BY_DEFAULT)
    draw.set_defaults(run=_run_draw)

    check = commands.add_parser("check", help="print a graph of your own, and check it and its gradient")
    add_graph_argument(check)
    check.set_defaults(run=_run_check)

    explain = commands.add_parser("explain", help="print the schedule and the program that a graph of your own becomes")
    add_graph_argument(explain)
    explain.add_argument("--plain", action="store_true", help="print the program as it is written by hand")
    explain.set_defaults(run=_run_explain)

    add_train(commands)
    add_sample(commands)
    _add_bench(commands)
    _add_training(commands)
    doctor_ = commands.add_parser("doctor", help="examine this machine, and advise what to set")
    doctor_.set_defaults(run=_run_doctor)
    return parser


def _add_bench(commands: Any) -> None:
    """Add the command that measures."""
    bench = commands.add_parser("bench", help="time compiled training steps beside those of other libraries")
    bench.add_argument("--cells", metavar="LIST", type=parse_list, default=[*work.GATES], help=describe_choices(work.GATES))
    bench.add_argument("--sizes", metavar="LIST", type=parse_list, default=[*work.SIZES], help=describe_choices(work.SIZES))
    known = peers.find_peers()
    slow = [name for name, peer in known.items() if peer.slow]
    elsewhere = f"; started in a checkout of the repository also {peers.ELSEWHERE}" if known == peers.OWN else ""
    others = f'{describe_choices(known, slow)}; "" for ours and by hand alone{elsewhere}'
    bench.add_argument("--peers", metavar="LIST", type=parse_list, help=others)
    bench.add_argument("--backend", choices=BACKENDS, help=f"backend of our programs (default: {VARIABLE}, or auto)")
    bench.add_argument("--seconds", metavar="N", type=parse_number, default=20.0, help="for each line (default: %(default)g)")
    bench.set_defaults(run=_run_bench)


def _add_training(commands: Any) -> None:
    """Add the commands that train networks and compare them: on real data, and on tasks drawn from a seed."""
    gallery = commands.add_parser("gallery", help="train on real data: one table and one page of pictures")
    gallery.add_argument("names", metavar="NAME", nargs="*", help=f"some of {', '.join(APPLICATIONS)} (default: all)")
    gallery.add_argument("--out", metavar="DIR", default=GALLERY, help="folder for table and pages " + BY_DEFAULT)
    gallery.add_argument("--seeds", metavar="N", type=parse_positive, default=3, help="networks of each " + BY_DEFAULT)
    gallery.add_argument("--steps", metavar="N", type=parse_positive, help="steps, at most (default: as each needs)")
    gallery.set_defaults(run=_run_gallery)

    compare = commands.add_parser("compare", help="train RNN, LSTM, GRU, LRU and attention on tasks of long memory: one table")
    compare.add_argument("--tasks", metavar="LIST", type=parse_list, default=[*TASKS], help=describe_choices(TASKS))
    compare.add_argument("--readers", metavar="LIST", type=parse_list, default=[*READERS], help=describe_choices(READERS))
    compare.add_argument("--lengths", metavar="LIST", type=parse_positives, default=[50, 200], help="steps (default: 50,200)")
    compare.add_argument("--seeds", metavar="N", type=parse_positive, default=1, help="networks of each " + BY_DEFAULT)
    compare.add_argument("--batches", metavar="N", type=parse_positive, default=1500, help="at most " + BY_DEFAULT)
    compare.add_argument("--minutes", metavar="N", type=parse_positive, help="of training of each network at a rate, at most")
    compare.add_argument("--keep", metavar="FILE", help="where each training is kept as it ends, and is not done again")
    compare.add_argument("--show", action="store_true", help="train nothing: the table of what FILE holds")
    compare.set_defaults(run=_run_compare)


# -- demo -------------------------------------------------------------------------------------------------------------


def _run_demo(args: argparse.Namespace) -> None:
    draw, folder = import_viz(), Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    model = demo.build()
    demo.describe(model, _PICTURED_STEPS)
    # Drawn before the training, so that a directory that cannot be written to fails at once.
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
    page = args.out.lower().endswith(".html")
    if args.unroll is None and args.params is not None and not page:
        raise UsageError(
            "C101", f"--params {args.params} has no effect without --unroll", got=f"--params {args.params} without --unroll",
            fix="add --unroll 4",
        )  # fmt: skip
    chosen = {name: getattr(args, name) for name in ("level", "params", "depth", "collapse", "legend")}
    idle = [f"--{name}" for name, value in chosen.items() if value and page]
    if idle:
        raise UsageError("C111", f"{idle[0]} has no effect on a page, which shows all levels and opens and closes scopes",
                         got=f"{' '.join(idle)} with {args.out}", fix=f"leave {idle[0]} out, or write an svg")  # fmt: skip
    graph, draw = load_graph(args.graph), import_viz()
    if page:
        steps = {} if args.unroll is None else {"t": args.unroll}
        picture = draw.page(graph, **steps, program=ag.compile(graph), title=args.graph, theme=args.theme)
    else:
        look = {"theme": args.theme, "depth": args.depth, "collapse": args.collapse, "legend": args.legend}
        if args.unroll is None:
            picture = draw.folded(graph, level=args.level or "variables", **look)
        else:
            picture = draw.unfolded(graph, t=args.unroll, params=args.params, level=args.level, **look)
    print(picture.save(args.out))


# -- check ------------------------------------------------------------------------------------------------------------


def _run_check(args: argparse.Namespace) -> None:
    graph = load_graph(args.graph)
    print(graph)
    cycles = graph.cycles()
    for cycle in cycles:
        print(f"cycle: {' → '.join(map(make_printable, [*cycle, cycle[0]]))}")
    print(f"{len(cycles)} cycle{'' if len(cycles) == 1 else 's'}, each broken by a delay" if cycles else "no cycle")
    losses = [o for o in graph.outputs if is_loss(o)]
    if not losses:
        print("gradient not checked: no output is a scalar float; sum it, over its axes as well: ag.sum(y, over=t)")
    with blame_file(args.graph):
        for loss in losses:
            _check_gradient(ag.Graph(loss), loss)


def _check_gradient(graph: ag.Graph, loss: Node) -> None:
    name, params = graph.label(loss), list_params(graph)
    if not params:
        print(f"gradient of {name} not checked: it reads no parameter")
        return
    feeds = draw_feeds(graph)
    sizes = ", ".join(f"{make_printable(axis)}={n}" for axis, n in graph.sizes(feeds).items())
    where, count = f" over {sizes}" if sizes else "", sum(int(np.prod(p.shape)) for p in params)
    print(f"gradient of {name}{where}, random feeds, {count:,} entries, against numerical derivatives:", flush=True)
    for line in str(ag.check_grad(loss, params, feeds)).splitlines():  # raises if one differs
        print(f"  {line}")


# -- explain ----------------------------------------------------------------------------------------------------------


def _run_explain(args: argparse.Namespace) -> None:
    graph = load_graph(args.graph)
    params, returned = list_params(graph), ", ".join(graph.label(o) for o in graph.outputs)
    if len(graph.outputs) == 1 and is_loss(graph.outputs[0]) and params:
        with blame_file(args.graph):
            step: Any = ag.value_and_grad(graph.outputs[0], params)
        returned += f", and its gradients with respect to {', '.join(make_printable(str(p.name)) for p in params)}"
    else:
        step = ag.compile(graph)
    if args.plain:
        print(step.textbook.rstrip())
        return
    print(f"Schedule of {returned}; on the right, floating-point operations and bytes:\n")
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
        finally:  # what has been measured is shown, even if Ctrl-C ends it
            bar.close()
            if rows:
                print(measure.report(rows))


# -- gallery ----------------------------------------------------------------------------------------------------------


def _run_gallery(args: argparse.Namespace) -> None:
    for name in args.names:
        if name not in APPLICATIONS:
            raise UsageError(
                "C109", f"there is no application {name!r}", got=name, expected=f"some of {', '.join(APPLICATIONS)}",
                fix=did_you_mean(name, APPLICATIONS),
            )  # fmt: skip
    run_all(args.names or [*APPLICATIONS], Path(args.out), Budget(range(args.seeds), args.steps))


def _run_compare(args: argparse.Namespace) -> None:
    for option, given, known in (("--tasks", args.tasks, TASKS), ("--readers", args.readers, READERS)):
        for name in given:
            if name not in known:
                raise UsageError("C110", f"{option} has no {name!r}", got=name, expected=f"some of {', '.join(known)}",
                                 fix=did_you_mean(name, known))  # fmt: skip
    minutes, kept = args.minutes or math.inf, Kept(args.keep, complete=not args.show)
    compare_readers(args.tasks, args.lengths, args.readers, range(args.seeds), args.batches, minutes, kept=kept)


# -- doctor -----------------------------------------------------------------------------------------------------------


def _run_doctor(args: argparse.Namespace) -> None:
    print(doctor.examine())
    t = ag.Axis("t")
    s = ag.state("s", over=t)
    s[t] = ag.tanh(s[t - 1])
    with tempfile.TemporaryDirectory() as folder:
        try:
            import_viz().folded(ag.Graph(ag.last(s, over=t))).save(Path(folder) / "s.png")
            pictures = "render"
        except AutogradSeqError as error:
            pictures = f"do not render: {error}"
    print(f"\npictures {pictures}")
