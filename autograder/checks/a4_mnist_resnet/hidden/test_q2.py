"""The network, as the grader checks it."""

from __future__ import annotations

import torch

from deepmarks.checks import assert_matches, expect, fairly, question
from public.test_q2 import ATOL, EARLIER, RTOL, SECTION, check_architecture, check_logits


@question("q2", points=0.75)
def test_other_numbers_of_classes_and_pixels(student, torch_rng):
    """With 7 classes and images of 45x36 pixels: names, shapes and logits."""
    x = torch.randn(3, 1, 45, 36, generator=torch_rng)
    seed = int(torch.randint(10**6, (1,), generator=torch_rng))

    def check(stand_in):
        check_architecture(student.probe("architecture", 7, stand_in=stand_in), 7)
        logits, _ = student.probe("network_output", x, seed, 7, stand_in=stand_in)
        check_logits(logits, x, seed, 7, False, "the output of mnist_resnet18")

    fairly(check, EARLIER)


@question("q2", points=0.75, device="cpu")
def test_training_mode_and_fresh_weights(student, torch_rng):
    """In training mode logits and new BatchNorm statistics agree; every network starts with weights of its own."""
    # In float64: with maps of 1x1, statistics of eight images magnify rounding errors.
    x = torch.randn(8, 1, 28, 28, generator=torch_rng, dtype=torch.float64)
    seed = int(torch.randint(10**6, (1,), generator=torch_rng))

    def check(stand_in):
        first, second = (student.probe("architecture", seed=s, stand_in=stand_in) for s in (1, 2))
        check_architecture(first)
        expect(
            first["sum"] != second["sum"],
            "Two networks start with the same weights though the generator stands elsewhere: draw them anew.",
            kind="not-random",
            pointer=SECTION,
        )
        expect(0.005 < first["std"] < 1, "The weights start far too large or too small.", kind="scale", pointer=SECTION)
        logits, sums = student.probe("network_output", x, seed, None, True, stand_in=stand_in)
        model = check_logits(logits, x, seed, 10, True, "the output of mnist_resnet18 in training mode")
        right = [float(value.sum()) for name, value in sorted(model.state_dict().items()) if "running" in name]
        what = "the BatchNorm statistics after a batch in training mode"
        assert_matches(sums, right, what=what, rtol=RTOL, atol=ATOL, dtype=False, pointer=SECTION)

    fairly(check, EARLIER)
