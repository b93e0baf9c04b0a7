"""A program as a file of its own, which runs with NumPy alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import numpy as np

from autograd_seq.core.errors import OperationError
from autograd_seq.core.names import make_docstring
from autograd_seq.emit.program_text import PROGRAM, Emitted
from autograd_seq.graph.graph import Graph


def write_standalone(emitted: Emitted, graph: Graph, width: np.dtype | None) -> str:
    """Return the text of a file with a program: a docstring that tells how to call it, its source and its constants.

    Args:
        emitted: the program.
        graph: the graph as the user wrote it, for names and shapes.
        width: the width of its floats, for the example of a call.

    Raises:
        OperationError: the program calls functions whose source cannot be copied into the file.
    """
    _check_alone(emitted)
    source = emitted.source
    if emitted.constants:
        before, head, program = source.rpartition(PROGRAM)
        program = program.replace(", constants):\n", ", constants=_CONSTANTS):\n", 1)
        table = "\n".join(f'    "{name}": {_write_literal(value)},' for name, value in emitted.constants.items())
        source = f"{before}\n_CONSTANTS = {{\n{table}\n}}\n\n{head}{program}"
    return f"{make_docstring(_write_usage(emitted, graph, width))}\n\n{source}"


def write_textbook(emitted: Emitted, graph: Graph) -> str:
    """Return the text of a file with a textbook program, followed by its constants.

    Args:
        emitted: the program.
        graph: the graph as the user wrote it.

    Raises:
        OperationError: the program calls functions whose source cannot be copied into the file.
    """
    _check_alone(emitted)
    arguments = [*emitted.feeds.values(), *(f"{emitted.sizes[a]}=…" for a in emitted.asked)]
    usage = ["A program written by autograd_seq, as it is written by hand; it needs NumPy alone.", "",
             f"    outputs = step({', '.join(arguments)})", "", *_list_arguments(emitted, graph, "float64")]  # fmt: skip
    constants = [f"{name} = {_write_literal(value)}" for name, value in emitted.constants.items()]
    return "\n".join([make_docstring("\n".join([*usage, ""])), "", emitted.source, *constants, *([""] if constants else [])])


def _check_alone(emitted: Emitted) -> None:
    """Refuse a program that calls functions whose source it does not contain."""
    if emitted.foreign:
        names = ", ".join(emitted.foreign)
        raise OperationError(
            "O304", f"the program cannot stand alone: it calls {names}", expected="operations whose source can be copied",
            got=", ".join(f"{k}: {v!r}"[:80] for k, v in emitted.foreign.items()),
            fix="write forward= as a plain function that reads its arguments, numpy as np, math and hashlib only",
        )  # fmt: skip


def _write_literal(value: np.ndarray) -> str:
    text = repr(value.tolist()).replace("nan", "np.nan").replace("inf", "np.inf")
    return f'np.array({text}, "{value.dtype.name}").reshape({value.shape!r})'


def _write_usage(emitted: Emitted, graph: Graph, width: np.dtype | None) -> str:
    real = "float64" if width is None else width.name
    sizes = [*(f"{name}=…" for name in emitted.sizes.values()), f"real=np.{real}"]
    lines = ["A program written by autograd_seq; it needs NumPy alone.", "", "    import numpy as np", "",
             f"    run = program({', '.join(sizes)})",
             f"    outputs = run({', '.join(emitted.feeds.values())})", ""]  # fmt: skip
    if emitted.sizes:
        lines += ["Sizes:", *(f"    {name}: the length of axis {axis}" for axis, name in emitted.sizes.items()), ""]
    lines += _list_arguments(emitted, graph)
    lines += ["", "run keeps its workspace: call it from one thread at a time; program(…) makes another one.", ""]
    return "\n".join(lines)


def _list_arguments(emitted: Emitted, graph: Graph, real: str = "real") -> list[str]:
    """Return the lines that describe the arguments and the outputs of a program."""

    def write_shape(axes: tuple[object, ...], shape: tuple[int, ...]) -> str:
        return f"({', '.join(map(str, [*axes, *shape]))}{',' if len(axes) + len(shape) == 1 else ''})"

    kinds = {float: real, int: "np.int64", bool: "np.bool_"}
    lines = ["Arguments, arrays in this order:"]
    for name, argument in emitted.feeds.items():
        node = graph.inputs[name]
        axes = tuple(emitted.sizes[a] for a in graph.layout(node))
        known = "" if argument == name else f", which is {graph.label(node)}"
        lines.append(f"    {argument}: {write_shape(axes, node.shape)} {kinds[node.dtype]}{known}")
    lines += ["", "Outputs, in this order:" if real != "real" else "Outputs, a tuple of arrays in this order:"]
    for node, own in zip(graph.outputs, emitted.outputs, strict=True):
        axes = tuple(emitted.sizes[a] for a in own)
        lines.append(f"    {graph.label(node)}: {write_shape(axes, node.shape)} {kinds[node.dtype]}")
    return lines


def write(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file whole or not at all, and return its path; a file that was there before is replaced at the end.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> write(Path(folder.name) / "a.py", "x = 1").read_text()
        'x = 1'
        >>> folder.cleanup()
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(8)}.part")
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(temporary, target.stat().st_mode & 0o777)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    return target
