"""A file that is replaced as a whole: whoever reads it sees the old one or the new one, whenever the writer is killed."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside the one that is to be replaced, on to the disk, and give it that one's name.

    Args:
        path: the file; where it is a link, what it leads to is replaced.
        write: writes the contents to an open file. If it fails, the file stays as it was.

    Raises:
        OSError: the folder does not exist, or cannot be written to.

    Notes:
        The data reach the disk before the name does, and the name before this returns: fsync of the file, then of its folder.
        Pillai et al. 2014, "All file systems are not created equal". What writers that were killed left behind is removed.
    """
    path = Path(os.path.realpath(path))
    _remove_left_behind(path)
    with _open_aside(path) as (file, aside):
        write(file)
        file.flush()
        os.fsync(file.fileno())
        os.replace(aside, path)
    _sync_folder(path.parent)


def check_replaceable(path: Path) -> None:
    """Refuse a file that could not be replaced, before hours are spent on what it is to hold.

    Raises:
        OSError: as for :func:`replace_file`, or the path is a folder.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with _open_aside(path):
        pass


@contextmanager
def _open_aside(path: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """Open a file beside another one, which is gone afterwards; errors about it name the other one."""
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with aside.open("wb") as file:
            yield file, aside
    except OSError as error:
        if error.filename == str(aside):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        aside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere folders cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_left_behind(path: Path) -> None:
    """Remove the unfinished files of processes that are no more."""
    named = re.compile(rf"\.{re.escape(path.name)}\.(\d+)-\d+\.part")
    for other in path.parent.glob(".*.part"):
        found = named.fullmatch(other.name)
        if found and not _is_alive(int(found[1])):
            other.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 ends a process
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


__all__ = ["replace_file"]
