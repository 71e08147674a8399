"""The one format in which student and grader exchange data.

A frame is `u32 header length | header (JSON) | raw buffers`. The header is a tree; every array, tensor and
long list of numbers in it owns the next buffer, in the order of the tree, so that buffers can neither overlap nor
leave gaps. Nothing in a frame can name code: the decoder knows a fixed table of types and looks nothing up.

The tree's nodes are JSON scalars for None, bool, int, float and str, and `[tag, ...]` for all else (see `_Encoder`).
"""

from __future__ import annotations

import json
import math
import re
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


_MAX_DEPTH = 30


class WireError(ValueError):
    """A frame breaks a rule of the format."""


class NotDataError(TypeError):
    """A value is no data, and the encoder was given no place to keep it."""


@dataclass(frozen=True, slots=True)
class WireLimits:
    """What a decoder accepts; each limit is checked before memory is taken."""

    frame: int = 32 << 20
    """Bytes of one frame. Replies of checks are small; a frame is copied once, so this bounds the grader's memory."""
    header: int = 1 << 20
    """Bytes of the JSON header: the densest nonsense of that size takes about 40 MB as Python objects."""
    depth: int = _MAX_DEPTH + 2
    """Nesting of containers."""
    items: int = 200_000
    """Nodes of the tree."""
    numbers: int = 1_000_000
    """Entries of all packed lists of numbers together (a Python float takes 32 bytes with its slot)."""


TRUSTED_SENDER = WireLimits(frame=1 << 30, header=64 << 20, items=10_000_000, numbers=50_000_000)
"""For frames that the grader made: generous, since only size can go wrong."""

_NUMPY_DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]
_TORCH_ITEMSIZE = {
    "bool": 1, "uint8": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint16": 2, "uint32": 4, "uint64": 8,
    "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
}  # fmt: skip
_MAX_DIMS = 16
_MAX_INT_DIGITS = 4000
_PACK_FROM = 64
_DEVICE = re.compile(r"(cpu|cuda|mps|meta)(:\d{1,3})?\Z")

KINDS = frozenset(
    [
        "function",
        "class",
        "module",
        "generator",
        "iterator",
        "nn.Module",
        "optimizer",
        "sparse-tensor",
        "object-array",
        "string",
        "object",
    ]
)
"""What an `Opaque` may call itself. A fixed list, since the name is shown and must not carry a message."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A handle for an object that stays beside the student's code, because it is no data."""

    handle: int
    type_name: str
    worker: int = 0
    """Which of a submission's processes keeps the object, where there are several. It does not travel."""


def encode(value: Any, keep: Callable[[Any], int] | None = None) -> bytes:
    """The frame for `value`.

    `keep` stores an object that is no data and returns the number of its handle; without it such an object raises
    NotDataError. Tensors are detached and copied to the CPU; their device is recorded by name.
    """
    encoder = _Encoder(keep)
    tree = encoder.node(value, 0)
    header = json.dumps(tree, separators=(",", ":"), allow_nan=False).encode("ascii")
    return b"".join([struct.pack("<I", len(header)), header, *encoder.buffers])


def decode(
    frame: bytes | memoryview,
    limits: WireLimits = WireLimits(),
    resolve: Callable[[Opaque], Any] | None = None,
) -> Any:
    """The value in `frame`, in memory of its own; WireError if anything about the frame is wrong.

    `resolve` turns handles into objects, on the side that keeps them. Tensors are on the CPU.
    """
    view = memoryview(frame)
    if len(view) > limits.frame:
        raise WireError(f"the frame has {len(view)} bytes, more than {limits.frame}")
    if len(view) < 4:
        raise WireError("the frame is cut short")
    (size,) = struct.unpack("<I", view[:4])
    if size > limits.header or size > len(view) - 4:
        raise WireError("the header is larger than allowed or cut short")
    try:
        tree = json.loads(bytes(view[4 : 4 + size]).decode("ascii"), parse_constant=_refuse, object_hook=_refuse)
    except WireError:
        raise
    except (ValueError, RecursionError) as error:
        raise WireError(f"the header is not valid: {type(error).__name__}") from error
    decoder = _Decoder(view[4 + size :], limits, resolve)
    try:
        value = decoder.value(tree, 0)
    except WireError:
        raise
    except (ValueError, RuntimeError, OverflowError, MemoryError) as error:
        raise WireError(f"a node is not valid: {type(error).__name__}") from error
    decoder.finish()
    return value


