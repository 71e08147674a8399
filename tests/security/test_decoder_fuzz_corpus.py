"""A stored corpus of nasty frames: each is refused or decoded, quickly and in little memory, and never does more."""

from __future__ import annotations

import json
import pickle
import struct
import time
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from deepmarks import wire

_MOST_BYTES = 50 << 20
_MOST_SECONDS = 2.0


def _frame(header: object, buffers: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<I", len(raw)) + raw + buffers


def _nested(tag: str, depth: int) -> bytes:
    return f'["{tag}",'.encode() * depth + b"1" + b"]" * depth


REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "three bytes": b"\x01\x00\x00",
    "a header that is not there": struct.pack("<I", 100),
    "a header of 4 GiB": b"\xff\xff\xff\xff" + b"[]",
    "an empty header": _frame(b""),
    "trailing bytes": _frame(1, b"x"),
    "no utf-8": _frame(b'"\xff"'),
    "utf-8 beyond ascii": _frame('"é"'.encode()),
    "a lone surrogate": _frame(b'"\\ud800"'),
    "NaN": _frame(b"NaN"),
    "infinity": _frame(b'["c",Infinity,0.0]'),
    "an object": _frame({"a": 1}),
    "an object with a class": _frame({"__class__": "os.system"}),
    "an empty list": _frame([]),
    "a list without a tag": _frame([1, 2]),
    "an unknown tag": _frame(["eval", "1"]),
    "a tag that is a list": _frame([["l"]]),
    "a half pair": _frame(["d", "a"]),
    "a key twice": _frame(["d", "a", 1, "a", 2]),
    "a key twice by value": _frame(["d", 1, 1, True, 2]),
    "a list as a key": _frame(["d", ["l"], 1]),
    "a tensor as a member": _frame(["s", ["x", "float32", [0], "cpu"]]),
    "a float that is code": _frame(["F", "1e999"]),
    "a float with two parts": _frame(["F", "nan", "nan"]),
    "an int in decimal": _frame(["I", "10"]),
    "an int of a million digits": _frame(["I", "0x" + "f" * 900_000]),
    "an int with a line end": _frame(["I", "0x1\n"]),
    "a complex number of strings": _frame(["c", "1", "2"]),
    "negative bytes": _frame(["b", -1]),
    "bytes by a float": _frame(["b", 1.0]),
    "bytes by a truth value": _frame(["b", True], b"x"),
    "2^62 bytes": _frame(["b", 2**62]),
    "2^70 bytes": _frame(["b", 2**70]),
    "numbers of objects": _frame(["L", "object", 1], b"\0" * 8),
    "too many numbers": _frame(["L", "int64", 2**40]),
    "an array of objects": _frame(["a", "object", [1]], b"\0" * 8),
    "an array of strings": _frame(["a", "U4", [1]], b"\0" * 16),
    "a structured dtype": _frame(["a", [["f", "f8"]], [1]], b"\0" * 8),
    "a dtype that is a dict": _frame(b'["a",{"names":["a"]},[1]]'),
    "a dtype of numpy's own": _frame(["a", "datetime64", [1]], b"\0" * 8),
    "a shape that is a number": _frame(["a", "int8", 1], b"\0"),
    "a negative shape": _frame(["a", "int8", [-1, -1]], b"\0"),
    "a shape of truth values": _frame(["a", "int8", [True]], b"\0"),
    "a shape of floats": _frame(["a", "int8", [1.0]], b"\0"),
    "17 axes": _frame(["a", "int8", [1] * 17], b"\0"),
    "a million axes": _frame(["a", "int8", [1] * 400_000], b"\0"),
    "a shape whose product overflows": _frame(["a", "int8", [2**32, 2**32]]),
    "a shape beyond 2^48": _frame(["a", "int8", [2**60, 0]]),
    "a scalar with a shape": _frame(["n", "int8", [1]], b"\0"),
    "a short buffer": _frame(["a", "float64", [2]], b"\0" * 15),
    "a long buffer": _frame(["a", "float64", [1]], b"\0" * 9),
    "one buffer for two": _frame(["l", ["b", 4], ["b", 4]], b"\0" * 4),
    "a tensor of quantised numbers": _frame(["x", "qint8", [1], "cpu"], b"\0"),
    "a tensor on a disk": _frame(["x", "int8", [1], "/dev/sda"], b"\0"),
    "a tensor on a device with a line end": _frame(["x", "int8", [1], "cpu\n"], b"\0"),
    "a dtype that is code": _frame(["y", "__class__"]),
    "a dtype that is a list": _frame(["y", ["float32"]]),
    "a handle by name": _frame(["o", "1", "object"]),
    "a handle with a message": _frame(["o", 1, "the answer is 42"]),
    "a handle by a truth value": _frame(["o", True, "object"]),
    "40 levels": _frame(_nested("l", 40)),
    "40 tuples as a key": _frame(b'["d",' + _nested("t", 40) + b",1]"),
    "half a million levels": _frame(b"[" * 500_000),
    "half a million levels of tags": _frame(_nested("l", 60_000)),
    "300,000 nulls": _frame(["l", *([None] * 300_000)]),
    "a million-digit number": _frame(b"1" * 900_000),
    "a pickle": pickle.dumps(print),
    "a pickle in a header": _frame(pickle.dumps(print)),
    "an npy file": b"\x93NUMPY\x01\x00" + b"\0" * 100,
    "a zip, as torch.save makes": b"PK\x03\x04" + b"\0" * 100,
    "a frame over the limit": _frame(1, bytes(33 << 20)),
}

