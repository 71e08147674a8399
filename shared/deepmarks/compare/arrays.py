"""Numbers of every container as wide NumPy arrays, when two of them agree, and how much that proves."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from deepmarks.devices import Tolerance, UnknownToleranceError, dtype_name, tolerance

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

ENOUGH_BITS = 20.0
"""An accident that passes as evidence has a probability of 2**-20; some hundred hypotheses are tried."""
SIMPLE_BITS = 14.0
"""Enough for the few simplest mistakes (a mask of 4 x 4 truth values, inverted or transposed, has 15)."""
_BITS_OF_ONE_NUMBER = 30.0

_SMALL_SCALE = 1e-2
_TORCH_FLOATS_OF_NUMPY = ("torch.float64", "torch.float32", "torch.float16")


def is_tensor(value: object) -> bool:
    """Tell whether this is a torch tensor, without importing torch for the question."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_number(value: object) -> bool:
    """Tell whether this is a plain number: Python's or NumPy's scalar, but no truth value."""
    return isinstance(value, int | float | complex | np.number) and not isinstance(value, bool)


def is_truth(value: object) -> bool:
    """Tell whether this is a plain truth value."""
    return isinstance(value, bool | np.bool_)


def wide(value: Any) -> Array:
    """Return a number, array or tensor as a float64 or complex128 array of its shape.

    Raises TypeError if it holds no numbers.
    """
    array = natural(value)
    if array.dtype.kind == "c":
        return array.astype(np.complex128)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"an array of {array.dtype} holds no numbers")
    return array.astype(np.float64)


def natural(value: Any) -> Array:
    """Return a number, array or tensor as a NumPy array of its own dtype (bfloat16 becomes float32)."""
    if is_tensor(value):
        import torch

        tensor = value.detach().cpu()
        if tensor.layout != torch.strided:
            tensor = tensor.to_dense()
        tensor = tensor.resolve_conj().resolve_neg()
        if tensor.is_quantized:
            tensor = tensor.dequantize()
        has_no_twin = tensor.is_floating_point() and str(tensor.dtype) not in _TORCH_FLOATS_OF_NUMPY
        return np.asarray((tensor.float() if has_no_twin else tensor).numpy())
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        try:
            return np.asarray(float(value))
        except OverflowError:
            return np.asarray(math.inf if value > 0 else -math.inf)
    return np.asarray(value)


def scaled_tolerance(limits: Tolerance, expected: Array) -> Tolerance:
    """Shrink atol for small numbers, so that zeros do not pass for a gradient of 1e-6.

    atol is meant for numbers of order one. It falls with the largest expected number, but not below a
    hundredth: what cancels to nearly zero still carries the rounding of what was cancelled.
    """
    sizes = np.abs(expected[np.isfinite(expected)])
    largest = float(sizes.max()) if sizes.size else 0.0
    factor = min(1.0, max(largest, _SMALL_SCALE)) if largest > 0 else 1.0
    return Tolerance(limits.rtol, limits.atol * factor, limits.reason)


def limits_for(actual: Any, expected: Any) -> Tolerance:
    """Return the tolerance of the expected dtype and device; a coarser received dtype loosens it.

    It is loosened to float32's at most. The dtypes differ only where that is allowed: in plain numbers, and
    in a check that switched dtypes off.
    """
    device = str(expected.device.type) if is_tensor(expected) else "cpu"
    expected_name, actual_name = (_float_name(value) for value in (expected, actual))
    own = _tolerance(expected_name, device)
    if actual_name == expected_name:
        return own
    other = _tolerance("float32" if actual_name in ("float16", "bfloat16") else actual_name, device)
    return max(own, other, key=lambda limits: limits.rtol)


def close(actual: Array, expected: Array, limits: Tolerance) -> Mask:
    """Tell for each entry whether it agrees; both arrays have one shape.

    NaN agrees with NaN, an infinity with the same infinity, and neither with anything else.
    """
    if actual.dtype.kind == "c" or expected.dtype.kind == "c":
        received, wanted = actual.astype(np.complex128), expected.astype(np.complex128)
        finite = np.isfinite(received) & np.isfinite(wanted)
        same = _same(received.real, wanted.real) & _same(received.imag, wanted.imag)
    else:
        received, wanted = actual, expected
        finite = np.isfinite(received) & np.isfinite(wanted)
        same = _same(received, wanted)
    with np.errstate(all="ignore"):
        near = np.abs(received - wanted) <= limits.atol + limits.rtol * np.abs(wanted)
    result: Mask = same | (finite & near)
    return result


def evidence(values: Array, limits: Tolerance, *, continuous_only: bool = False) -> float:
    """Return how many bits of proof it is when every one of these values was met.

    A number that fits by accident has the probability (width of the tolerance) / (spread of the values); each
    distinct one counts once, and numbers with few decimals no more than their grid. Whole numbers count with
    the entropy of their distribution instead, since small ones meet often. Constants prove nothing.
    """
    flat = np.concatenate([values.real.ravel(), values.imag.ravel()]) if values.dtype.kind == "c" else values.ravel()
    flat = flat[np.isfinite(flat)]
    whole = flat == np.rint(flat)
    distinct = np.unique(flat)
    if distinct.size < 2:
        return 0.0
    bits = 0.0
    fractions = np.unique(flat[~whole])
    if fractions.size:
        with np.errstate(all="ignore"):
            spread = float(distinct[-1] - distinct[0])
            width = 2 * (limits.atol + limits.rtol * np.abs(fractions)) + spread * 2.0**-_BITS_OF_ONE_NUMBER
            width = np.maximum(width, _grid(fractions))
            bits += float(np.clip(np.log2(spread / width), 0.0, _BITS_OF_ONE_NUMBER).sum())
    if whole.any() and not continuous_only:
        counts = np.unique(flat[whole], return_counts=True)[1] / whole.sum()
        bits += float(whole.sum() * -(counts * np.log2(counts)).sum())
    return bits


def round_number(value: Any) -> bool:
    """Tell whether a single number has at most three decimals, up to rounding: such numbers meet by accident."""
    return bool(abs(1000 * value - np.rint(1000 * value)) < 1e-3)


def _grid(values: Array) -> float:
    """Return the step of the decimal grid on which all the values lie, or 0 if they have more than 3 decimals."""
    for decimals in (1, 2, 3):
        scaled = values * 10**decimals
        if np.all(np.abs(scaled - np.rint(scaled)) < 1e-3):
            return 10.0**-decimals
    return 0.0


def bits_of_order(size: int) -> float:
    """Return the bits that are lost when the order of so many values is left free: log2(size!)."""
    return math.lgamma(size + 1) / math.log(2)


def _same(a: Array, b: Array) -> Mask:
    result: Mask = (a == b) | (np.isnan(a) & np.isnan(b))
    return result


def _float_name(value: Any) -> str:
    if is_tensor(value) or isinstance(value, np.ndarray | np.generic):
        return dtype_name(value.dtype)
    return {bool: "bool", int: "int64", complex: "complex128"}.get(type(value), "float64")


def _tolerance(name: str, device: str) -> Tolerance:
    if name in ("float64", "complex128") and device == "mps":
        device = "cpu"  # MPS has no doubles: such a number was computed elsewhere
    try:
        return tolerance(name, device)
    except UnknownToleranceError:  # an unusual dtype from a submission is held to the strictest line
        return tolerance("float64")
