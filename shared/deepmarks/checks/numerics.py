"""Finite differences, for checks that trust no formula."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_STEP = 6e-6
"""The cube root of float64's epsilon: balances truncation and rounding of central differences."""


def numerical_vjp(
    function: Callable[..., Any], inputs: Sequence[Any], cotangent: Any, wrt: int = 0, step: float = _STEP
) -> Any:
    """The gradient of sum(cotangent * function(*inputs)) for input `wrt`, by central differences.

    Inputs are float64 NumPy arrays or float64 torch tensors; the result has the type and shape of input `wrt`. The
    error is of order `step**2`, so compare with a relative tolerance of about 1e-6.
    """
    base = inputs[wrt]
    is_torch = not isinstance(base, np.ndarray)
    point = np.array(base, dtype=np.float64)
    weight = np.asarray(cotangent, dtype=np.float64)

    def objective(values: np.ndarray[Any, Any]) -> float:
        moved: Any = values.copy()
        if is_torch:
            import torch

            moved = torch.from_numpy(moved)
        output = function(*inputs[:wrt], moved, *inputs[wrt + 1 :])
        return float(np.sum(np.asarray(output, dtype=np.float64) * weight))

    gradient = np.empty_like(point)
    for index in np.ndindex(point.shape):
        kept = point[index]
        point[index] = kept + step
        above = objective(point)
        point[index] = kept - step
        below = objective(point)
        point[index] = kept
        gradient[index] = (above - below) / (2 * step)
    if is_torch:
        import torch

        return torch.from_numpy(gradient)
    return gradient
