"""Saving what a training needs to go on, and loading it: one file, replaced as a whole, checked when it is read."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from autograd_seq.core.errors import LoadError, OperationError, did_you_mean
from autograd_seq.core.hints import explain_keywords
from autograd_seq.core.kinds import get_kind
from autograd_seq.graph.graph import Graph, flatten
from autograd_seq.learn.packing import Damaged, pack, unpack, write_text
from autograd_seq.learn.replacing import replace_file
from autograd_seq.learn.tensor_files import parse_json, read_file, refuse_file, write_npz, write_safetensors
from autograd_seq.ops.leaf import PARAM

_VERSION = 1
_WRITERS = {".safetensors": write_safetensors, ".npz": write_npz}


def save(path: str | PathLike[str], /, *, graph: Any = None, **things: Any) -> None:
    """Save things under their names, in one file that is replaced as a whole.

    Args:
        path: of a ``.safetensors`` file, or ``.npz``. Whenever the process is killed, the file is the old or the new one.
        graph: the loss, or a :class:`Graph`: the fingerprint of its equations is saved too, for :func:`load` to compare.
        things: parameters, state, seed, step, …: arrays, numbers, strings, ``None``, an optimizer's :class:`State`, a
            :class:`Carry`, a NumPy ``Generator``, and dicts and lists of such.

    Raises:
        OperationError: the path has another suffix, or its folder is not there.
        DTypeError: a thing is none of these.
        OSError: the file cannot be written; the one that was there stays.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/run.safetensors"
        >>> save(path, params={"W": np.eye(2)}, step=3, random=np.random.default_rng(0))
        >>> load(path)["step"]
        3

    Notes:
        Other readers of safetensors see the arrays under names such as ``params/W``. It takes the time of writing the data and
        of waiting for the disk, a few milliseconds or more.
    """
    path = Path(path)
    check_path(path)
    write = _WRITERS[path.suffix]
    arrays, content = pack(things)
    equations = None if graph is None else _get_graph(graph).fingerprint
    text = write_text({"version": _VERSION, "equations": equations, "things": content})
    replace_file(path, lambda file: write(file, arrays, text))


def check_path(path: Path) -> None:
    """Refuse a name under which nothing can be saved.

    Raises:
        OperationError: it has another suffix, or its folder is not there.
    """
    if path.suffix not in _WRITERS:
        raise OperationError("L134", f"{path.name} is no name of a file to save to", expected=" or ".join(_WRITERS),
                             got=str(path), fix=f"{path.stem or 'run'}.safetensors")  # fmt: skip
    if not path.parent.is_dir():
        raise OperationError("L139", f"there is no folder {str(path.parent)!r} to save to", expected="a folder", got=str(path),
                             fix=f"mkdir -p {path.parent}")  # fmt: skip


def load(path: str | PathLike[str], *, graph: Any = None, fits: Any = None) -> dict[str, Any]:
    """Load what was saved.

    Args:
        path: the file.
        graph: a loss or a graph: the file must have been saved with the same equations, ``save(…, graph=…)``.
        fits: a node, several, or a graph, that may read less than the loss did: the saved ``params`` must hold its parameters,
            of their shapes and kinds.

    Returns:
        The things by name, arrays as arrays. Of a safetensors or npz file that something else wrote: its arrays by name.

    Raises:
        LoadError: the file is missing or damaged, of a newer version, or of other equations or parameters. No other error, and
            no more memory than a small multiple of the file's length, whatever the file holds.

    Example: see :func:`save`.
    """
    path = Path(path)
    contents = read_file(path)
    if contents.text is None:
        things: dict[str, Any] = contents.arrays
        equations = None
    else:
        things, equations = _read_things(path, contents.text, contents.arrays)
    for wanted in (graph, fits):
        if wanted is not None:
            params = things.get("params") if contents.text is not None else things
            check_params(params, _get_graph(wanted), path.name)
    if graph is not None and equations != _get_graph(graph).fingerprint:
        raise LoadError(
            "L135", f"{path.name} was saved with other equations", expected="those of the graph that is given",
            got="no equations" if equations is None else "different ones; parameters have the same names and shapes",
            fix="load(path, fits=…) checks the parameters alone",
        )  # fmt: skip
    return things


def _read_things(path: Path, text: str, arrays: dict[str, np.ndarray]) -> tuple[dict[str, Any], str | None]:
    data = parse_json(path, text.encode("utf-8", "surrogatepass"))
    version = data.get("version") if isinstance(data, dict) else None
    if type(version) is int and version > _VERSION:
        raise LoadError("L136", f"{path.name} is of version {version!r:.20}", expected=f"version {_VERSION} or older",
                        got=f"version {version!r:.20}", fix="pip install --upgrade autograd_seq")  # fmt: skip
    if version != _VERSION or set(data) != {"version", "equations", "things"}:
        refuse_file(path, "it does not say what it holds")
    try:
        return unpack(arrays, data["things"]), data["equations"]
    except Damaged as error:
        refuse_file(path, f"its contents are damaged: {error}")


def check_params(params: Any, graph: Graph, source: str) -> None:
    """Refuse parameters that a graph cannot read.

    Args:
        params: arrays by name; there may be more than the graph reads.
        graph: the equations.
        source: what the error calls the place from which the parameters are.

    Raises:
        LoadError: one is missing, or has another shape or kind.
    """
    for name, node in graph.inputs.items():
        if node.op is not PARAM:
            continue
        value = params.get(name) if isinstance(params, dict) else None
        if not isinstance(value, np.ndarray):
            known = [k for k, v in params.items() if isinstance(v, np.ndarray)] if isinstance(params, dict) else []
            raise LoadError("L137", f"{source} holds no parameter {name}", node=name, where=node.where,
                            expected=f"{name}, {node.dtype.__name__}{list(node.shape) or ''}",
                            got=", ".join(known[:20]) or "none", fix=did_you_mean(name, known))  # fmt: skip
        sizes = [axis.size for axis in graph.layout(node)]
        wanted = [*sizes, *node.shape]
        fits = value.ndim == len(wanted) and all(w in (None, n) for w, n in zip(wanted, value.shape, strict=True))
        if not fits or get_kind(value) is not node.dtype:
            shape = ", ".join("any" if w is None else str(w) for w in wanted)
            raise LoadError("L138", f"{name} of {source} does not fit the equations", node=name, where=node.where,
                            expected=f"{node.dtype.__name__} of shape ({shape})",
                            got=f"{value.dtype} of shape {value.shape}")  # fmt: skip


def _get_graph(given: Any) -> Graph:
    return given if isinstance(given, Graph) else Graph(*flatten([given]))


__all__ = ["check_params", "check_path", "load", "save"]
explain_keywords(globals(), ["load"])
