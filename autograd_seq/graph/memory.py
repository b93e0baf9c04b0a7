"""How much memory a process can have, and the error when a call would need more, raised before anything is allocated.

The need of a call is compared with all memory of the machine, swap included, not with the memory that is free now: so only
calls that could never run are refused.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from autograd_seq.core.axes import Axis
from autograd_seq.core.errors import MemoryNeededError

try:
    import resource
except ImportError:  # there is none on Windows
    resource = None  # type: ignore[assignment]

ADDRESSES = 2**47
"""Bytes that a process can address at all."""

SURE = 2**30
"""Bytes that every machine has: a need below this is not checked."""

_CGROUPS = Path("/sys/fs/cgroup")


def get_memory_limit() -> int:
    """Return the bytes that this process can hold: memory and swap, or less if a limit is set.

    Notes:
        Limits are those of a control group (of a container, say) and of the address space. Swap that grows on demand counts as
        the free part of the disk. Where nothing is known, the limit is the address space.
    """
    memory, swap = read_machine()
    limits = [ADDRESSES, *([memory + swap] if memory else []), *read_groups(swap)]
    if resource is not None:
        soft = [resource.getrlimit(which)[0] for which in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
        limits += [n for n in soft if n != resource.RLIM_INFINITY]
    return min(limits)


def check_fits(need: int, sizes: Mapping[Axis, int], fix: str) -> None:
    """Refuse a call that needs more bytes than there are.

    Args:
        need: the bytes.
        sizes: the lengths of the axes, which the error names.
        fix: what to do instead.

    Raises:
        MemoryNeededError: it needs more.
    """
    if need <= SURE or need <= (most := get_memory_limit()):
        return
    lengths = ", ".join(f"{a.name}={_format_length(n)}" for a, n in sizes.items())
    raise MemoryNeededError(
        "M101", f"needs {format_short(need)}B{' for ' if lengths else ''}{lengths}",
        expected=f"at most {format_short(most)}B, all that the machine has", got=f"{need} bytes", fix=fix,
    )  # fmt: skip


def format_short(x: float) -> str:
    """Return a number with three digits and the prefix of its unit.

    Example:
        >>> format_short(41.2e9) + "B", format_short(950)
        ('41.2 GB', '950 ')
    """
    for unit in ("", "k", "M", "G", "T", "P"):
        if x < 1000:
            return f"{x:.3g} {unit}"
        x /= 1000
    return f"{x:.3g} E"


def _format_length(n: int) -> str:
    """Return a length in its short form: 80000000000000 is 8e13."""
    text = f"{n:g}".replace("e+", "e")
    return text if "e" in text and int(float(text)) == n else str(n)


def read_machine() -> tuple[int, int]:
    """Return the bytes of memory and of swap; 0 where they are not known."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = {name: 1024 * int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        return found["MemTotal"], found.get("SwapTotal", 0)
    except (OSError, ValueError, KeyError, IndexError):
        pass
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return max(memory, 0), shutil.disk_usage("/").free
    except (AttributeError, ValueError, OSError):
        return 0, 0


def read_groups(swap: int) -> list[int]:
    """Return the limits of the control groups that this process is in (Linux, versions 1 and 2)."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds not in ("", "memory"):
            continue
        top = _CGROUPS / kinds
        for folder in (top / path.lstrip("/"), *(top / path.lstrip("/")).parents):
            if kinds and (own := _read_limit(folder / "memory.limit_in_bytes")) is not None:
                both = _read_limit(folder / "memory.memsw.limit_in_bytes")
                found.append(own + swap if both is None else min(own + swap, both))
            elif (own := _read_limit(folder / "memory.max")) is not None:
                more = _read_limit(folder / "memory.swap.max")
                found.append(own + (swap if more is None else min(swap, more)))
            if folder == top:
                break
    return found


def _read_limit(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such file, or "max"
        return None


__all__ = ["SURE", "check_fits", "format_short", "get_memory_limit"]
