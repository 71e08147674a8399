"""Early stopping and fitting, as the grader checks it."""

from __future__ import annotations

import numpy as np
import pytest

from deepmarks.checks import expect, fairly, question
from public.test_q5 import EARLIER, SECTION, blobs, check_history, check_script, check_stopping, script


@question("q5", points=0.5)
def test_stopping_on_other_sequences(student, rng):
    """Random walks with other patiences, min_delta 0, and the defaults: all stop where they should, best is right."""
    for patience, min_delta in ((1, 0.125), (4, 0.5), (2, 0.0)):
        # Multiples of 1/64 are exact in binary, so "by more than min_delta" has no rounding to argue about.
        walks = [(np.round(64 * (6 - 0.4 * np.arange(30) + rng.normal(0, 1, 30))) / 64).tolist() for _ in range(5)]
        walks.append([2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
        check_stopping(student, walks, patience, min_delta, {"patience": patience, "min_delta": min_delta})
    small = [1.0] + [0.99995] * 14
    late = [1.0] + [1.5] * 9 + [0.5] + [0.7] * 12
    large = [1e4 - 10.0 * i for i in range(12)]
    steady = [1.0 - 0.0003 * i for i in range(25)]
    check_stopping(student, [small, late, large, steady], 10, 1e-4, {})


DENTS = [1.5, 1.0, 0.2, 0.9, 1.0, 0.7, 1.1, 0.9, -0.6, *(0.2, 0.1, 0.5, 0.3) * 6]
"""Lowest in the ninth epoch, after a dent in the third; ten epochs later it is time to stop."""
CASES = {
    "a dent, then early stopping": (DENTS, 30, 4),
    "the best at once": ([-0.5, 0.3, 0.4, 0.2, 0.6], 5, 3),
    "the best at last": ([1.4, 0.9, 0.5, 0.4, -0.2, -0.9], 6, 10),
}


@pytest.mark.parametrize("case", CASES)
@question("q5", points=1)
def test_fit_stops_and_restores(student, rng, device, case):
    """With known validation losses: measured per image in eval mode, stopped in time, the best weights kept."""
    base, epochs, batch_size = CASES[case]
    lead = script(rng, base)
    if epochs == 30:
        # The lowest loss with seven right answers of ten; later the highest accuracy, nine, with a high loss.
        lead[8] = np.array([-3.0] * 7 + [0.4] * 3) + rng.uniform(-0.1, 0.1, 10)
        lead[11, :9], lead[11, 9] = -0.05, 12.0
        lead[8, :2], lead[8, 2:] = 0.1, lead[8, 2:] - 1  # the lowest loss, with two images that are nearly right
    seed = int(rng.integers(10**6))
    fairly(lambda stand_in: check_script(student, lead, epochs, batch_size, seed, device, stand_in), EARLIER)


@question("q5", points=0.5, device="cpu")
def test_seed_and_learning_rate(student, rng):
    """The same seed gives the same history whatever was drawn before, another seed another; lr is obeyed."""
    (X, y), (V, v) = blobs(rng, 90), blobs(rng, 40)
    first, second = rng.choice(10**6, 2, replace=False).tolist()

    def check(stand_in):
        def run(seed, outer, lr=0.05):
            found = student.probe("fitted", X, y, V, v, 3, lr, seed, outer, "cpu", stand_in=stand_in)
            return found, np.array(check_history(found)[0])

        (one, a), (_, b), (_, c) = run(first, 1), run(first, 2), run(second, 1)
        expect(
            a.shape == b.shape and np.allclose(a, b, rtol=1e-5),
            "The same seed gives different histories: seed torch at the beginning of fit.",
            kind="seed-ignored",
            pointer=SECTION,
        )
        expect(
            a.shape != c.shape or not np.allclose(a, c, rtol=1e-5),
            "Different seeds give the same history: use `seed`, not a constant.",
            kind="seed-constant",
            pointer=SECTION,
        )
        slow, _ = run(first, 1, 1e-6)
        expect(
            slow["moved"] < 0.05 * one["moved"],
            "A tiny learning rate must move the model by next to nothing: is lr ignored, or are the first weights "
            "drawn anew?",
            kind="lr-ignored",
            pointer=SECTION,
        )

    fairly(check, EARLIER)
