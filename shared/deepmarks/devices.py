"""Devices, and how closely two results on them can be expected to agree.

One table holds every tolerance of every check. Nothing else in the course writes such a number down.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

DEVICES = ("cpu", "cuda", "mps")


class UnknownDeviceError(ValueError):
    """The name is none of "auto", "cpu", "cuda" and "mps"."""


class DeviceUnavailableError(RuntimeError):
    """The device has a known name, but this machine or this build of torch has none."""


class CudaUnavailableError(DeviceUnavailableError):
    """No CUDA device can be used."""


class MpsUnavailableError(DeviceUnavailableError):
    """No Apple GPU can be used."""


class UnknownToleranceError(KeyError):
    """The table has no line for this dtype on this device."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Two numbers agree if |received - expected| <= atol + rtol * |expected|."""

    rtol: float
    atol: float
    reason: str = ""


_EXACT = Tolerance(0.0, 0.0, "whole numbers and truth values have no rounding")

_FLOAT64 = Tolerance(
    1e-8, 1e-10, "re-ordered sums lose 1e-13; below float32's 6e-8, so that a detour through float32 shows"
)
_FLOAT32 = Tolerance(1e-5, 1e-5, "eps is 1.2e-7; a few hundred re-ordered additions lose about a hundred of it")
_FLOAT16 = Tolerance(1e-2, 1e-3, "eps is 1e-3; some ten of it, with sums kept in float32")
_BFLOAT16 = Tolerance(3e-2, 1e-2, "eps is 7.8e-3; some four of it, with sums kept in float32")

_FLOAT64_CUDA = Tolerance(1e-8, 1e-10, "full double precision; only the order of sums differs")
_FLOAT32_CUDA = Tolerance(
    5e-5,
    5e-5,
    "TF32 is off in checks, but sums run in parallel, and cuDNN picks its algorithm (Winograd, FFT)",
)
_FLOAT32_MPS = Tolerance(1e-4, 1e-4, "Metal's fast-math exponentials and divisions lose a few bits more")

_TABLE: dict[tuple[str, str], Tolerance] = {
    ("float64", "cpu"): _FLOAT64,
    ("complex128", "cpu"): _FLOAT64,
    ("float32", "cpu"): _FLOAT32,
    ("complex64", "cpu"): _FLOAT32,
    ("float16", "cpu"): _FLOAT16,
    ("bfloat16", "cpu"): _BFLOAT16,
    ("float64", "cuda"): _FLOAT64_CUDA,
    ("complex128", "cuda"): _FLOAT64_CUDA,
    ("float32", "cuda"): _FLOAT32_CUDA,
    ("complex64", "cuda"): _FLOAT32_CUDA,
    ("float16", "cuda"): _FLOAT16,
    ("bfloat16", "cuda"): _BFLOAT16,
    ("float32", "mps"): _FLOAT32_MPS,  # MPS has no float64
    ("complex64", "mps"): _FLOAT32_MPS,
    ("float16", "mps"): _FLOAT16,
    ("bfloat16", "mps"): _BFLOAT16,
}


def resolve(name: str = "auto") -> str:
    """Return "cpu", "cuda" or "mps" for a wish; "auto" takes CUDA, else MPS, else the CPU.

    Raises UnknownDeviceError, CudaUnavailableError or MpsUnavailableError. Imports torch unless the answer
    is "cpu" anyway.
    """
    if name == "cpu":
        return name
    if name not in ("auto", *DEVICES):
        raise UnknownDeviceError(f"no device is called {name!r}; there are auto, cpu, cuda and mps")
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    if name == "cuda" and not cuda:
        why = "this torch is built without CUDA" if torch.version.cuda is None else "no CUDA device was found"
        raise CudaUnavailableError(f'{why}; use the device "cpu", or "auto" to take what there is')
    if name == "mps" and not mps:
        why = "no Apple GPU was found" if torch.backends.mps.is_built() else "this torch is built without MPS"
        raise MpsUnavailableError(f'{why}; use the device "cpu", or "auto" to take what there is')
    return name


def dtype_name(dtype: Any) -> str:
    """Return "float32" for "float32", np.float32, np.dtype("float32") and torch.float32 alike."""
    name = str(dtype)
    if name.startswith("torch."):
        return name.removeprefix("torch.")
    try:
        return str(np.dtype(dtype).name)
    except TypeError:  # NumPy has no bfloat16 and no float8
        return name


def tolerance(dtype: Any, device: str = "cpu") -> Tolerance:
    """Return how closely results of this dtype agree on this device ("cpu", "cuda", "cuda:0", "mps").

    Raises UnknownToleranceError for a pair that the table does not know, such as float64 on MPS.
    """
    name = dtype_name(dtype)
    if name.startswith(("int", "uint", "bool")):
        return _EXACT
    try:
        return _TABLE[name, device.split(":")[0]]
    except KeyError:
        raise UnknownToleranceError(f"no tolerance is known for {name} on {device}") from None


@contextmanager
def checks_precision() -> Iterator[None]:
    """Switch TF32 off for matrix products and convolutions, and restore the setting afterwards.

    TF32 keeps ten bits of the mantissa, so right answers would differ by 1e-3. Does nothing while torch is
    not imported.
    """
    if "torch" not in sys.modules:
        yield
        return
    import torch

    matmul, convolution = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = convolution


@contextmanager
def deterministic() -> Iterator[None]:
    """Ask torch for deterministic algorithms (a warning where there is none), and restore afterwards.

    On CUDA, cuBLAS also needs CUBLAS_WORKSPACE_CONFIG=:4096:8 in the environment before its first use.
    Does nothing while torch is not imported.
    """
    if "torch" not in sys.modules:
        yield
        return
    import torch

    was_on = torch.are_deterministic_algorithms_enabled()
    warned_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_on, warn_only=warned_only)
        torch.backends.cudnn.benchmark = benchmark
