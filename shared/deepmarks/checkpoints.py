"""Checkpoints: saved small, looked through before anything is loaded, and loaded strictly.

A checkpoint is a safetensors file; a state_dict that torch saved (.pt, .pth) is taken too, but it is opened beside the
student's code only, and with weights_only.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from deepmarks.safetensors_file import FLOATING, MOST_TENSORS, FormatError, read_array, read_header

if TYPE_CHECKING:
    import torch

M = TypeVar("M", bound="torch.nn.Module")
Shapes = Mapping[str, Sequence[int]]
SUFFIXES = (".safetensors", ".pt", ".pth")
"""What a checkpoint may be called, in the order in which they are looked for."""
_SHOWN = 3


class Fault(StrEnum):
    """Why a checkpoint cannot be used."""

    SIZE = "size"
    DAMAGED = "damaged"
    UNSAFE = "unsafe"
    ARCHITECTURE = "architecture"
    VALUES = "values"


_SENTENCES = {
    Fault.SIZE: "The checkpoint is larger than is accepted.",
    Fault.DAMAGED: "The checkpoint is damaged, or is no file of weights.",
    Fault.UNSAFE: "The checkpoint holds more than tensors (a whole model?): save the state_dict alone.",
    Fault.ARCHITECTURE: "The checkpoint belongs to another architecture: its names or shapes are not the model's.",
    Fault.VALUES: "The checkpoint holds NaN or infinite values.",
}


class CheckpointError(ValueError):
    """A checkpoint cannot be used; `sentence` is for the student."""

    def __init__(self, fault: Fault, sentence: str = "") -> None:
        self.fault = fault
        self.sentence = sentence or _SENTENCES[fault]
        super().__init__(self.sentence)

    @classmethod
    def told(cls, fault: str) -> CheckpointError:
        """The error for a fault that was found beside the student's code: a fixed sentence, whatever came."""
        return cls(Fault(fault) if fault in set(Fault) else Fault.DAMAGED)


@dataclass(frozen=True, slots=True)
class Audit:
    """What a checkpoint holds, found without loading it."""

    format: str
    """ "safetensors", or "state_dict" for a file that only torch can open."""
    size: int
    """Bytes."""
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The tensors; empty for a state_dict."""
    parameters: int = 0
    """Floating numbers, buffers included; 0 for a state_dict."""


def shapes_of(model_or_state: torch.nn.Module | Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of everything in a model's state_dict."""
    return {name: tuple(value.shape) for name, value in _state(model_or_state).items()}


# ------------------------------------------------------------------------------------------------------------- saving


def save_checkpoint(model_or_state: torch.nn.Module | Mapping[str, torch.Tensor], path: str | Path) -> Path:
    """Write a state_dict to the safetensors file `path`, in one step, and return the path.

    Floating tensors are stored in half precision unless a value would become infinite; integer buffers are kept.
    A ResNet-50 takes 51 MB. Raises CheckpointError if a value is NaN or infinite already.
    """
    from safetensors.torch import save

    path = Path(path)
    data = save({name: _compact(name, value) for name, value in _state(model_or_state).items()})
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(data)
    os.replace(unfinished, path)
    return path


def _compact(name: str, value: torch.Tensor) -> torch.Tensor:
    import torch

    value = value.detach().cpu().contiguous()
    if not value.is_floating_point():
        return value.clone()
    if not bool(torch.isfinite(value).all()):
        raise CheckpointError(
            Fault.VALUES, f"{name} holds NaN or infinite values: the training has diverged, so nothing was saved."
        )
    half = value.half()
    return half.clone() if bool(torch.isfinite(half).all()) else value.float().clone()


def _state(model_or_state: Any) -> Mapping[str, Any]:
    state = model_or_state.state_dict() if hasattr(model_or_state, "state_dict") else model_or_state
    if not isinstance(state, Mapping):
        raise TypeError(f"a model or a state_dict is needed, not {type(model_or_state).__name__}")
    return state


# ------------------------------------------------------------------------------------------------------------ looking


def audit_checkpoint(data: bytes, *, names_and_shapes: Shapes | None, max_mb: float = 100) -> Audit:
    """What is in the checkpoint `data`; CheckpointError with a sentence if it must not be loaded.

    Looked at: the size, the kind of file, the whole header, names and shapes against `names_and_shapes` (None: any),
    NaN and infinite values. Nothing is unpickled and no code of the submission runs. Of a state_dict only size and kind
    are looked at here; `load_bytes` looks at the rest, beside the student's code.
    """
    if len(data) > max_mb * 1e6:
        raise CheckpointError(
            Fault.SIZE,
            f"The checkpoint has {len(data) / 1e6:.0f} MB; at most {max_mb:g} MB are accepted. "
            "deepmarks.checkpoints.save_checkpoint stores half precision.",
        )
    if not data:
        raise CheckpointError(Fault.DAMAGED, "The checkpoint is empty.")
    if data.startswith(b"PK\x03\x04"):
        _look_into_zip(data, max_mb)
        return Audit("state_dict", len(data))
    try:
        entries = read_header(data)
    except FormatError as error:
        if _is_pickle(data):
            raise CheckpointError(
                Fault.UNSAFE,
                "The checkpoint is a pickle, which could run any program, so it is not opened. "
                "Save it with deepmarks.checkpoints.save_checkpoint.",
            ) from error
        raise CheckpointError(
            Fault.DAMAGED,
            f"The checkpoint is damaged or not a safetensors file: {error}. "
            "Save it again with deepmarks.checkpoints.save_checkpoint.",
        ) from error
    shapes = {name: entry.shape for name, entry in entries.items()}
    if names_and_shapes is not None:
        compare_shapes(shapes, names_and_shapes)
    for name, entry in entries.items():
        if entry.dtype in FLOATING and not np.isfinite(read_array(data, entry)).all():
            raise CheckpointError(Fault.VALUES, f"{name} in the checkpoint holds NaN or infinite values.")
    count = sum(entry.count for entry in entries.values() if entry.dtype in FLOATING)
    return Audit("safetensors", len(data), shapes, count)


