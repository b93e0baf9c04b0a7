"""A cache of native code on disk: it is read only if nobody but this user can have written it, and only if it is undamaged.

Why not numba's own cache (2026-11): it reads the folder in ``NUMBA_CACHE_DIR`` and the one beside the source, whoever can
write there; it unpickles files, which can run any code; and a damaged file or a full disk ends the program.
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
    """Return the folder of the cache, or ``None`` if there is none that only this user can write to."""
    return examine_folder()[0]


def examine_folder() -> tuple[Path | None, str]:
    """Return the folder of the cache, or ``None``, and its path as text, or the reason why there is none.

    It is ``autograd_seq`` in ``XDG_CACHE_HOME``, or in ``~/.cache`` if that is not set or not absolute.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        if os.name == "posix" and not os.path.isabs(os.environ.get("HOME", os.sep)):
            return None, "no home: HOME is no absolute path"
        home = os.path.expanduser("~")
        if not os.path.isabs(home):  # a user without an entry in the password database
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
    """Return why others could write to a folder or replace it or a parent up to the user's home; empty if they cannot."""
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
    """Return a digest of the data and the file's name, so that a renamed file is not read."""
    return hashlib.sha256(path.name.encode() + data).digest()


def read_file(path: Path) -> bytes | None:
    """Return the contents of a file, or ``None`` if it does not exist, is damaged, or may have been written by others."""
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


def write_file(path: Path, data: bytes) -> None:
    """Write a file completely or not at all; if the disk is full, no file is left."""
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
    """Return ``make(parts)`` of the two parts kept under a name; ``None`` if there are none, or if ``make`` fails."""
    path = _get_file(name)
    data = read_file(path) if path else None
    if data is None:
        return None
    size = int.from_bytes(data[:8], "little")
    try:
        return make((data[8 : 8 + size], data[8 + size :]))
    except Exception:  # whatever cannot be loaded any more is compiled again
        return None


def keep(name: str, parts: tuple[bytes, bytes]) -> None:
    """Keep two parts under a unique name."""
    path = _get_file(name)
    if path:
        write_file(path, len(parts[0]).to_bytes(8, "little") + parts[0] + parts[1])


def _get_file(name: str) -> Path | None:
    folder = get_cache_folder()
    return folder / f"{name}.native" if folder else None


__all__ = ["examine_folder", "get_cache_folder", "keep", "load"]
