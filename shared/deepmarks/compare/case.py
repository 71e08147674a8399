"""One array that differs from the expected one, and the record of a hypothesis about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from deepmarks.compare.arrays import ENOUGH_BITS, Array, Mask, close, evidence, round_number, scaled_tolerance
from deepmarks.devices import Tolerance

Words = Mapping[str, str]
"""What fills the placeholders of a hypothesis's sentence; "detail" is added to the detail."""

_SLACK = 4.0
"""A transformed expectation carries the rounding of the transformation as well."""


@dataclass(frozen=True, slots=True)
class Case:
    """Two arrays, float64 or complex128, that ought to agree and do not."""

    what: str
    actual: Array
    expected: Array
    limits: Tolerance
    axes: tuple[str, ...] = ()
    """Names of the axes of the larger of the two arrays, or nothing."""
    mask: Mask | None = None
    """Entries of the expected array where padding or masking applies."""
    batch: int | None = None
    whole: bool = False
    """Both dtypes are integers or truth values."""
    truth: bool = False
    """Both dtypes are truth values."""
    single: bool = False
    """The expected dtype is coarser than float64."""
    wrong: Mask = field(default_factory=lambda: np.zeros(0, dtype=bool))
    """The entries that differ; empty if the shapes differ."""

    @property
    def real(self) -> bool:
        """Tell whether no entry is complex."""
        return self.actual.dtype.kind == self.expected.dtype.kind == "f"

    def slack(self, predicted: Array) -> Tolerance:
        """Return the tolerance for a transformed expectation."""
        limits = scaled_tolerance(self.limits, predicted)
        return Tolerance(_SLACK * limits.rtol, _SLACK * limits.atol)

    def bits(self, predicted: Array, *, continuous_only: bool = False) -> float:
        """Return what it proves that all of `predicted` was met."""
        return evidence(predicted, self.slack(predicted), continuous_only=continuous_only)

    def meets(self, received: Array, predicted: Array) -> bool:
        """Tell whether both have one shape and agree everywhere, whatever that proves."""
        if received.shape != predicted.shape or not received.size:
            return False
        corner = tuple(slice(0, 8) for _ in received.shape)  # most hypotheses fail there at once
        loose = Tolerance(_SLACK * self.limits.rtol, _SLACK * self.limits.atol)
        if not close(received[corner], predicted[corner], loose).all():
            return False
        return bool(close(received, predicted, self.slack(predicted)).all())

    def proves(self, received: Array, predicted: Array, enough: float = ENOUGH_BITS) -> bool:
        """Tell whether both agree everywhere and this can be no accident."""
        return self.meets(received, predicted) and self.bits(predicted) >= enough

    def proves_even_alone(self, received: Array, predicted: Array) -> bool:
        """Like `proves`; a single number will do if it has digits enough to be no accident."""
        if predicted.size != 1:
            return self.proves(received, predicted)
        value = predicted.reshape(-1)[0]
        telling = bool(np.isfinite(value)) and not round_number(value) and self.limits.rtol <= 1e-4
        return telling and self.meets(received, predicted)

    def axis_name(self, axis: int, ndim: int) -> str:
        """Return "batch axis" or, without names, "first axis", "last axis", "axis 1"."""
        if len(self.axes) == ndim:
            return f"{self.axes[axis]} axis"
        if axis == 0:
            return "first axis"
        return "last axis" if axis == ndim - 1 else f"axis {axis}"

    def along(self, axis: int, ndim: int) -> str:
        """Return " along the batch axis", or nothing for a vector whose axis has no name."""
        return "" if ndim == 1 and len(self.axes) != 1 else f" along the {self.axis_name(axis, ndim)}"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A named mistake: how to recognise it, and how to say it."""

    kind: str
    sentence: str
    """With {what} and the words that the test returns."""
    test: Callable[[Case], Words | None]


FITS: Words = {}
"""What a test returns when it fits and its sentence needs no words."""


def fits(condition: object) -> Words | None:
    """Return the empty words if the condition holds."""
    return FITS if condition else None