def _refuse(found: object) -> Any:
    raise WireError("the header holds something that this format does not know")


def _is_torch(value: Any, name: str) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, getattr(torch, name))


def kind_of(value: Any) -> str:
    """The entry of `KINDS` that fits an object that is no data."""
    if _is_torch(value, "Tensor"):
        return "sparse-tensor"
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.nn.Module):
        return "nn.Module"
    if torch is not None and isinstance(value, torch.optim.Optimizer):
        return "optimizer"
    if isinstance(value, np.ndarray):
        return "object-array"
    if isinstance(value, type):
        return "class"
    name = type(value).__name__
    if name in ("function", "module", "generator"):
        return name
    if callable(value):
        return "function"
    return "iterator" if hasattr(value, "__next__") else "object"


class _Encoder:
    """Builds the tree and the list of buffers."""

    def __init__(self, keep: Callable[[Any], int] | None) -> None:
        self.keep = keep
        self.buffers: list[bytes] = []

    def node(self, value: Any, depth: int) -> Any:
        if value is None or value is True or value is False:
            return value
        kind = type(value)
        if kind is str:
            return value.encode("utf-8", "replace").decode("utf-8")
        if kind is int:
            return value if -(2**63) <= value < 2**63 else self.big_int(value)
        if kind is float:
            return value if math.isfinite(value) else ["F", repr(value)]
        if depth >= _MAX_DEPTH:
            return self.opaque(value)
        if kind is list or kind is range:
            return self.pack(list(value), depth)
        if isinstance(value, tuple):
            return ["t", *(self.node(item, depth + 1) for item in value)]
        if isinstance(value, dict):
            return self.mapping(value, depth)
        return self.other(value, depth)

    def other(self, value: Any, depth: int) -> Any:
        """Types that are rarer than plain Python containers."""
        if isinstance(value, np.ndarray):
            return self.array("a", value)
        if isinstance(value, np.generic):
            return self.array("n", np.asarray(value))
        if _is_torch(value, "Tensor"):
            return self.tensor(value)
        if isinstance(value, Opaque):
            return ["o", value.handle, value.type_name]
        if isinstance(value, bytes | bytearray):
            self.buffers.append(bytes(value))
            return ["b", len(value)]
        if isinstance(value, complex):
            return ["c", self.node(value.real, depth + 1), self.node(value.imag, depth + 1)]
        if isinstance(value, set | frozenset):
            tag = "z" if isinstance(value, frozenset) else "s"
            return [tag, *(self.node(item, depth + 1) for item in sorted(value, key=repr))]
        if _is_torch(value, "dtype"):
            return ["y", str(value).removeprefix("torch.")]
        if _is_torch(value, "device"):
            return str(value)
        plain: type[Any]
        for plain in (int, float, str, list):
            if isinstance(value, plain):
                return self.node(plain(value), depth)
        return self.opaque(value)

    def big_int(self, value: int) -> Any:
        digits = hex(value)
        return ["I", digits] if len(hex(abs(value))) <= 2 + _MAX_INT_DIGITS else self.opaque(value)

    def mapping(self, value: dict[Any, Any], depth: int) -> Any:
        nodes: list[Any] = ["d"]
        for key, item in value.items():
            if not _is_key(key):
                return self.opaque(value)
            nodes.append(self.node(key, depth + 1))
            nodes.append(self.node(item, depth + 1))
        return nodes

    def pack(self, value: list[Any], depth: int) -> Any:
        if len(value) >= _PACK_FROM:
            kinds = {type(item) for item in value}
            if kinds == {float}:
                self.buffers.append(np.array(value, dtype="<f8").tobytes())
                return ["L", "float64", len(value)]
            if kinds == {int} and all(-(2**63) <= item < 2**63 for item in value):
                self.buffers.append(np.array(value, dtype="<i8").tobytes())
                return ["L", "int64", len(value)]
        return ["l", *(self.node(item, depth + 1) for item in value)]

    def array(self, tag: str, value: np.ndarray[Any, Any]) -> Any:
        name = value.dtype.newbyteorder("=").name
        if name not in _NUMPY_DTYPES or value.ndim > _MAX_DIMS:
            return self.opaque(value)
        plain = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        self.buffers.append(plain.tobytes())
        return [tag, name, list(value.shape)]

    def tensor(self, value: torch.Tensor) -> Any:
        import torch

        with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
            # A subclass may lie about itself; from here on it is a plain tensor.
            plain = value.detach().as_subclass(torch.Tensor)
            name = str(plain.dtype).removeprefix("torch.")
            strided = plain.layout is torch.strided and not plain.is_meta and not plain.is_quantized
            if name not in _TORCH_ITEMSIZE or not strided or plain.ndim > _MAX_DIMS:
                return self.opaque(value)
            flat = plain.resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
            flat = flat.as_strided(flat.shape, (1,))  # one entry of a column is contiguous with any stride
            self.buffers.append(flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
        return ["x", name, list(plain.shape), str(plain.device)]

    def opaque(self, value: Any) -> Any:
        if self.keep is None:
            raise NotDataError(f"a value of type {type(value).__name__} is no data and cannot be sent")
        return ["o", self.keep(value), kind_of(value)]


def _is_key(key: Any) -> bool:
    if isinstance(key, tuple):
        return all(map(_is_key, key))
    return key is None or isinstance(key, str | int | float | np.integer)


class _Decoder:
    """Checks the tree node by node and takes the buffers in order."""

    def __init__(
        self,
        buffers: memoryview,
        limits: WireLimits,
        resolve: Callable[[Opaque], Any] | None,
    ) -> None:
        self.buffers = buffers
        self.limits = limits
        self.resolve = resolve
        self.items = 0
        self.numbers = 0
        self.cursor = 0

    def value(self, node: Any, depth: int) -> Any:
        self.items += 1
        if self.items > self.limits.items or depth > self.limits.depth:
            raise WireError("the frame holds too many items or is nested too deeply")
        if type(node) is str and not node.isascii() and any("\ud800" <= char <= "\udfff" for char in node):
            raise WireError("a string is not valid Unicode")
        if type(node) is not list:
            return node
        if not node or type(node[0]) is not str:
            raise WireError("a node has no tag")
        tag, rest = node[0], node[1:]
        reader = _READERS.get(tag)
        if reader is None:
            raise WireError("a node has an unknown tag")
        return reader(self, rest, depth)

    def values(self, nodes: list[Any], depth: int) -> list[Any]:
        return [self.value(node, depth + 1) for node in nodes]

    def take(self, size: int) -> memoryview:
        if size > len(self.buffers) - self.cursor:
            raise WireError("a buffer is cut short")
        self.cursor += size
        return self.buffers[self.cursor - size : self.cursor]

    def finish(self) -> None:
        if self.cursor != len(self.buffers):
            raise WireError("the frame holds more bytes than its header says")

    def read_dict(self, rest: list[Any], depth: int) -> dict[Any, Any]:
        if len(rest) % 2:
            raise WireError("a dict has a key without a value")
        result: dict[Any, Any] = {}
        for key_node, node in zip(rest[::2], rest[1::2], strict=True):
            key = self.value(key_node, depth + 1)
            if not _is_key(key):
                raise WireError("a dict has a key that is no key")
            if key in result:
                raise WireError("a dict has one key twice")
            result[key] = self.value(node, depth + 1)
        return result

    def read_set(self, rest: list[Any], depth: int) -> set[Any]:
        items = self.values(rest, depth)
        if not all(_is_key(item) or isinstance(item, frozenset | bytes | complex) for item in items):
            raise WireError("a set has a member that cannot be one")
        return set(items)

    def read_float(self, rest: list[Any], depth: int) -> float:
        if rest not in (["nan"], ["inf"], ["-inf"]):
            raise WireError("a float is not valid")
        return float(rest[0])

    def read_int(self, rest: list[Any], depth: int) -> int:
        if len(rest) != 1 or type(rest[0]) is not str or not re.fullmatch(r"-?0x[0-9a-f]{1,4000}", rest[0]):
            raise WireError("an int is not valid")
        return int(rest[0], 16)

    def read_complex(self, rest: list[Any], depth: int) -> complex:
        parts = self.values(rest, depth)
        if len(parts) != 2 or not all(type(part) is float for part in parts):
            raise WireError("a complex number is not valid")
        return complex(*parts)

    def read_bytes(self, rest: list[Any], depth: int) -> bytes:
        return bytes(self.take(_size(rest)))

    def read_numbers(self, rest: list[Any], depth: int) -> list[Any]:
        if len(rest) != 2 or rest[0] not in ("float64", "int64"):
            raise WireError("a list of numbers is not valid")
        count = _size(rest[1:])
        self.numbers += count
        if self.numbers > self.limits.numbers:
            raise WireError("there are too many numbers in lists")
        dtype = "<f8" if rest[0] == "float64" else "<i8"
        numbers: list[Any] = np.frombuffer(self.take(count * 8), dtype=dtype).tolist()
        return numbers

    def read_array(self, rest: list[Any], depth: int) -> np.ndarray[Any, Any]:
        if len(rest) != 2 or rest[0] not in _NUMPY_DTYPES:
            raise WireError("an array's header is not valid")
        dtype = np.dtype(rest[0])
        shape, count = _shape(rest[1])
        raw = self.take(count * dtype.itemsize)
        if rest[0] == "bool":
            truth: np.ndarray[Any, Any] = np.frombuffer(raw, dtype="u1") != 0
            return truth.reshape(shape)
        return np.frombuffer(raw, dtype=dtype).reshape(shape).copy()

    def read_scalar(self, rest: list[Any], depth: int) -> Any:
        array = self.read_array(rest, depth)
        if array.shape != ():
            raise WireError("a scalar has a shape")
        return array[()]

    def read_tensor(self, rest: list[Any], depth: int) -> torch.Tensor:
        import torch

        if len(rest) != 3 or type(rest[0]) is not str or rest[0] not in _TORCH_ITEMSIZE:
            raise WireError("a tensor's header is not valid")
        if type(rest[2]) is not str or not _DEVICE.match(rest[2]):
            raise WireError("a tensor's device is not valid")
        shape, count = _shape(rest[1])
        raw = np.frombuffer(self.take(count * _TORCH_ITEMSIZE[rest[0]]), dtype="u1")
        if rest[0] == "bool":
            tensor = torch.from_numpy(raw != 0).reshape(shape)
        else:
            dtype = _torch_dtypes()[rest[0]]
            plain = torch.from_numpy(raw.copy()).view(dtype) if count else torch.empty(0, dtype=dtype)
            tensor = plain.reshape(shape)
        return tensor

    def read_dtype(self, rest: list[Any], depth: int) -> torch.dtype:
        if len(rest) != 1 or type(rest[0]) is not str or rest[0] not in _TORCH_ITEMSIZE:
            raise WireError("a dtype is not valid")
        return _torch_dtypes()[rest[0]]

    def read_opaque(self, rest: list[Any], depth: int) -> Any:
        if len(rest) != 2 or type(rest[0]) is not int or type(rest[1]) is not str or rest[1] not in KINDS:
            raise WireError("a handle is not valid")
        opaque = Opaque(rest[0], rest[1])
        return opaque if self.resolve is None else self.resolve(opaque)


_READERS: dict[str, Callable[[_Decoder, list[Any], int], Any]] = {
    "l": lambda decoder, rest, depth: decoder.values(rest, depth),
    "t": lambda decoder, rest, depth: tuple(decoder.values(rest, depth)),
    "d": _Decoder.read_dict,
    "s": _Decoder.read_set,
    "z": lambda decoder, rest, depth: frozenset(decoder.read_set(rest, depth)),
    "F": _Decoder.read_float,
    "I": _Decoder.read_int,
    "c": _Decoder.read_complex,
    "b": _Decoder.read_bytes,
    "L": _Decoder.read_numbers,
    "a": _Decoder.read_array,
    "n": _Decoder.read_scalar,
    "x": _Decoder.read_tensor,
    "y": _Decoder.read_dtype,
    "o": _Decoder.read_opaque,
}


def _torch_dtypes() -> dict[str, torch.dtype]:
    import torch

    return {
        "bool": torch.bool, "uint8": torch.uint8, "int8": torch.int8, "int16": torch.int16, "int32": torch.int32,
        "int64": torch.int64, "uint16": torch.uint16, "uint32": torch.uint32, "uint64": torch.uint64,
        "float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64,
        "complex64": torch.complex64, "complex128": torch.complex128,
    }  # fmt: skip


def _size(rest: list[Any]) -> int:
    if len(rest) != 1 or type(rest[0]) is not int or rest[0] < 0:
        raise WireError("a length is not valid")
    return rest[0]


def _shape(node: Any) -> tuple[list[int], int]:
    if type(node) is not list or len(node) > _MAX_DIMS or not all(type(n) is int and 0 <= n < 2**48 for n in node):
        raise WireError("a shape is not valid")
    if math.prod(n for n in node if n) >= 2**48:  # an empty array, with strides beyond 64 bits
        raise WireError("a shape is too large")
    return node, math.prod(node)