def _is_pickle(data: bytes) -> bool:
    """Whether `data` begins as a pickle does; the length of a safetensors header may begin so too, but zeros follow."""
    return data[:1] == b"\x80" and data[1:2] in (b"\2", b"\3", b"\4", b"\5") and any(data[2:8])


def safetensors_arrays(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a safetensors file as arrays, floating ones in float32; audit it first."""
    try:
        return {name: read_array(data, entry) for name, entry in read_header(data).items()}
    except FormatError as error:
        raise CheckpointError(
            Fault.DAMAGED, f"The checkpoint is damaged or not a safetensors file: {error}."
        ) from error


def compare_shapes(found: Shapes, wanted: Shapes) -> None:
    """Raise CheckpointError unless names and shapes are the same."""
    missing = [name for name in wanted if name not in found]
    unexpected = [name for name in found if name not in wanted]
    if missing:
        raise CheckpointError(
            Fault.ARCHITECTURE,
            f"The checkpoint belongs to another architecture: it lacks {_some(missing)}"
            + (f" and holds {_some(unexpected)} instead." if unexpected else "."),
        )
    if unexpected:
        raise CheckpointError(
            Fault.ARCHITECTURE,
            f"The checkpoint belongs to another architecture: it holds {_some(unexpected)}, which "
            "the model does not have.",
        )
    for name, shape in wanted.items():
        if tuple(found[name]) != tuple(shape):
            raise CheckpointError(
                Fault.ARCHITECTURE,
                f"{name} in the checkpoint has the shape {tuple(found[name])}; the model needs {tuple(shape)}.",
            )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _look_into_zip(data: bytes, max_mb: float) -> None:
    """Refuse a zip that is no file of torch, or that would unpack to far more than it weighs."""
    # Counted first, because the zip's directory alone could fill the memory.
    if data.count(b"PK\x01\x02") > MOST_TENSORS:
        raise CheckpointError(Fault.DAMAGED, "The checkpoint is a zip with too many entries.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError) as error:
        raise CheckpointError(
            Fault.DAMAGED, "The checkpoint is damaged: it begins as a file of torch.save but is cut short."
        ) from error
    if not any(member.filename.endswith("data.pkl") for member in members):
        raise CheckpointError(Fault.DAMAGED, "The checkpoint is a zip, but not one that torch.save has written.")
    if sum(member.file_size for member in members) > max_mb * 1e6:
        raise CheckpointError(Fault.SIZE, "The checkpoint unpacks to more than is accepted.")


# ------------------------------------------------------------------------------------------------------------ loading


def load_checkpoint(path: str | Path, model: M) -> M:
    """Load the file `path` into `model`, in place and strictly; returns the model.

    Values are converted to the model's own dtype. Raises CheckpointError with a sentence if that cannot be done.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(Fault.DAMAGED, f"{path} cannot be read: {error.strerror}.") from error
    return load_bytes(data, model)


def load_bytes(data: bytes, model: M) -> M:
    """Load a checkpoint's bytes into `model`, as `load_checkpoint` does; for probes, which run beside student code."""
    import torch

    wanted = shapes_of(model)
    if audit_checkpoint(data, names_and_shapes=None).format == "safetensors":
        compare_shapes({name: entry.shape for name, entry in read_header(data).items()}, wanted)
        state = {name: torch.from_numpy(np.asarray(array)) for name, array in safetensors_arrays(data).items()}
    else:
        state = _weights_only(data)
        compare_shapes({name: tuple(value.shape) for name, value in state.items()}, wanted)
        for name, value in state.items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise CheckpointError(Fault.VALUES, f"{name} in the checkpoint holds NaN or infinite values.")
    model.load_state_dict(state, strict=True)
    return model


def _weights_only(data: bytes) -> dict[str, torch.Tensor]:
    import pickle

    import torch

    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise CheckpointError(
            Fault.UNSAFE,
            "The checkpoint is damaged, or holds more than tensors (a whole model?). "
            "Save the state_dict with deepmarks.checkpoints.save_checkpoint.",
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise CheckpointError(
            Fault.UNSAFE, "The checkpoint is not a state_dict: save model.state_dict(), nothing around it."
        )
    return {str(name): value for name, value in state.items()}


def batched_logits(model: torch.nn.Module, images: torch.Tensor, batch_size: int = 128) -> torch.Tensor:
    """The model's outputs for `images` (N, ...), float32 (N, K) on the CPU: eval mode, no graph, in batches.

    The images go to the model's device; its mode is restored.
    """
    import torch

    parameter = next(model.parameters(), None)
    device = images.device if parameter is None else parameter.device
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            parts = [model(batch.to(device)).float().cpu() for batch in torch.split(images, batch_size)]
    finally:
        model.train(training)
    return torch.cat(parts)
