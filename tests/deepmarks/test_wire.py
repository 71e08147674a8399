"""The wire format: everything that checks exchange survives it, and nothing else gets through."""

from __future__ import annotations

import contextlib
import json
import math
import resource
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from deepmarks import wire
from deepmarks.wire import NotDataError, Opaque, WireError, WireLimits, decode, encode

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.binary(max_size=40)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)  # fmt: skip
KEYS = st.none() | st.booleans() | st.integers(-5, 5) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
DTYPES = st.sampled_from("bool int8 int64 uint16 float16 float32 float64 complex128".split())
ARRAYS = DTYPES.flatmap(lambda name: hnp.arrays(name, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, float):
        return (math.copysign(1, a) == math.copysign(1, b) and (a == b or (a != a and b != b))) or (a != a and b != b)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    return a == b


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_whatever_is_sent_arrives(value):
    assert same(value, decode(encode(value)))


@pytest.mark.parametrize("name", list(wire._TORCH_ITEMSIZE))
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_tensors_of_every_dtype_arrive(name, shape):
    dtype = getattr(torch, name)
    tensor = torch.arange(math.prod(shape)).reshape(shape).to(dtype)
    back = decode(encode(tensor))
    assert back.dtype == dtype
    assert back.shape == tensor.shape
    assert encode(back) == encode(tensor)


def test_tensors_come_back_detached_contiguous_and_writable():
    tensor = torch.randn(3, 4, requires_grad=True).T
    back = decode(encode(tensor))
    assert not back.requires_grad
    assert torch.equal(back, tensor.detach())
    back += 1


def test_parameters_and_tensor_subclasses_are_plain_tensors():
    class Lying(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return torch.tensor(42.0)

    lying = torch.arange(3.0).as_subclass(Lying)
    for value in (torch.nn.Parameter(torch.arange(3.0)), lying):
        back = decode(encode(value))
        assert type(back) is torch.Tensor
        assert back.tolist() == [0.0, 1.0, 2.0]


def test_conjugate_and_negative_views_are_resolved():
    z = torch.complex(torch.arange(3.0), torch.ones(3))
    assert torch.equal(decode(encode(z.conj())), torch.complex(torch.arange(3.0), -torch.ones(3)))
    assert torch.equal(decode(encode(z.conj().imag)), -torch.ones(3))


def test_numpy_scalars_big_endian_and_strided_arrays_arrive():
    assert type(decode(encode(np.float32(1.5)))) is np.float32
    big = np.arange(4, dtype=">i4")
    assert decode(encode(big)).tolist() == [0, 1, 2, 3]
    assert decode(encode(np.arange(10)[::3])).tolist() == [0, 3, 6, 9]


def test_long_lists_of_numbers_are_packed():
    frame = encode([0.5] * 10_000)
    assert len(frame) < 10_000 * 8 + 100
    assert decode(frame) == [0.5] * 10_000
    assert decode(encode(list(range(1000)))) == list(range(1000))
    assert decode(encode([1] * 64 + [True])) == [1] * 64 + [True]


def test_an_object_that_is_no_data_is_kept_or_refused():
    kept = []
    back = decode(encode((1, torch.nn.Linear(2, 2)), lambda value: kept.append(value) or 7))
    assert back == (1, Opaque(7, "nn.Module"))
    assert isinstance(kept[0], torch.nn.Linear)
    with pytest.raises(NotDataError):
        encode(object())
    assert decode(encode(Opaque(7, "object")), resolve=lambda opaque: opaque.handle * 6) == 42


def test_an_opaque_carries_no_text_of_the_students():
    secret = type("TheHiddenInputWas42", (), {})()
    assert decode(encode(secret, lambda value: 1)) == Opaque(1, "object")


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb"])
def test_lone_surrogates_are_replaced(value):
    assert "?" in decode(encode(value))


def test_deep_nesting_is_kept_as_an_object():
    value: list = []
    for _ in range(100):
        value = [value]
    decode(encode(value, lambda inner: 1))


def attempt(data: bytes) -> None:
    with contextlib.suppress(WireError):
        decode(data)


def frame(tree: object, buffers: bytes = b"") -> bytes:
    header = (tree if isinstance(tree, str) else json.dumps(tree)).encode()
    return struct.pack("<I", len(header)) + header + buffers


BAD_FRAMES = {
    "empty": b"",
    "short": b"\x01\x00",
    "header longer than the frame": struct.pack("<I", 2**31) + b"[]",
    "not JSON": frame("{"),
    "an object": frame('{"a": 1}'),
    "NaN literal": frame("NaN"),
    "not ASCII": struct.pack("<I", 2) + b"\xff\xff",
    "too deep": frame("[" * 5000 + "]" * 5000),
    "too deep with tags": frame('["l",' * 60 + "1" + "]" * 60),
    "no tag": frame([1, 2]),
    "unknown tag": frame(["eval", "1"]),
    "pickle bytes": b"\x80\x04\x95\x10\x00\x00\x00\x00",
    "negative length": frame(["b", -1]),
    "boolean length": frame(["b", True]),
    "buffer cut short": frame(["b", 10], b"123"),
    "bytes left over": frame(["b", 1], b"12"),
    "object dtype": frame(["a", "object", [1]], b"12345678"),
    "str dtype": frame(["a", "str", [1]], b"12345678"),
    "dtype is a list": frame(["x", [], [1], "cpu"], b"1234"),
    "unhashable dtype": frame(["a", {"x": 1}, [1]], b"1"),
    "negative dimension": frame(["a", "int8", [-1]], b""),
    "float dimension": frame(["a", "int8", [1.0]], b"1"),
    "many dimensions": frame(["a", "int8", [1] * 1000], b"1"),
    "overflowing shape": frame(["a", "int8", [2**47] * 4], b""),
    "astronomic shape": frame(["x", "float64", [2**40, 2**40], "cpu"], b"12345678"),
    "empty and astronomic": frame(["x", "float32", [2**47, 2**47, 0], "cpu"]),
    "empty and astronomic array": frame(["a", "float64", [0, 2**47, 2**47]]),
    "bad device": frame(["x", "int8", [1], "cpu; rm -rf"], b"1"),
    "duplicate key": frame(["d", "a", 1, "a", 2]),
    "key without value": frame(["d", "a"]),
    "list as key": frame(["d", ["l", 1], 2]),
    "set of lists": frame(["s", ["l", 1]]),
    "bad float": frame(["F", "1.0"]),
    "bad int": frame(["I", "12"]),
    "huge int": frame("9" * 5000),
    "huge list": frame(["L", "float64", 2**60]),
    "list of objects": frame(["L", "object", 1], b"12345678"),
    "handle with a name of its own": frame(["o", 1, "os.system"]),
    "handle that is no int": frame(["o", "1", "object"]),
    "surrogate": frame('"\\ud800"'),
    "unknown dtype name": frame(["y", "quint8"]),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_a_malformed_frame_is_refused(name):
    with pytest.raises(WireError):
        decode(BAD_FRAMES[name])


def test_limits_hold():
    with pytest.raises(WireError):
        decode(encode(np.zeros(2000)), WireLimits(frame=1000))
    with pytest.raises(WireError):
        decode(encode([None] * 100), WireLimits(items=50))
    with pytest.raises(WireError):
        decode(encode(["x" * 1000]), WireLimits(header=500))


@given(st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
def test_any_bytes_give_a_value_or_a_wire_error(data):
    for candidate in (data, struct.pack("<I", min(len(data), 30)) + data):
        attempt(candidate)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6)
    | st.sampled_from([*wire._READERS, "float64", "int8", "cpu"]),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(JSON, st.binary(max_size=64))
@settings(max_examples=1000, deadline=None)
def test_any_tree_gives_a_value_or_a_wire_error(tree, buffers):
    attempt(frame(tree, buffers))


@given(VALUES, st.data())
@settings(max_examples=300, deadline=None)
def test_a_valid_frame_with_one_byte_changed_gives_a_value_or_a_wire_error(value, data):
    good = bytearray(encode(value))
    index = data.draw(st.integers(0, len(good) - 1))
    good[index] = data.draw(st.integers(0, 255))
    attempt(bytes(good))


def test_nonsense_of_the_allowed_size_takes_little_memory():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for text in (
        '["l"' + ',["l"]' * 150_000 + "]",
        "[" + "[]," * 300_000 + "[]]",
        '["l"' + ',"\\u1234"' * 120_000 + "]",
    ):
        data = frame(text[: WireLimits().header])
        attempt(data)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 50 * 1024
