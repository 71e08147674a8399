"""The hypotheses of the doctor, in the order in which they are tried: the first that fits is named.

The order is: plain facts, lost digits, clean factors, the right numbers elsewhere, a function too much, NaN,
the mask, a wrong axis, infinities, some places only, and last what has a free parameter.
"""

from __future__ import annotations

from deepmarks.compare.case import Hypothesis
from deepmarks.compare.hypotheses import axes, order, places, pointwise, scale, shapes

SAME_SHAPE: tuple[Hypothesis, ...] = (
    *pointwise.FACTS,
    *pointwise.NEARLY,
    *scale.CLEAN,
    *order.TABLE,
    *pointwise.TABLE,
    *places.NOT_FINITE,
    *places.MASKED,
    *axes.WRONG_AXIS,
    *places.INFINITE,
    *places.TABLE,
    *scale.FREE,
    *pointwise.LOOSE,
    *axes.NORMALISATION,
)

OTHER_SHAPE: tuple[Hypothesis, ...] = (
    *shapes.TABLE,
    *(h for h in order.TABLE if h.kind in ("transposed", "axes-swapped", "axes-permuted")),
    *shapes.TABLE_AFTER_ORDER,
    *(h for h in order.TABLE if h.kind == "reshaped-for-transposed"),
)

SINGLE_NUMBER: tuple[Hypothesis, ...] = (
    *(h for h in places.NOT_FINITE if h.kind == "nan"),
    *(h for h in pointwise.NEARLY if h.kind == "nearly"),
    *places.INFINITE,
    *(h for h in scale.CLEAN if h.kind in scale.SCALAR_FACTORS),
)
"""One number fits too much: only the tightest list."""
