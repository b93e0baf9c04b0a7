"""The report on this machine: its BLAS and kernels, the speed of products and copies, optional packages, what to set."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any, NamedTuple

import numpy as np

from autograd_seq.bench.floor import SIZE, bandwidth, product_rate
from autograd_seq.core.names import make_printable
from autograd_seq.emit.native.cache import examine_folder
from autograd_seq.run.backends import VARIABLE, choose_backend

OPTIONAL = ("numba", "scipy", "torch", "jax", "autograd", "threadpoolctl")
"""Packages that are used where they are installed."""

_OLD_KERNELS = {"haswell", "zen", "sandybridge", "nehalem", "prescott", "core2"}


class Blas(NamedTuple):
    """The BLAS library that is loaded.

    Attributes:
        name: its name and version.
        kernels: the processor that its products are written for, or ``None`` if unknown.
        threads: how many threads it would use, or ``None`` if unknown.
    """

    name: str
    kernels: str | None
    threads: int | None


class Findings(NamedTuple):
    """The findings.

    Attributes:
        lines: pairs (subject, finding).
        advice: what to set or install, a sentence each.

    Example:
        >>> print(Findings((("python", "3.12.1"),), ("set A=1",)))
        python  3.12.1
        <BLANKLINE>
        - set A=1
    """

    lines: tuple[tuple[str, str], ...]
    advice: tuple[str, ...]

    def __str__(self) -> str:
        width = max(len(what) for what, _ in self.lines)
        table = "\n".join(f"{what:<{width}}  {make_printable(how)}" for what, how in self.lines)
        return table + "".join(["\n\n", *(f"- {a}\n" for a in self.advice)]).rstrip() if self.advice else table


def find_blas() -> Blas:
    """Return NumPy's BLAS library.

    Kernels and threads are known only if threadpoolctl is installed.
    """
    built: dict[str, Any] = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[assignment]
    name = f"{built.get('name', 'unknown')} {built.get('version', '')}".strip()
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return Blas(name, None, None)
    found = [i for i in threadpool_info() if i.get("user_api") == "blas" and "numpy" in str(i.get("filepath"))]
    found = found or [i for i in threadpool_info() if i.get("user_api") == "blas"]
    return Blas(name, found[0].get("architecture"), found[0].get("num_threads")) if found else Blas(name, None, None)


def list_vector_units() -> list[str]:
    """Return the names of the vector extensions that this processor has, as NumPy found them."""
    found = np.show_config(mode="dicts").get("SIMD Extensions", {})
    return [*found.get("baseline", []), *found.get("found", [])]


def examine() -> Findings:
    """Examine this machine, and return the findings with advice on settings that make programs faster.

    Measuring takes about a second.

    Example:
        >>> report = examine()
        >>> dict(report.lines)["numpy"] == np.__version__
        True

    Notes:
        OpenBLAS uses kernels for an older processor if it does not know the present one; the environment variable
        ``OPENBLAS_CORETYPE``, read when OpenBLAS is loaded, chooses the kernels.
    """
    library, units = find_blas(), list_vector_units()
    wide = any(u.upper().startswith("AVX512") for u in units)
    installed = {name: find_version(name) for name in OPTIONAL}
    kernels = library.kernels or "unknown (threadpoolctl tells)"
    threads = str(library.threads) if library.threads else "unknown (threadpoolctl tells)"
    unit = "AVX-512" if wide else units[-1] if units else "unknown vector units"
    lines = (
        ("python", platform.python_version()),
        ("numpy", np.__version__),
        ("processor", f"{platform.machine()}, {os.cpu_count()} cores, {unit}"),
        ("products", library.name),
        ("  kernels for", kernels),
        ("  threads", threads),
        ("  measured", f"{product_rate() / 1e9:.0f} Gflop/s (float32, {SIZE} × {SIZE})"),
        ("memory", f"{bandwidth() / 1e9:.1f} GB/s, copying"),
        *((name, version or "not installed") for name, version in installed.items()),
        ("backend", _describe_backend(installed["numba"] is not None)),
        ("native cache", examine_folder()[1]),
    )
    advice = []
    if wide and (library.kernels or "").lower() in _OLD_KERNELS and not os.environ.get("OPENBLAS_CORETYPE"):
        advice.append("OPENBLAS_CORETYPE=SkylakeX in the environment, before Python starts: kernels for AVX-512")
    if not installed["numba"]:
        advice.append("pip install 'autograd-seq[jit]': loops become native code")
    elif not installed["scipy"]:
        advice.append("pip install scipy: numba finds its products there")
    if library.threads and library.threads > 1:
        advice.append("OPENBLAS_NUM_THREADS=1 for small models: threads help products above a million operations only")
    return Findings(lines, tuple(advice))


def _describe_backend(numba: bool) -> str:
    """Return the backend that ``ag.compile`` uses by default, and why."""
    name = choose_backend(None)
    where = f"{VARIABLE}={name}" if os.environ.get(VARIABLE) else f"{name}, for {VARIABLE} is not set"
    means = "numba where there are loops that it can write, NumPy elsewhere" if numba else "NumPy, without numba"
    return f"{where}{f': {means}' if name == 'auto' else ''}"


def find_version(package: str) -> str | None:
    """Return the installed version of a package, or ``None`` where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
