"""Batches for numpy. Imported only where it is asked for."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

from _awaitd import Batch

# Not an import statement: the types pass where numpy is not installed.
np: Any = import_module("numpy")

# The head of a slot, in order and without holes.
_HEAD = [
    ("timestamp_ns", "u8"),
    ("monotonic_ns", "u8"),
    ("seq", "u8"),
    ("id", "u4"),
    ("lost_before", "u4"),
    ("length", "u2"),
    ("flags", "u2"),
    ("channel", "u2"),
    ("kind", "u1"),
    ("lost_cause", "u1"),
]


@lru_cache
def dtype_of(payload_bytes: int, slot_bytes: int) -> Any:
    """That of a slot with room for ``payload_bytes``."""
    fields = [*_HEAD, ("data", "u1", (payload_bytes,))]
    packed = np.dtype(fields)
    return np.dtype(
        {
            "names": list(packed.fields),
            "formats": [field[0] for field in packed.fields.values()],
            "offsets": [field[1] for field in packed.fields.values()],
            "itemsize": slot_bytes,
        }
    )


def array_of(
    batch: Batch[Any], dtype: Any = None, copy: bool | None = None
) -> Any:
    """What ``Batch.__array__`` returns."""
    array = np.ndarray(len(batch), batch.dtype, buffer=batch)
    return np.array(array, dtype, copy=True) if copy or dtype else array
