"""The safetensors format, read with every promise of the header checked first.

Layout: `u64 header length | header (JSON) | tensors`, little-endian. The header maps each name to a dtype, a shape and
the place of its bytes. See https://github.com/huggingface/safetensors. Nothing in it can name code.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

HEADER_BYTES = 1 << 20
"""ResNet-50 has a header of 40 KB."""
MOST_TENSORS = 5_000
MOST_DIMS = 8
MOST_NAME = 200
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "u1",
}  # fmt: skip
FLOATING = frozenset({"F64", "F32", "F16", "BF16"})


class FormatError(ValueError):
    """The bytes are no safetensors file; the message says why, without quoting the file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a file."""

    dtype: str
    """As the format spells it: "F16"."""
    shape: tuple[int, ...]
    start: int
    """Place of the first byte within the file."""
    end: int

    @property
    def count(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


def read_header(data: bytes) -> dict[str, Entry]:
    """The tensors that `data` holds; FormatError unless they fill the file exactly, without gap or overlap."""
    if len(data) < 8:
        raise FormatError("it is shorter than its own header")
    size = int.from_bytes(data[:8], "little")
    if size > HEADER_BYTES:
        raise FormatError("it does not begin as a safetensors file does")
    if 8 + size > len(data):
        raise FormatError("it is cut short")
    try:
        tree = json.loads(data[8 : 8 + size].decode("utf-8"), object_pairs_hook=_without_doubles)
    except FormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise FormatError("its header is not valid") from error
    if not isinstance(tree, dict):
        raise FormatError("its header is not valid")
    tree.pop("__metadata__", None)
    if len(tree) > MOST_TENSORS:
        raise FormatError("it holds too many tensors")
    entries = {_name(name): _entry(value, 8 + size) for name, value in tree.items()}
    place = 8 + size
    for entry in sorted(entries.values(), key=lambda entry: (entry.start, entry.end)):
        if entry.start != place:
            raise FormatError("its tensors overlap or leave gaps")
        place = entry.end
    if place > len(data):
        raise FormatError("it is cut short")
    if place < len(data):
        raise FormatError("more bytes follow than its header says")
    return entries


def read_array(data: bytes, entry: Entry) -> npt.NDArray[Any]:
    """The values of one tensor; floating ones as float32 (float64 stays)."""
    raw = np.frombuffer(data, _DTYPES[entry.dtype], entry.count, entry.start).reshape(entry.shape)
    if entry.dtype == "BF16":  # the upper half of a float32
        wide: npt.NDArray[Any] = (raw.astype(np.uint32) << 16).view(np.float32)
        return wide
    if entry.dtype == "BOOL":
        return raw.astype(bool)
    result: npt.NDArray[Any] = raw.astype(np.float32) if entry.dtype in ("F16", "F32") else raw.copy()
    return result


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise FormatError("its header names something twice")
    return result


def _name(name: str) -> str:
    if len(name) > MOST_NAME or not name.isprintable():
        raise FormatError("its header holds a name that is no parameter's")
    return name


def _entry(value: Any, base: int) -> Entry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise FormatError("its header is not valid")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise FormatError("it holds a type of numbers that is not used here")
    if not _sizes(shape) or len(shape) > MOST_DIMS or not _sizes(offsets) or len(offsets) != 2:
        raise FormatError("its header is not valid")
    entry = Entry(dtype, tuple(shape), base + offsets[0], base + offsets[1])
    if entry.count * np.dtype(_DTYPES[dtype]).itemsize != offsets[1] - offsets[0]:
        raise FormatError("a shape in its header does not fit the number of bytes")
    return entry


def _sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**48 for item in value)
