"""The training loop, as the grader checks it."""

from __future__ import annotations

import numpy as np

from deepmarks.checks import assert_matches, expect, question
from public.test_q4 import SECTION, check_best, check_history, check_modes, instance, right_one, run, samples, start


@question("q4", points=0.25, device="cpu")
def test_rates_agree_with_torchs_scheduler(student, rng):
    """step_lr agrees with the formula for other rates, steps and factors, also where gamma is above 1."""
    size, steps = rng.integers(3, 12, 12), rng.integers(2, 5, 12)
    # The first epochs of a step, the last ones, and some in the middle.
    n = steps * size + np.repeat([0, -1, 1], 4) + np.tile([0, 0, 0, 1], 3) * (size // 2)
    base, gamma = rng.uniform(0.01, 3, 12), rng.choice([0.3, 0.5, 0.9, 1.2], 12)
    settings = zip(n.tolist(), base.tolist(), size.tolist(), gamma.tolist(), strict=True)
    assert_matches(
        np.array([float(student.step_lr(*setting)) for setting in settings]),
        base * gamma ** (n // size),
        what="the learning rate",
        candidates={
            "a rate that falls smoothly: the exponent is a whole number": base * gamma ** (n / size),
            "a rate that falls in the middle of a step: the exponent is rounded down": base
            * gamma ** np.rint(n / size),
            "a rate that falls one epoch too late": base * gamma ** ((n - 1) // size),
            "a rate that falls one epoch too early": base * gamma ** ((n + 1) // size),
            "a rate that falls once only": base * gamma,
            "a rate that falls every seven epochs, whatever step_size is": base * gamma ** (n // 7),
            "a rate that falls to a tenth, whatever gamma is": base * 0.1 ** (n // size),
        },
        rtol=1e-9,
        dtype=False,
        pointer=SECTION,
    )


@question("q4", points=0.75)
def test_a_scheduler_steps_once_an_epoch(student, rng, device):
    """With Adam and a StepLR, the history of seven epochs agrees with the loop of the question."""
    options = {"optimizer": "adam", "lr": 0.08, "schedule": (2, 0.4)}
    state, data = start(rng, 5, 4), {"train": samples(rng, 41, 5, 4), "val": samples(rng, 37, 5, 4)}
    history, _ = right_one(state, data, 16, epochs=7, **options)
    found = run(student, state, data, device, 7, **options)
    check_modes(found, data, 7)
    check_history(found, history, state, data, options, 7)
    expect(
        found["scheduler steps"] == 7,
        "The scheduler must be stepped once at the end of each epoch.",
        kind="scheduler-steps",
        pointer=SECTION,
    )


@question("q4", points=0.75)
def test_of_equals_the_earliest_is_kept(student, rng, device):
    """If the best validation accuracy is reached twice, the weights and statistics of the earlier epoch come back."""
    options = {"optimizer": "sgd", "lr": 0.7, "schedule": None}
    state, data, history, states = instance(rng, 10, True, **options)
    found = run(student, state, data, device, 10, **options)
    check_best(found, history, states)
    options = {"optimizer": "adam", "lr": 0.3, "schedule": (3, 0.5)}
    state, data, history, states = instance(rng, 10, False, **options)
    found = run(student, state, data, device, 10, **options)
    check_best(found, history, states)
