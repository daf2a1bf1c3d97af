"""Whether two values are the same but for the last digits of their floats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from streamer.core.user_state import UserState, decode_state

TOLERANCE: Final = 1e-5
"""Absolute below 1, relative above."""

_PACKED: Final = {
    "base": np.float64,
    "running": np.float64,
    "curve": np.float32,
    "signal_curve": np.float32,
    "hidden": np.float32,
}


def is_close(one: Any, other: Any) -> bool:
    """Compare decoded JSON or MessagePack: floats within :data:`TOLERANCE`, all else equal."""
    if isinstance(one, float) and isinstance(other, float):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_close(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return _all_close(one, other)
    return bool(one == other)


def messages_close(one: bytes, other: bytes) -> bool:
    """Compare two JSON messages."""
    return one == other or is_close(msgspec.json.decode(one), msgspec.json.decode(other))


def states_close(one: bytes, other: bytes) -> bool:
    """Compare two users' states as they lie in the table."""
    return one == other or is_close(state_fields(decode_state(one)), state_fields(decode_state(other)))


def state_fields(state: UserState) -> dict[str, Any]:
    """A state by its fields, packed numbers as lists."""
    fields = {name: getattr(state, name) for name in state.__struct_fields__}
    fields |= {name: np.frombuffer(fields[name], kind).tolist() for name, kind in _PACKED.items()}
    return msgspec.to_builtins(fields)


def _all_close(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(is_close(*pair) for pair in zip(one, other, strict=True))
