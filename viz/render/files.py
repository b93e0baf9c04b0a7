"""The only place that renders: DOT text to the bytes of a file, in a child process, bounded in time and size.

pygraphviz carries Graphviz inside its wheel and is asked first; else a `dot` program on the PATH through the package
graphviz; else an error that says what to install. DOT itself needs none of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import webbrowser
from pathlib import Path

from viz.errors import DrawError, RenderError, TooLargeError, make_option_error
from viz.render import worker

FORMATS = ("png", "svg", "pdf", "dot", "html", "tex", "mmd")
SECONDS = 60.0
LARGEST_TEXT = 20_000_000

_SMALLER = 'draw less: level="variables" instead of "ops", a smaller t=, params="hide", or save the .dot text'


def get_format(path: str | os.PathLike[str]) -> str:
    """Return the format that a path's suffix asks for.

    Raises:
        DrawError: the suffix is none of the formats.

    Example:
        >>> get_format("net.PNG")
        'png'
    """
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        error = make_option_error("P101", "picture format", suffix, FORMATS)
        what = error.what if suffix else f"{Path(path).name!r:.60} does not end in a picture format"
        raise DrawError(error.code, what, expected=error.expected, got=f"{os.fspath(path)!r:.80}",
                        fix='end the path with one of them: .save("net.png")')  # fmt: skip
    return suffix


def render(text: str, form: str, seconds: float = SECONDS) -> bytes:
    """Return DOT text as the bytes of a file.

    Args:
        text: DOT.
        form: "png", "svg", "pdf" or "dot"; "plain" gives Graphviz's list of places, for tests.
        seconds: how long rendering may take.

    Returns:
        The file's bytes; the same bytes for the same text and version of Graphviz.

    Raises:
        TooLargeError: the text is too long, or rendering took too long.
        RenderError: no renderer is installed, or it failed.

    Example:
        >>> render("digraph {a -> b}", "svg")[:5]
        b'<?xml'

    Notes:
        Starts one process, about 0.2 s.
    """
    if form == "dot":
        return text.encode("utf-8")
    if len(text) > LARGEST_TEXT:
        raise TooLargeError(
            "P102", "the picture is too large to render", expected=f"at most {LARGEST_TEXT:,} characters of DOT",
            got=f"{len(text):,}", fix=_SMALLER,
        )  # fmt: skip
    status, data, said = _run_child(text, form, seconds)
    if status == worker.NO_RENDERER:
        raise RenderError(
            "P103", f"no program here can render {form}", expected="pygraphviz, or a dot program on the PATH",
            got=_get_last_line(said), fix=["pip install pygraphviz", 'or save the text: .save("picture.dot")'],
        )  # fmt: skip
    if status or not data:
        raise RenderError(
            "P104", f"Graphviz could not render the picture as {form}", got=_get_last_line(said) or f"exit status {status}",
            fix='save the text instead: .save("picture.dot")',
        )  # fmt: skip
    return data


def _run_child(text: str, form: str, seconds: float) -> tuple[int, bytes, str]:
    """Run the worker; a time-out also ends any dot program that it started."""
    # -P keeps the working directory off the child's path, so that a file pygraphviz.py there is not run; what this
    # process can import beyond the installed packages, the child can too.
    command = [sys.executable, "-P", worker.__file__, form]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(p for p in sys.path if p), PYTHONWARNINGS="ignore")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
        start_new_session=True,
    ) as child:  # fmt: skip
        try:
            data, said = child.communicate(text.encode("utf-8"), timeout=seconds)
        except subprocess.TimeoutExpired:
            raise TooLargeError(
                "P105", f"rendering took longer than {seconds:g} s", got=f"{text.count(chr(10)):,} nodes and edges",
                fix=_SMALLER,
            ) from None  # fmt: skip
        finally:
            _stop(child)
    return child.returncode, data, said.decode("utf-8", "replace")


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End the child's whole session if the child still runs."""
    if child.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(child.pid, 9)
        child.kill()


def _get_last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def write_file(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file whole or not at all: under a temporary name beside it, flushed to the disk, then renamed.

    Args:
        path: where; its directory must exist.
        data: all its bytes.

    Returns:
        The path.

    Raises:
        DrawError: there is no such directory.
        OSError: the disk refuses; a file that stood there before is unharmed.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise DrawError(
            "P106", f"there is no directory {str(target.parent)!r:.200} to save in", expected="an existing directory",
            got=f"{str(target)!r:.200}", fix="make it first: Path(…).mkdir()",
        )  # fmt: skip
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part")
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None  # not the name of the temporary file
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _get_mode(target))
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    return target


def _get_mode(target: Path) -> int:
    """Return what a plain open() would have given the file: its old permissions, or those the umask leaves."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def show(svg: str) -> None:
    """Show a picture: below the cell of a notebook, else in the program that opens SVG files here.

    Args:
        svg: the picture.
    """
    display = sys.modules.get("IPython.display")
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if display is not None and shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell":
        display.display(display.SVG(svg))
        return
    path = write_file(Path(tempfile.mkdtemp(prefix="autograd_seq-")) / "picture.svg", svg.encode("utf-8"))
    print(path)
    webbrowser.open(path.as_uri())
