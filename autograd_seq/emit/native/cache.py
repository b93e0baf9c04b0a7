"""Native code on disk: read only where nobody but this user can have written, and only as it was written.

Why not the cache that numba has (2026-11): it looks wherever ``NUMBA_CACHE_DIR`` says, and beside the source, whoever can
write there; it unpickles what it finds, which runs whatever that says; a damaged file, or a full disk, ends the program.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_SIZE = hashlib.sha256().digest_size


def get_cache_folder() -> Path | None:
    """Return the folder that native code is kept in, or ``None`` if there is none that this user alone can write."""
    return examine_folder()[0]


def examine_folder() -> tuple[Path | None, str]:
    """Return the folder that native code is kept in, and where it is, or why there is none.

    It is ``autograd_seq`` below ``XDG_CACHE_HOME``, or below ``~/.cache`` where that is not set, or no absolute path.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        if os.name == "posix" and not os.path.isabs(os.environ.get("HOME", os.sep)):
            return None, "no home: HOME is no absolute path"
        home = os.path.expanduser("~")
        if not os.path.isabs(home):  # of a user that the system has no entry of
            return None, "no home: HOME is not set"
        base = os.path.join(home, ".cache")
    folder = Path(os.path.realpath(base)) / "autograd_seq"
    try:
        for place in [*reversed(folder.parents), folder]:
            if not place.exists():
                place.mkdir(mode=0o700, exist_ok=True)
        folder = folder.resolve()
        why = _describe_risk(folder)
    except OSError as error:
        return None, f"{error.strerror}: {error.filename}"
    return (None, why) if why else (folder, str(folder))


def _describe_risk(folder: Path) -> str:
    """Return who else can write in a folder, or put another in its place: looked at up to the user's home; empty if nobody."""
    if not hasattr(os, "getuid"):
        return ""
    home = os.path.realpath(os.path.expanduser("~"))
    for place in (folder, *folder.parents):
        info = place.stat()
        if info.st_uid != os.getuid() and (info.st_uid != 0 or place == folder):
            return f"{place} belongs to another user"
        if info.st_mode & _OTHERS and (place == folder or not info.st_mode & stat.S_ISVTX):
            return f"others can write in {place}: chmod go-w {place}"
        if str(place) == home:
            break
    return ""


def _compute_digest(path: Path, data: bytes) -> bytes:
    """Return what tells whether these data were written to this file: a file that was given another name is not read."""
    return hashlib.sha256(path.name.encode() + data).digest()


def _read(path: Path) -> bytes | None:
    """Return what was written to a file, or ``None`` if there is none, if it is damaged, or if it may be another user's."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            info = os.fstat(handle)
            others = hasattr(os, "getuid") and (info.st_uid != os.getuid() or info.st_mode & _OTHERS)
            if others or not stat.S_ISREG(info.st_mode):
                return None
            whole = file.read()
    except OSError:
        return None
    digest, data = whole[:_SIZE], whole[_SIZE:]
    return data if _compute_digest(path, data) == digest else None


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; a disk that is full keeps nothing."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_compute_digest(path, data) + data)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
    except OSError:
        return


def load(name: str, make: Callable[[tuple[bytes, bytes]], Any]) -> Any:
    """Return what ``make`` makes of the two parts that were kept under a name; ``None`` if there are none, or it cannot."""
    path = _get_file(name)
    data = _read(path) if path else None
    if data is None:
        return None
    size = int.from_bytes(data[:8], "little")
    try:
        return make((data[8 : 8 + size], data[8 + size :]))
    except Exception:  # whatever it is that cannot be loaded any more is compiled anew
        return None


def keep(name: str, parts: tuple[bytes, bytes]) -> None:
    """Keep two parts under a name that nothing else has."""
    path = _get_file(name)
    if path:
        _write(path, len(parts[0]).to_bytes(8, "little") + parts[0] + parts[1])


def _get_file(name: str) -> Path | None:
    folder = get_cache_folder()
    return folder / f"{name}.native" if folder else None


__all__ = ["examine_folder", "get_cache_folder", "keep", "load"]
