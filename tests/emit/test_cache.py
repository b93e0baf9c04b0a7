"""Native code on disk: what is damaged is compiled anew, and what another user can have written is never read."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autograd_seq.emit.native import cache
from autograd_seq.emit.native.cache import examine_folder, get_cache_folder

SCRIPT = """
import numpy as np
import autograd_seq as ag
from autograd_seq.emit.native import cache
load, found = cache.load, []
cache.load = lambda *given: found.append(load(*given)) or found[-1]
t = ag.Axis("t")
W, x, s = ag.param("W", (8, 8)), ag.input("x", (8,), over=t), ag.state("s", (8,), over=t)
s[t] = ag.tanh(W @ s[t - 1] + x[t])
step = ag.value_and_grad(ag.sum(ag.sum(s, over=t)), W, backend="numba")
loss, grads = step(W=np.eye(8), x=np.ones((5, 8)))
print(sum(f is not None for f in found), loss, grads["W"].sum())
"""
posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home of one's own."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def test_later_processes_load_what_is_whole_and_compile_the_rest(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    elsewhere = tmp_path / "numba"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "NUMBA_CACHE_DIR": str(elsewhere)}
    run = lambda: subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True,  # noqa: E731
                                 env=environment).stdout.split()  # fmt: skip
    first, second = run(), run()
    files = sorted((tmp_path / "autograd_seq").iterdir())
    assert (first[0], second[0], first[1:]) == ("0", "2", second[1:])  # what all programs call, and the program
    assert files and all(f.suffix == ".native" and f.stat().st_mode & 0o077 == 0 for f in files) and not elsewhere.exists()
    good = [f.read_bytes() for f in files]
    garbage = b"neither object code nor bitcode"
    for damaged in ([b"", good[1][:-1]], [hashlib.sha256(garbage).digest() + garbage, good[1] + b"x"]):
        for file, data in zip(files, damaged, strict=True):
            file.write_bytes(data)
        assert run() == first
    assert [f.stat().st_size for f in files] == [len(g) for g in good]


@posix
def test_what_others_can_have_written_is_not_read(home: Path) -> None:
    folder = get_cache_folder()
    assert folder is not None and cache.load("code", list) is None
    cache.keep("code", (b"object code", b"bitcode"))
    (file,) = folder.iterdir()
    assert cache.load("code", list) == [b"object code", b"bitcode"]
    for harm in (lambda: file.chmod(0o602), lambda: file.chmod(0o620), lambda: folder.chmod(0o770), lambda: home.chmod(0o777)):
        modes = [(p, stat.S_IMODE(p.stat().st_mode)) for p in (file, folder, home)]
        harm()
        assert cache.load("code", list) is None
        for path, mode in modes:
            path.chmod(mode)
    moved = file.rename(home / "moved")
    file.symlink_to(moved)
    assert cache.load("code", list) is None


@posix
@pytest.mark.parametrize("who", ["file", "folder", "home"])
def test_what_belongs_to_another_user_is_not_read(who: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = get_cache_folder()
    assert folder is not None
    file = folder / "a.native"
    cache.write_file(file, b"data")
    assert cache.read_file(file) == b"data"
    theirs, fstat, path_stat = {"file": file, "folder": folder, "home": home}[who].stat().st_ino, os.fstat, Path.stat

    def another(info: os.stat_result) -> Any:
        return SimpleNamespace(st_mode=info.st_mode, st_uid=os.getuid() + 1) if info.st_ino == theirs else info

    monkeypatch.setattr(os, "fstat", lambda handle: another(fstat(handle)))
    monkeypatch.setattr(Path, "stat", lambda path, **options: another(path_stat(path, **options)))
    if who == "file":
        assert cache.read_file(file) is None
    else:
        assert get_cache_folder() is None and "belongs to another user" in examine_folder()[1]


@posix
@pytest.mark.parametrize(("variables", "where"), [
    ({"XDG_CACHE_HOME": "cache"}, ".cache"), ({"XDG_CACHE_HOME": "./cache"}, ".cache"), ({"XDG_CACHE_HOME": ""}, ".cache"),
    ({"HOME": ""}, None), ({"HOME": "home"}, None), ({"XDG_CACHE_HOME": "cache", "HOME": ""}, None),
    ({"NUMBA_CACHE_DIR": "numba"}, ".cache"),
])  # fmt: skip
def test_only_absolute_paths_are_used(variables: dict[str, str], where: str | None, home: Path,
                                      monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(home)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found, text = examine_folder()
    assert found == (None if where is None else home.resolve() / where / "autograd_seq")
    assert text == (str(found) if found else "no home: HOME is no absolute path")
    assert sorted(p.name for p in home.iterdir()) == ([where] if where else [])


@posix
def test_a_user_that_the_system_does_not_know_has_no_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run so: without HOME ``~`` stays as it is, which is a folder below the current one."""
    monkeypatch.chdir(home)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert examine_folder() == (None, "no home: HOME is not set")
    assert not list(home.iterdir())


@posix
def test_folders_are_made_for_this_user_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "a" / "b"))
    before = os.umask(0o002)
    try:
        folder = get_cache_folder()
    finally:
        os.umask(before)
    assert folder is not None and all(stat.S_IMODE(p.stat().st_mode) == 0o700 for p in (folder, *folder.parents[:2]))
    (home / "a").chmod(0o775)
    assert examine_folder() == (None, f"others can write in {home.resolve() / 'a'}: chmod go-w {home.resolve() / 'a'}")


def test_a_disk_that_is_full_keeps_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "a file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "a file" / "below"))
    cache.keep("code", (b"", b""))
    assert get_cache_folder() is None and cache.load("code", list) is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    folder = get_cache_folder()
    assert folder is not None

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.write_file(folder / "a.native", b"data")
    assert not list(folder.iterdir()) and cache.read_file(folder / "a.native") is None