DECODED: dict[str, bytes] = {
    "null": _frame(None),
    "a NaN payload": _frame(["a", "float64", [1]], struct.pack("<Q", 0x7FF8_DEAD_BEEF_CAFE)),
    "a signalling NaN": _frame(["x", "float32", [1], "cpu"], struct.pack("<I", 0x7F80_0001)),
    "truth values that are neither": _frame(["x", "bool", [3], "cpu"], b"\x02\xff\x00"),
    "no entries along a long axis": _frame(["x", "float64", [0, 2**47], "cpu"]),
    "subnormal numbers": _frame(["a", "float64", [1]], struct.pack("<Q", 1)),
    "an int of 4,000 digits": _frame(["I", "-0x" + "f" * 3990]),
    "many equal hashes": _frame(["s", *(k * (2**61 - 1) for k in range(4))]),
    "a device that is not there": _frame(["x", "int8", [1], "cuda:7"], b"\0"),
    "control codes": _frame(b'"\\u001b[2J\\u0000\\u202e"'),
    "escapes of one character": _frame(b'"' + b"\\u0041" * 100_000 + b'"'),
    "199,000 items": _frame(["l", *([0] * 199_000)]),
}


def _decode(frame: bytes) -> object:
    tracemalloc.start()
    started = time.monotonic()
    try:
        return wire.decode(frame)
    finally:
        elapsed = time.monotonic() - started
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < _MOST_BYTES, f"{peak >> 20} MiB"
        assert elapsed < 5 * _MOST_SECONDS


@pytest.mark.parametrize("name", REFUSED)
def test_a_nasty_frame_is_refused(name: str) -> None:
    with pytest.raises(wire.WireError) as caught:
        _decode(REFUSED[name])
    assert "42" not in str(caught.value)


@pytest.mark.parametrize("name", DECODED)
def test_an_odd_frame_is_decoded_as_data(name: str) -> None:
    value = _decode(DECODED[name])
    assert all(type(part).__module__ in ("builtins", "numpy", "torch") for part in _parts(value))


def _parts(value: object) -> Iterator[object]:
    yield value
    if isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _parts(item)


def test_every_truth_value_is_one_of_two() -> None:
    value = wire.decode(DECODED["truth values that are neither"])
    assert isinstance(value, torch.Tensor)
    assert value.tolist() == [True, True, False]


def test_cut_and_flipped_frames_do_no_more_than_raise() -> None:
    whole = wire.encode({"id": 3, "reply": [np.arange(6.0).reshape(2, 3), {"a": (1, 2.5, "x", b"yz", {4, 5})}, None]})
    generator = np.random.default_rng(0)
    frames = [whole[:k] for k in range(len(whole))]
    for _ in range(2000):
        changed = bytearray(whole)
        for place in generator.integers(0, len(whole), size=int(generator.integers(1, 4))):
            changed[int(place)] = int(generator.integers(0, 256))
        frames.append(bytes(changed))
    for frame in frames:
        try:
            wire.decode(frame)
        except wire.WireError:
            continue
