"""From the values of many seeds to thresholds.

A right solution must reach the top band with probability above 0.999. Its result has two kinds of chance in it: the
training's (seeds), and, for an accuracy, the test set's (which images are asked).

- Training: from the n values of the reference we take a one-sided tolerance bound: with confidence 0.95, at least the
  share `content` of all seeds lies above it. For normal values it is mean - k sd with k = t'(0.95; n-1, z sqrt(n)) /
  sqrt(n), where t' is the noncentral t distribution and z the normal quantile of `content` (NIST/SEMATECH e-Handbook,
  7.2.6.3). Accuracies near 1 have a longer lower tail, so the bound is computed on the logit scale too and the lower
  one is taken; it never exceeds the Clopper-Pearson bound of all answers together, which matters when every seed
  scores 100 %. From n = log(0.05) / log(content) values on, the smallest value is such a bound whatever the
  distribution, and it is used.
- Test set: with L that bound, the threshold is the largest c / N with P(Binomial(N, L) < c) <= 0.0005, N the size of
  the grader's test set. The values hold such an error already, so this errs on the student's side. Where every run
  asks N new images, as the grader does (`fresh`), the values hold exactly the right error: the tolerance bound with
  content 0.999 is the threshold, unless the binomial one for the Clopper-Pearson bound is lower.

The two shares, 0.0005 each, add up to 1 in 1,000. A metric that is no accuracy has the first part only, with 0.001.
A known-bad variant is kept out if its own upper tolerance bound (content 0.99, confidence 0.95) misses the top band.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy import stats

from deepmarks.calibration import Direction, clopper_pearson

CONFIDENCE = 0.95
FAILURES = 1e-3
"""The probability with which a right solution may miss the top band."""
VARIANT_CONTENT = 0.99
LEAST_SEEDS = 3
"""Below, a standard deviation says nothing."""


@cache
def tolerance_factor(count: int, content: float, confidence: float = CONFIDENCE) -> float:
    """How many standard deviations the one-sided normal tolerance bound of `count` values lies from their mean."""
    root = math.sqrt(count)
    return float(stats.nct.ppf(confidence, count - 1, stats.norm.ppf(content) * root)) / root


def seeds_for_any_distribution(content: float, confidence: float = CONFIDENCE) -> int:
    """How many values it takes for the smallest one to be a tolerance bound whatever the distribution."""
    return math.ceil(math.log(1 - confidence) / math.log(content))


def lower_bound(values: Sequence[float], content: float, confidence: float = CONFIDENCE) -> float:
    """The lower one-sided tolerance bound of the distribution that `values` come from."""
    if len(values) < LEAST_SEEDS:
        raise ValueError(f"{len(values)} values are too few for a tolerance bound")
    if len(values) >= seeds_for_any_distribution(content, confidence):
        return min(values)
    return float(np.mean(values) - tolerance_factor(len(values), content, confidence) * np.std(values, ddof=1))


def accuracy_lower_bound(
    values: Sequence[float], test_size: int, content: float, confidence: float = CONFIDENCE
) -> float:
    """The lower tolerance bound of accuracies that were measured with `test_size` answers each."""
    right = np.rint(np.asarray(values) * test_size)
    share = (right + 0.5) / (test_size + 1)
    on_logits = lower_bound(np.log(share / (1 - share)).tolist(), content, confidence)
    together = clopper_pearson(int(right.sum()), test_size * len(values), confidence)[0]
    bounds = (lower_bound(values, content, confidence), float(1 / (1 + np.exp(-on_logits))), together)
    return min(1.0, max(0.0, min(bounds)))


def least_correct(accuracy: float, test_size: int, failures: float) -> int:
    """The largest c with P(Binomial(test_size, accuracy) < c) <= `failures`."""
    # ppf is the smallest c with P(X <= c) >= failures, so P(X < c) is below it.
    return int(stats.binom.ppf(failures, test_size, accuracy)) if accuracy > 0 else 0


def threshold(values: Sequence[float], direction: Direction, test_size: int | None, *, fresh: bool = False) -> float:
    """The top band's threshold for the reference's `values`; `fresh` if each was measured on new test images."""
    if test_size is None:
        sign = 1 if direction == "higher" else -1
        return sign * lower_bound([sign * value for value in values], 1 - FAILURES)
    # Of errors, the right answers are counted.
    shares = list(values) if direction == "higher" else [1 - value for value in values]
    if fresh:
        bound = accuracy_lower_bound(shares, test_size, 1 - FAILURES)
        together = clopper_pearson(round(sum(shares) * test_size), test_size * len(shares), CONFIDENCE)[0]
        count = min(math.floor(bound * test_size), least_correct(together, test_size, FAILURES))
    else:
        bound = accuracy_lower_bound(shares, test_size, 1 - FAILURES / 2)
        count = least_correct(bound, test_size, FAILURES / 2)
    share = count / test_size
    return share if direction == "higher" else 1 - share


def best_of_variant(values: Sequence[float], direction: Direction) -> float:
    """The best that a known-bad variant may come to: its tolerance bound on the good side, or its best value."""
    sign = 1 if direction == "higher" else -1
    turned = [-sign * value for value in values]
    return -sign * min(lower_bound(turned, VARIANT_CONTENT), min(turned))
