"""Read one frozen table: plain text in this folder, one record a line, every field checked.

The form is the smallest that a person can read and a diff can show: lines that start with `#` say where the figures
come from, the next line names the columns, and each line after it is one record, its fields separated by commas. There is
no quoting, since no field holds a comma.
"""

from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, NamedTuple

from autograd_seq.core.errors import DataError


class ColumnSpec(NamedTuple):
    """One column of a table: its name, what a field must be, and the function that reads a field.

    Args:
        name: as the file's heading spells it.
        expected: what a field must be, in words, for errors.
        parse: text of one field -> its value; raises ValueError for any other text.

    Example:
        >>> ColumnSpec("year", "a whole number", int).parse("1957")
        1957
    """

    name: str
    expected: str
    parse: Callable[[str], Any]


def read_columns(file: str, columns: Sequence[ColumnSpec], count: int) -> tuple[list[Any], ...]:
    """Read a table of this folder and return its columns, one list each.

    Args:
        file: name of a file in this folder.
        columns: what each line must hold, in order.
        count: number of records that the file must hold; a shorter or longer file is damaged.

    Returns:
        One list of `count` values a column, in the file's order.

    Raises:
        DataError: the file is missing, is no ASCII text, has another heading or another number of records, or has a
            field that its column cannot parse. The message names the file and the line, and how to fix it.

    Example:
        >>> columns = [ColumnSpec("year", "a whole number", int), ColumnSpec("value", "a number", float)]
        >>> year, value = read_columns("sunspots.csv", columns, 309)
        >>> year[0], value[0]
        (1700, 5.0)
    """
    try:
        text = read_text(file)
    except (OSError, UnicodeDecodeError) as error:
        raise make_damaged_error(file, None, "a readable file of ASCII text", str(error)) from error
    # Line numbers are those of an editor: comments count.
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if not line.startswith("#")]
    heading = ",".join(column.name for column in columns)
    if not lines or lines[0][1] != heading:
        number, got = (lines[0][0], repr(lines[0][1])) if lines else (None, "no line")
        raise make_damaged_error(file, number, f"the heading {heading!r}", got)
    records = [parse_line(file, number, line, columns) for number, line in lines[1:]]
    if len(records) != count:
        raise make_damaged_error(file, None, f"{count} records", f"{len(records)}")
    return tuple(list(values) for values in zip(*records, strict=True))


def read_text(file: str) -> str:
    """The text of a file in this folder, also where the package is installed as a zip archive.

    Raises:
        OSError: there is no such file.
        UnicodeDecodeError: the file is not ASCII.

    Example:
        >>> read_text("sunspots.csv").splitlines()[-1]
        '2008,2.9'
    """
    return resources.files("autograd_seq.datasets").joinpath(file).read_text(encoding="ascii")


def parse_line(file: str, number: int, line: str, columns: Sequence[ColumnSpec]) -> list[Any]:
    """The values of one record.

    Raises:
        DataError: another number of fields than columns, or a field that its column cannot parse.

    Example:
        >>> columns = [ColumnSpec("year", "a whole number", int), ColumnSpec("value", "a number", float)]
        >>> parse_line("sunspots.csv", 4, "1700,5.0", columns)
        [1700, 5.0]
    """
    fields = line.split(",")
    if len(fields) != len(columns):
        raise make_damaged_error(file, number, f"{len(columns)} fields separated by commas", repr(line))
    values = []
    for column, field in zip(columns, fields, strict=True):
        try:
            values.append(column.parse(field))
        except ValueError as error:
            raise make_damaged_error(file, number, f"{column.name}: {column.expected}", repr(field)) from error
    return values


def make_damaged_error(file: str, line: int | None, expected: str, got: str) -> DataError:
    """Return the error about a damaged file.

    Example:
        >>> print(make_damaged_error("sunspots.csv", 5, "year: a whole number", "'17O1'"))
        DataError [B301]: a data file of the package is damaged      (autograd_seq/datasets/sunspots.csv:5)
          expected year: a whole number, got '17O1'
          install the package again: pip install --force-reinstall --no-deps .
    """
    return DataError(
        "B301", "a data file of the package is damaged",
        where=f"autograd_seq/datasets/{file}" + (f":{line}" if line is not None else ""), expected=expected, got=got,
        fix="install the package again: pip install --force-reinstall --no-deps .",
    )  # fmt: skip
