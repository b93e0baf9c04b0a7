"""Plain data (dicts, lists, numbers, arrays, an optimiser's state, a carry, a generator) as arrays by name and a JSON text.

In the text a number, a string, true, false and null stand for themselves; everything else is an object of one entry that says
what it is: ``{"array": "params/W"}``, ``{"dict": {"rate": {"float": "0.1"}}}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograd_seq.core.errors import DTypeError
from autograd_seq.learn.optim import State
from autograd_seq.run.carry import Carry

_DEEPEST = 50
_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
_POSITIONS = {"pos": 624, "buffer_pos": 4}
"""Places in a generator's own arrays, which NumPy does not check: beyond them it would read memory that is not its own."""


class Damaged(ValueError):
    """The text does not say what it should."""


def pack(things: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Any]:
    """Return the arrays among things, by name, and the rest as data for JSON.

    Raises:
        DTypeError: something is no plain data.

    Example:
        >>> pack({"params": {"W": np.ones(2)}, "step": 3})
        ({'params/W': array([1., 1.])}, {'dict': {'params': {'dict': {'W': {'array': 'params/W'}}}, 'step': 3}})
    """
    arrays: dict[str, np.ndarray] = {}
    return arrays, _pack(dict(things), "", arrays)


def _pack(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    if value is None or isinstance(value, (str, bool)) or type(value) is int:
        return value
    if type(value) is float:
        return {"float": repr(value)}
    if isinstance(value, State):
        return {"state": _pack({"step": int(value.step), "slots": value.slots}, path, arrays)}
    if isinstance(value, Carry):
        held = {"rows": dict(value), "steps": value.steps, "equations": value.equations}
        return {"carry": _pack(held, path, arrays)}
    if isinstance(value, np.random.Generator) and type(value.bit_generator).__name__ in _GENERATORS:
        return {"generator": _pack(dict(value.bit_generator.state), path, arrays)}
    if isinstance(value, Mapping):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise _make_pack_error(f"{path or 'a dict'} has the key {wrong[0]!r:.60}", "keys that are strings")
        return {"dict": {key: _pack(v, f"{path}/{key}" if path else key, arrays) for key, v in value.items()}}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_pack(v, f"{path}/{i}", arrays) for i, v in enumerate(value)]}
    array = np.asarray(value)
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise _make_pack_error(f"{path} is a value of {type(value).__name__}, {value!r:.60}",
                               "arrays, numbers, strings, None, dicts and lists of such, an optimizer's state, a carry, "
                               "a NumPy generator")  # fmt: skip
    name = path
    while name in arrays or name == "__metadata__":  # where "a/b" is a key beside "a", which has a key "b"
        name += "'"
    arrays[name] = array
    return {"array": name}


def _make_pack_error(what: str, expected: str) -> DTypeError:
    return DTypeError("L133", f"{what}, which cannot be saved", expected=expected)


def unpack(arrays: Mapping[str, np.ndarray], data: Any) -> dict[str, Any]:
    """Return what :func:`pack` was given.

    Raises:
        Damaged: the data do not describe it.
    """
    left = dict(arrays)
    found = _unpack(data, left, 0)
    if not isinstance(found, dict) or left:
        raise Damaged("arrays are left over" if left else "it holds no names")
    return found


def _unpack(data: Any, arrays: dict[str, np.ndarray], depth: int) -> Any:
    if data is None or isinstance(data, (str, bool, int)):
        return data
    if not isinstance(data, dict) or len(data) != 1 or depth > _DEEPEST:
        raise Damaged(f"{data!r:.60} describes no value")
    ((kind, held),) = data.items()
    inner: Callable[[Any], Any] = lambda part: _unpack(part, arrays, depth + 1)  # noqa: E731 - three words used in each branch
    if kind == "float" and isinstance(held, str):
        try:
            return float(held)
        except ValueError:
            raise Damaged(f"{held!r:.60} is no number") from None
    if kind == "array" and isinstance(held, str) and held in arrays:
        return arrays.pop(held)
    if kind == "dict" and isinstance(held, dict):
        return {key: inner(part) for key, part in held.items()}
    if kind in ("list", "tuple") and isinstance(held, list):
        made = [inner(part) for part in held]
        return made if kind == "list" else tuple(made)
    if kind in _MAKERS:
        fields = inner(held)
        if isinstance(fields, dict):
            return _MAKERS[kind](fields)
    raise Damaged(f"{data!r:.60} describes no value")


def _make_state(fields: dict[str, Any]) -> State:
    slots = fields.get("slots")
    if set(fields) != {"step", "slots"} or type(fields["step"]) is not int or not isinstance(slots, dict):
        raise Damaged("an optimizer's state is incomplete")
    if not all(isinstance(slot, dict) and all(isinstance(a, np.ndarray) for a in slot.values()) for slot in slots.values()):
        raise Damaged("an optimizer's state does not consist of arrays")
    return State(fields["step"], slots)


def _make_carry(fields: dict[str, Any]) -> Carry:
    rows, steps, equations = fields.get("rows"), fields.get("steps"), fields.get("equations")
    if not isinstance(rows, dict) or not all(isinstance(a, np.ndarray) and a.ndim for a in rows.values()):
        raise Damaged("a carry does not consist of rows")
    counted = type(steps) is int or (isinstance(steps, np.ndarray) and steps.ndim and steps.dtype.kind == "i")
    if len(fields) != 3 or not counted or not isinstance(equations, (str, type(None))):
        raise Damaged("a carry is incomplete")
    return Carry(rows, steps, equations)


def _make_generator(fields: dict[str, Any]) -> np.random.Generator:
    name = fields.get("bit_generator")
    if name not in _GENERATORS:
        raise Damaged(f"there is no generator {name!r:.60}")
    source, inner = getattr(np.random, name)(0), fields.get("state")
    for key, value in [*fields.items(), *(inner.items() if isinstance(inner, dict) else ())]:
        if key in _POSITIONS and not (type(value) is int and 0 <= value <= _POSITIONS[key]):
            raise Damaged(f"a generator cannot be at {value!r:.60}")
    try:
        source.state = fields
    except (TypeError, ValueError, KeyError, OverflowError, IndexError) as error:
        raise Damaged(f"a generator's state is damaged: {error!s:.60}") from None
    return np.random.Generator(source)


_MAKERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "state": _make_state, "carry": _make_carry, "generator": _make_generator,
}  # fmt: skip


def write_text(data: Any) -> str:
    """Return data as JSON."""
    return json.dumps(data, separators=(",", ":"))


__all__ = ["Damaged", "pack", "unpack", "write_text"]
