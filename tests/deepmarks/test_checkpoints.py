"""Checkpoints: small on disk, looked through before loading, refused with a sentence."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save as save_safetensors
from torch import nn

from deepmarks.checkpoints import (
    CheckpointError,
    Fault,
    audit_checkpoint,
    batched_logits,
    load_bytes,
    load_checkpoint,
    safetensors_arrays,
    save_checkpoint,
    shapes_of,
)
from deepmarks.safetensors_file import FormatError, read_header


def small_net(width: int = 6) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Flatten(), nn.Linear(width * 36, 10))


@pytest.fixture
def net() -> nn.Sequential:
    torch.manual_seed(0)
    made = small_net()
    made(torch.randn(16, 3, 8, 8))  # used statistics, num_batches_tracked = 1
    return made.eval()


@pytest.fixture
def data(net, tmp_path) -> bytes:
    return save_checkpoint(net, tmp_path / "net.safetensors").read_bytes()


def refused(data: bytes, net: nn.Module, **kwargs) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        audit_checkpoint(data, names_and_shapes=shapes_of(net), **kwargs)
    return caught.value


def test_weights_come_back_in_float32_with_integer_buffers(net, tmp_path):
    path = save_checkpoint(net, tmp_path / "net.safetensors")
    other = small_net()
    assert load_checkpoint(path, other) is other
    for name, value in other.state_dict().items():
        wanted = net.state_dict()[name]
        assert value.dtype == wanted.dtype
        assert torch.allclose(value.double(), wanted.double(), rtol=1e-3, atol=1e-6), name
    assert int(other[1].num_batches_tracked) == 1
    x = torch.randn(40, 3, 8, 8)
    assert torch.allclose(batched_logits(other, x, 16), net(x), atol=2e-2)
    assert other.training


def test_the_audit_counts_without_loading(net, data):
    audit = audit_checkpoint(data, names_and_shapes=shapes_of(net))
    assert audit.format == "safetensors"
    assert audit.size == len(data)
    assert audit.shapes == shapes_of(net)
    assert audit.parameters == sum(v.numel() for v in net.state_dict().values() if v.is_floating_point())


def test_arrays_are_had_without_torch(net, data):
    arrays = safetensors_arrays(data)
    assert arrays["3.weight"].dtype == np.float32
    assert np.allclose(arrays["3.weight"], net[3].weight.detach().numpy(), atol=1e-3)
    assert arrays["1.num_batches_tracked"].dtype == np.int64


def test_bfloat16_and_float32_files_are_read(net):
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in net.state_dict().items()}
        other = load_bytes(save_safetensors(state), small_net())
        assert torch.allclose(other[3].weight, net[3].weight, atol=1e-2)


def test_resnet50_fits_the_upload_limit(tmp_path):
    from deepmarks.torchvision_guard import guard

    guard()
    from torchvision.models import resnet50

    model = resnet50()
    path = save_checkpoint(model, tmp_path / "resnet50.safetensors")
    assert path.stat().st_size < 55e6
    audit_checkpoint(path.read_bytes(), names_and_shapes=shapes_of(model), max_mb=100)


def test_a_value_beyond_half_precision_keeps_its_tensor_in_float32(tmp_path):
    path = save_checkpoint({"a": torch.tensor([1e6]), "b": torch.tensor([1.0])}, tmp_path / "x.safetensors")
    assert safetensors_arrays(path.read_bytes())["a"].tolist() == [1e6]
    assert read_header(path.read_bytes())["b"].dtype == "F16"


def test_diverged_weights_are_not_saved(net, tmp_path):
    with torch.no_grad():
        net[3].bias[2] = float("nan")
    with pytest.raises(CheckpointError, match=r"3\.bias holds NaN.*diverged"):
        save_checkpoint(net, tmp_path / "net.safetensors")
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------ what is refused


def test_cut_short(net, data):
    for size in (1, 7, 8, 100, len(data) // 2, len(data) - 1):
        error = refused(data[:size], net)
        assert error.fault is Fault.DAMAGED
        assert "damaged" in error.sentence
    assert "empty" in refused(b"", net).sentence


def test_bytes_appended(net, data):
    assert "more bytes follow" in refused(data + b"x", net).sentence


def test_huge(net, data):
    error = refused(data, net, max_mb=0.001)
    assert error.fault is Fault.SIZE
    assert "save_checkpoint stores half precision" in error.sentence


def test_pickles(net):
    for content in (pickle.dumps(net.state_dict()), pickle.dumps({"a": 1})):
        assert refused(content, net).fault is Fault.UNSAFE
    legacy = io.BytesIO()
    torch.save(net.state_dict(), legacy, _use_new_zipfile_serialization=False)
    assert refused(legacy.getvalue(), net).fault is Fault.UNSAFE


def test_another_architecture(net, tmp_path):
    wider = save_checkpoint(small_net(7), tmp_path / "a").read_bytes()
    assert "0.weight in the checkpoint has the shape (7, 3, 3, 3); the model needs (6, 3, 3, 3)" in (
        refused(wider, net).sentence
    )
    fewer = save_checkpoint(net[:2], tmp_path / "b").read_bytes()
    assert "it lacks 3.weight, 3.bias." in refused(fewer, net).sentence
    more = save_checkpoint(nn.Sequential(*net, nn.Linear(2, 2)), tmp_path / "c").read_bytes()
    assert "it holds 4.bias, 4.weight, which the model does not have" in refused(more, net).sentence
    other = save_checkpoint(nn.ModuleDict({"net": net}), tmp_path / "d").read_bytes()
    assert "it lacks 0.weight, 0.bias, 1.weight and 6 more and holds net." in refused(other, net).sentence
    for content in (wider, fewer, more, other):
        with pytest.raises(CheckpointError):
            load_bytes(content, small_net())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_values_that_are_no_numbers(net, value, dtype):
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in net.state_dict().items()}
    state["3.bias"][1] = value
    error = refused(save_safetensors(state), net)
    assert (error.fault, error.sentence) == (Fault.VALUES, "3.bias in the checkpoint holds NaN or infinite values.")


def header(tree: object, buffer: bytes = b"") -> bytes:
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return len(text).to_bytes(8, "little") + text + buffer


A = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ((1 << 63).to_bytes(8, "little"), "does not begin"),
        (header(b"["), "not valid"),
        (header(b"[" * 200_000), "not valid"),
        (header([1]), "not valid"),
        (header(b'{"a": 1, "a": 2}'), "twice"),
        (header(b'{"a": ' + b"9" * 5000 + b"}"), "not valid"),
        (header({"a": {**A, "shape": [3]}}, bytes(8)), "does not fit"),
        (header({"a": {**A, "shape": [2**40, 2**40]}}, bytes(8)), "does not fit"),
        (header({"a": {**A, "shape": [-2]}}, bytes(8)), "not valid"),
        (header({"a": {**A, "shape": [True]}}, bytes(8)), "not valid"),
        (header({"a": {**A, "shape": [1] * 30 + [2]}}, bytes(8)), "not valid"),
        (header({"a": {**A, "dtype": "O"}}, bytes(8)), "type of numbers"),
        (header({"a": {**A, "dtype": ["F32"]}}, bytes(8)), "type of numbers"),
        (header({"a": A, "b": A}, bytes(8)), "overlap"),
        (header({"a": A, "b": {**A, "data_offsets": [12, 20]}}, bytes(20)), "gaps"),
        (header({"a": {**A, "data_offsets": [8, 0]}}, bytes(8)), "does not fit"),
        (header({"a": {**A, "more": 1}}, bytes(8)), "not valid"),
        (header({"a\x1b[2J": A}, bytes(8)), "no parameter's"),
        (header({"a" * 300: A}, bytes(8)), "no parameter's"),
        (header({f"t{n}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for n in range(6000)}), "too many"),
    ],
)
def test_headers_that_lie(content, why):
    with pytest.raises(FormatError, match=why):
        read_header(content)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_anywhere_is_refused_or_harmless(draw):
    whole = save_safetensors({"w": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)})
    content = bytearray(whole)
    for _ in range(draw.draw(st.integers(1, 4))):
        content[draw.draw(st.integers(0, len(content) - 1))] = draw.draw(st.integers(0, 255))
    sentence = ""
    try:
        audit_checkpoint(bytes(content), names_and_shapes={"w": (2, 3), "n": ()})
        assert load_bytes(bytes(content), Pair()).w.shape == (2, 3)
    except CheckpointError as error:
        sentence = error.sentence
    assert len(sentence) < 600
    assert sentence.isprintable()


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2, 3))
        self.register_buffer("n", torch.tensor(0))


# ------------------------------------------------------------ files of torch.save


def saved(value: object) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def test_a_state_dict_is_taken_and_opened_only_beside_the_student(net):
    content = saved(net.state_dict())
    audit = audit_checkpoint(content, names_and_shapes=shapes_of(net))
    assert (audit.format, audit.shapes) == ("state_dict", {})
    assert torch.equal(load_bytes(content, small_net())[3].weight, net[3].weight)


def test_a_state_dict_that_is_none_is_refused(net):
    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    for value, fault in [
        (net, Fault.UNSAFE),
        ({"a": Evil()}, Fault.UNSAFE),
        ({"epoch": 3, "model": {}}, Fault.UNSAFE),
        ([1, 2], Fault.UNSAFE),
        (small_net(7).state_dict(), Fault.ARCHITECTURE),
        ({**net.state_dict(), "3.bias": torch.full((10,), float("nan"))}, Fault.VALUES),
    ]:
        with pytest.raises(CheckpointError) as caught:
            load_bytes(saved(value), small_net())
        assert caught.value.fault is fault


def test_zips_that_torch_did_not_write(net):
    whole = saved(net.state_dict())
    assert refused(whole[: len(whole) // 2], net).fault is Fault.DAMAGED
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("notes.txt", "hello")
    assert "not one that torch.save has written" in refused(other.getvalue(), net).sentence
    with pytest.raises(CheckpointError):
        load_bytes(whole[: len(whole) // 2], small_net())


def test_what_was_found_beside_the_student_becomes_a_fixed_sentence():
    assert "architecture" in CheckpointError.told("architecture").sentence
    assert CheckpointError.told("the hidden images are ...").sentence == CheckpointError.told("damaged").sentence
