"""Preparing pictures, as the grader checks it."""

from __future__ import annotations

import numpy as np
import torch

from deepmarks.checks import question
from public.test_q2 import MEAN, STD, check_training, check_use, compare, well_formed


@question("q2", points=0.75, device="cpu")
def test_in_use_odd_sizes_are_no_trouble(student, rng):
    """In use, small, odd, wide and tall pictures are prepared as those of the notebook, always in the same way."""
    wide, tall = int(rng.integers(331, 380)), int(rng.integers(401, 470))
    check_use(student, [(65, 64), (97, wide), (tall, 223), (256, 301)], float(rng.uniform(0, 1)))


@question("q2", points=0.5, device="cpu")
def test_in_training_colours_are_those_of_the_picture(student, rng):
    """In training, a picture of one colour keeps it, normalised; parts are random, also of small and tall pictures."""
    colour = rng.integers(20, 236, 3).astype(np.uint8)
    flat = np.broadcast_to(colour, (90, 130, 3)).copy()
    for item in student.probe("transformed", True, [flat] * 3, every=56):
        well_formed(item)
        unit = torch.from_numpy(colour.astype(np.float32)).view(3, 1, 1) / 255
        ways = {
            "the picture without the normalisation": unit,
            "the picture normalised with 0.5 in place of ImageNet's mean and std": unit * 2 - 1,
            "the picture in the order blue, green, red": (unit.flip(0) - MEAN) / STD,
            "the picture with mean and std exchanged": (unit - STD) / MEAN,
            "the picture normalised with the numbers of the opposite order of channels": (unit - MEAN.flip(0))
            / STD.flip(0),
            "the picture twice normalised": ((unit - MEAN) / STD - MEAN) / STD,
        }
        compare(
            item["values"],
            ((unit - MEAN) / STD).expand(3, 4, 4),
            "a picture of one colour in training",
            {name: way.expand(3, 4, 4) for name, way in ways.items()},
            "In training, a picture of one colour does not keep it: every part lies within the picture, and only the "
            "normalisation changes its colour.",
        )
    check_training(student, 48, (64, 64))
