"""Arrays by name in one file, with a text: safetensors, written and read here; and npz without pickle.

A safetensors file is the length of its header (8 bytes, little-endian), the header, JSON that gives for each array its dtype,
shape and place, and the data. Reading is made for files that lie: nothing is allocated before the header is known to fit the
length of the file, so that the memory needed is bounded by that length; whatever is wrong is a LoadError.

Source: https://github.com/huggingface/safetensors, section Format.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

import numpy as np

from autograd_seq.core.errors import DTypeError, LoadError

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
_WORDS = {np.dtype(text).str: word for word, text in _DTYPES.items()}
_LONGEST_HEADER = 16 * 2**20
"""Bytes of a header that are read: those of a hundred thousand arrays. JSON takes up to fifty times as much when it is read."""
_MOST_DIMENSIONS = 64
_TEXT = "content"
"""The name of the text among the metadata of a safetensors file, and of its array in an npz file."""


class Contents(NamedTuple):
    """What a file holds.

    Args:
        arrays: by name.
        text: what was written with them; ``None`` in a file that something else wrote.
    """

    arrays: dict[str, np.ndarray]
    text: str | None


_DEEPEST = 64  # levels of lists and objects in a header


def refuse_file(path: Path, why: str, fix: str | None = None) -> NoReturn:
    """Raise the error about a file that cannot be read.

    Raises:
        LoadError: always.
    """
    raise LoadError("L130", f"{path.name} cannot be read: {why}", got=str(path), fix=fix)


# -- safetensors ------------------------------------------------------------------------------------------------------


def write_safetensors(file: IO[bytes], arrays: Mapping[str, np.ndarray], text: str) -> None:
    """Write arrays and a text to an open file.

    Args:
        file: open for writing bytes.
        arrays: of floats, integers or truth values, by name.
        text: kept with them.

    Raises:
        DTypeError: an array holds something else.
    """
    laid = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)  # so that all data are aligned
    header: dict[str, Any] = {"__metadata__": {_TEXT: text}}
    end = 0
    for name in laid:
        start, end = end, end + arrays[name].nbytes
        header[name] = {"dtype": _find_word(name, arrays[name]), "shape": arrays[name].shape, "data_offsets": (start, end)}
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    file.write(len(raw).to_bytes(8, "little"))
    file.write(raw)
    for name in laid:
        a = arrays[name]
        file.write(np.ascontiguousarray(a, a.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data)


def _find_word(name: str, array: np.ndarray) -> str:
    word = _WORDS.get(array.dtype.newbyteorder("<").str)
    if word is None:
        raise DTypeError("L131", f"{name} is an array of {array.dtype}, which cannot be saved", node=name,
                         expected="floats, integers or truth values", got=str(array.dtype))  # fmt: skip
    return word


def read_safetensors(path: Path, file: io.BufferedReader, size: int) -> Contents:
    """Return the arrays and the text of a safetensors file.

    Args:
        path: named in errors.
        file: open at its beginning.
        size: its length in bytes.

    Raises:
        LoadError: it is no such file, or damaged.
    """
    length = int.from_bytes(_read(path, file, 8), "little")
    if length > min(size - 8, _LONGEST_HEADER):
        refuse_file(path, f"it is no safetensors and no npz file, or cut off: its header should be {length:,} bytes long")
    header = parse_json(path, _read(path, file, length))
    if not isinstance(header, dict):
        refuse_file(path, "its header is not a JSON object")
    meta = header.pop("__metadata__", {})
    if not isinstance(meta, dict) or not all(isinstance(v, str) for v in meta.values()):
        refuse_file(path, "its metadata are not strings")
    places = sorted((_read_place(path, name, entry) for name, entry in header.items()), key=lambda place: place.start)
    _check_places(path, places, size - 8 - length)
    arrays = {}
    for place in places:
        flat = np.empty(place.end - place.start, np.uint8)
        if file.readinto(flat.data) != len(flat):
            refuse_file(path, f"it is cut off in {place.name!r:.60}")
        arrays[place.name] = _shape(path, flat, place)
    return Contents({name: arrays[name] for name in header}, meta.get(_TEXT))


class _Place(NamedTuple):
    """What a header says of an array."""

    name: str
    dtype: str
    shape: list[int]
    start: int
    end: int


def _read_place(path: Path, name: str, entry: Any) -> _Place:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        refuse_file(path, f"its header does not describe {name!r:.60}")
    word, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(word, str) or (word not in _DTYPES and word != "BF16"):
        refuse_file(path, f"{name!r:.60} is of dtype {word!r:.60}, and arrays of that are not read")
    if not isinstance(shape, list) or len(shape) > _MOST_DIMENSIONS or not all(map(_is_size, shape)):
        refuse_file(path, f"{name!r:.60} has no shape: {shape!r:.60}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_size, offsets)):
        refuse_file(path, f"{name!r:.60} has no place: {offsets!r:.60}")
    start, end = offsets
    if end - start != math.prod(shape) * (2 if word == "BF16" else np.dtype(_DTYPES[word]).itemsize):
        refuse_file(path, f"{name!r:.60}, {word} of shape {shape!r:.60}, does not fit its place: {offsets!r:.60}")
    return _Place(name, word, shape, start, end)


def _is_size(n: Any) -> bool:
    return type(n) is int and 0 <= n < 2**62


def _check_places(path: Path, places: list[_Place], size: int) -> None:
    """Refuse arrays that overlap, leave a gap, or do not end with the file."""
    end = 0
    for place in places:
        if place.start != end:
            refuse_file(path, f"{place.name!r:.60} does not begin where the array before it ends")
        end = place.end
    if end != size:
        refuse_file(path, f"it is cut off, or too long: {end:,} bytes of data are announced, and {size:,} are there")


def _shape(path: Path, flat: np.ndarray, place: _Place) -> np.ndarray:
    try:
        if place.dtype == "BF16":  # the upper half of a float32
            return (flat.view("<u2").astype(np.uint32) << 16).view(np.float32).reshape(place.shape)
        array = flat.view(_DTYPES[place.dtype]).reshape(place.shape)
    except ValueError as error:  # dimensions of 0 beside dimensions that no array has
        refuse_file(path, f"{place.name!r:.60} has an impossible shape: {error}")
    if array.dtype.kind == "b" and (flat > 1).any():
        refuse_file(path, f"{place.name!r:.60} holds truth values other than 0 and 1")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def parse_json(path: Path, raw: bytes) -> Any:
    """Return what a text in JSON stands for; a name given twice, NaN, and nesting that is too deep are refused.

    Raises:
        LoadError: it is not JSON.
    """
    if measure_depth(raw) > _DEEPEST:  # by itself json stops at the interpreter's limit, which a program may have lifted
        refuse_file(path, f"its header is damaged: nested deeper than {_DEEPEST} levels")
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_make_dict, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        refuse_file(path, f"its header is damaged: {error or type(error).__name__}"[:200])


def measure_depth(raw: bytes) -> int:
    """Return how deep lists and objects of a text in JSON are nested, without parsing it.

    Example:
        >>> measure_depth(b'{"a[[": [[1]]}')
        3
    """
    depth = deepest = 0
    for bracket in re.finditer(rb"[\[\]{}]", re.sub(rb'"(?:[^"\\]|\\.)*+"', b"", raw)):
        depth += 1 if bracket[0] in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _make_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name is given twice")
    return made


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _read(path: Path, file: IO[bytes], count: int) -> bytes:
    raw = file.read(count)
    if len(raw) != count:
        refuse_file(path, f"it is cut off: it ends {count - len(raw):,} bytes too early")
    return raw


# -- npz --------------------------------------------------------------------------------------------------------------


def write_npz(file: IO[bytes], arrays: Mapping[str, np.ndarray], text: str) -> None:
    """Write arrays and a text to an open file in NumPy's format, without pickles.

    Args: as for :func:`write_safetensors`.

    Raises:
        DTypeError: an array holds something else.
    """
    for name, array in arrays.items():
        _find_word(name, array)
    # names are data: whatever they hold ("../", newlines) stays out of the archive's list of members
    members = {f"array_{i}": array for i, array in enumerate(arrays.values())}
    words = json.dumps({"names": list(arrays), _TEXT: text}).encode()
    np.savez(file, allow_pickle=False, **{_TEXT: np.frombuffer(words, np.uint8)}, **members)


def read_npz(path: Path, file: io.BufferedReader, size: int) -> Contents:
    """Return the arrays and the text of an npz file whose members are not compressed.

    Args: as for :func:`read_safetensors`.

    Raises:
        LoadError: it is no such file, damaged, compressed, or holds pickles.
    """
    try:
        arrays = dict(_iterate_members(path, file, size))
    except LoadError:
        raise
    except Exception as error:
        refuse_file(path, f"it is no npz file, or damaged: {str(error) or type(error).__name__:.120}"[:200])
    if _TEXT not in arrays:
        return Contents(arrays, None)
    words = parse_json(path, arrays.pop(_TEXT).tobytes())
    names, text = (words.get("names"), words.get(_TEXT)) if isinstance(words, dict) else (None, None)
    if not isinstance(names, list) or not isinstance(text, str) or not all(isinstance(n, str) for n in names):
        refuse_file(path, "it does not say what it holds")
    if {*arrays} != {f"array_{i}" for i in range(len(names))} or len({*names}) < len(names):
        refuse_file(path, "it holds other arrays than it says")
    return Contents({name: arrays[f"array_{i}"] for i, name in enumerate(names)}, text)


def _iterate_members(path: Path, file: IO[bytes], size: int) -> Iterator[tuple[str, np.ndarray]]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if any(m.compress_type != zipfile.ZIP_STORED for m in members):
            refuse_file(path, "it is compressed", "np.savez(…) writes a file that is not")
        if sum(m.file_size for m in members) > size or any(m.file_size != m.compress_size for m in members):
            refuse_file(path, "its members are longer than the file")
        if len({m.filename for m in members}) < len(members):
            refuse_file(path, "a name is given twice")
        for member in members:
            raw = io.BytesIO(archive.read(member))
            yield member.filename.removesuffix(".npy"), _read_npy(path, raw, member)


def _read_npy(path: Path, raw: io.BytesIO, member: zipfile.ZipInfo) -> np.ndarray:
    version = np.lib.format.read_magic(raw)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(raw)
    if dtype.kind not in "fiub" or dtype.hasobject:
        refuse_file(path, f"{member.filename!r:.60} is an array of {dtype!s:.60}, and arrays of that are not read")
    data = raw.read()
    if not all(map(_is_size, shape)) or math.prod(shape) * dtype.itemsize != len(data):
        refuse_file(path, f"{member.filename!r:.60} does not fit its shape {shape!r:.60}")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=True)


# -- both -------------------------------------------------------------------------------------------------------------


def read_file(path: Path) -> Contents:
    """Return the arrays and the text of a file, in the format that its first bytes show.

    Raises:
        LoadError: there is no such file, it cannot be opened, or it is damaged.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait
            refuse_file(path, "it is not a file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            zipped = file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
            file.seek(0)
            return (read_npz if zipped else read_safetensors)(path, file, size)
    except FileNotFoundError:
        raise LoadError("L132", f"there is no file {str(path)!r}", got=str(path)) from None
    except (OSError, ValueError) as error:
        if isinstance(error, LoadError):
            raise
        refuse_file(path, getattr(error, "strerror", None) or str(error))


__all__ = ["Contents", "parse_json", "read_file", "refuse_file", "write_npz", "write_safetensors"]
