"""The child process that renders: DOT text in, a file's bytes out. `viz.render.files` runs this file as a script.

A process of its own, because Graphviz is C code: within the caller it could not be stopped when it takes too long,
would print font warnings to the caller's stderr, and a crash would end the caller's session.

Usage: python worker.py FORMAT < text > picture. Exits with 3 where neither pygraphviz nor a dot program is there.
"""

from __future__ import annotations

import sys

NO_RENDERER = 3


def render_dot(text: str, form: str) -> bytes:
    """Render DOT text with pygraphviz's own Graphviz, else with the dot program on the PATH.

    Args:
        text: DOT.
        form: a format both know, such as "png", "svg", "pdf", "plain".

    Returns:
        The bytes of the file.

    Raises:
        ImportError: neither pygraphviz nor graphviz is installed.
        FileNotFoundError: pygraphviz is missing, and there is no dot program.
    """
    try:
        import pygraphviz
    except ImportError:
        import graphviz

        try:
            return graphviz.Source(text).pipe(format=form, quiet=True)
        except graphviz.ExecutableNotFound as error:
            raise FileNotFoundError(str(error)) from None
    return pygraphviz.AGraph(string=text).draw(format=form, prog="dot")


def main(argv: list[str]) -> int:
    """Render stdin to stdout; the exit status says how it went."""
    text = sys.stdin.buffer.read().decode("utf-8")
    try:
        data = render_dot(text, argv[0])
    except (ImportError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return NO_RENDERER
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
