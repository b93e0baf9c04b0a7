"""Native code on disk: read only where nobody but this user can have written, and only as it was written.

Why not the cache that numba has (2026-11): it looks wherever ``NUMBA_CACHE_DIR`` says, and beside the source, whoever can
write there; it unpickles what it finds, which runs whatever that says; a damaged file, or a full disk, ends the program.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import secrets
import stat
from pathlib import Path
from typing import Any

_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_DIGEST = hashlib.sha256().digest_size


def cache_folder() -> Path | None:
    """Return the folder that native code is kept in, or ``None`` if there is none that this user alone can write."""
    return examined()[0]


def examined() -> tuple[Path | None, str]:
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
        why = _unsafe(folder)
    except OSError as error:
        return None, f"{error.strerror}: {error.filename}"
    return (None, why) if why else (folder, str(folder))


def _unsafe(folder: Path) -> str:
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
    digest, data = whole[:_DIGEST], whole[_DIGEST:]
    return data if hashlib.sha256(data).digest() == digest else None


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; a disk that is full keeps nothing."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(data).digest() + data)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
    except OSError:
        return


class Stored:
    """Where numba is to look for the native code of a function, and to put it; what numba calls a cache.

    Args:
        key: tells the function from all others: its source, and that of all it calls, and the versions of what compiles it.
    """

    def __init__(self, key: str) -> None:
        self._key = key

    @property
    def cache_path(self) -> str:
        """The folder."""
        return str(cache_folder() or "")

    def _file(self, signature: Any, codegen: Any) -> Path | None:
        folder, text = cache_folder(), f"{self._key}\n{signature!r}\n{codegen.magic_tuple()!r}"
        return folder / f"{hashlib.sha256(text.encode()).hexdigest()[:40]}.native" if folder else None

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return the code for types of arguments, or ``None`` if it has to be compiled."""
        from numba.core.compiler import CompileResult

        target.refresh()
        path = self._file(signature, target.codegen())
        data = _read(path) if path else None
        if data is None:
            return None
        try:
            return CompileResult._rebuild(target, *pickle.loads(data))
        except Exception:  # whatever it is that cannot be loaded any more is compiled anew
            return None

    def save_overload(self, signature: Any, made: Any) -> None:
        """Keep the code for types of arguments."""
        from numba.core.serialize import dumps

        path = self._file(signature, made.codegen)
        if path and not made.library.has_dynamic_globals:
            _write(path, dumps(made._reduce()))

    def enable(self) -> None:
        """Do nothing: it is."""

    def disable(self) -> None:
        """Do nothing: a function that is not to be kept has no such object."""

    def flush(self) -> None:
        """Do nothing: what is compiled anew replaces what was there."""


__all__ = ["Stored", "cache_folder", "examined"]
