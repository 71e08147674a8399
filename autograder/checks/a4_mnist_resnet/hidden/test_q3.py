"""Transforms, as the grader checks it."""

from __future__ import annotations

import numpy as np
import torch

from deepmarks.checks import assert_matches, expect, question
from public.test_q3 import LARGEST, SECTION, SIDE, SLACK, directions, hand, wrong_values


def results_of(found):
    """The results as a tensor (n, 1, 28, 28); fails unless they are tensors as the question asks for."""
    expect(found is not None, "make_transforms must return a callable.", kind="not-callable", pointer=SECTION)
    results = found["results"]
    expect(
        all(isinstance(one, torch.Tensor) for one in results),
        "The transform does not return a tensor.",
        detail=f"received {type(results[0]).__name__}",
        kind="type",
        pointer=SECTION,
    )
    expect(
        all(one.shape == (1, SIDE, SIDE) for one in results),
        "The transform must return tensors of the shape (1, 28, 28).",
        detail=f"received {tuple(results[0].shape)}",
        kind="shape",
        pointer=SECTION,
    )
    expect(
        all(one.dtype == torch.float32 for one in results),
        "The transform must return float32.",
        detail=f"received {results[0].dtype}",
        kind="dtype",
        pointer=SECTION,
    )
    expect(not found["changed"], "The transform changes the image itself.", kind="input-changed", pointer=SECTION)
    return torch.stack(list(results))


@question("q3", points=0.5)
def test_any_bytes_are_scaled_exactly(student, rng):
    """Without training, images of random bytes keep every pixel in its place, scaled and normalised."""
    pixels = rng.integers(0, 256, (4, SIDE, SIDE)).astype(np.uint8)
    found = results_of(student.probe("transformed", pixels, False))
    right = torch.from_numpy((pixels[:, None].astype(np.float32) / 255 - 0.5) / 0.5)
    wrong = wrong_values(pixels)
    assert_matches(found, right, what="the result for testing", candidates=wrong, atol=1e-5, pointer=SECTION)


@question("q3", points=0.75)
def test_training_keeps_black_black(student, rng):
    """In training black images stay black, white ones get black corners, and hands keep their length and place."""
    constant = np.stack([np.full((SIDE, SIDE), value, np.uint8) for value in (0, 255, 100)])
    black, white, grey = results_of(student.probe("transformed", constant, True, 40)).split(40)
    centre = slice(9, 19)
    values = torch.stack([part[:, :, centre, centre].mean() for part in (black, white, grey)])
    right = torch.tensor([-1.0, 1.0, (100 / 255 - 0.5) / 0.5])
    wrong = {text: value.mean((1, 2, 3)) for text, value in wrong_values(constant).items() if "each image" not in text}
    what = "the training transform of black, white and grey images, in their middle"
    assert_matches(values, right, what=what, candidates=wrong, atol=1e-4, pointer=SECTION)
    lightest = black.max()
    expect(
        # Library rotations of tensors mix a fill of -1 with grey at the rim: up to -0.75.
        bool(lightest < -0.7),
        "The corners that come into view are not black: fill with black, and rotate before you normalise.",
        kind="fill",
        pointer=SECTION,
    )
    corners = white[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    expect(
        bool((corners < -0.5).any()),
        "No black corners come into view in training: turn the image around its centre and fill with black.",
        kind="fill",
        pointer=SECTION,
    )
    expect(
        bool(white.min() > -1.02 and white.max() < 1.02),
        "The training transform gives values beyond -1 and 1.",
        kind="range",
        pointer=SECTION,
    )
    pointing = float(rng.uniform(-150, 150))
    hands = results_of(student.probe("transformed", hand(pointing)[None], True, 100))
    angles, lengths = directions(hands)
    turned = (angles - pointing + 180) % 360 - 180
    _, length = directions(torch.from_numpy(hand(pointing)[None, None].astype(np.float32) / 127.5 - 1))
    expect(
        np.abs(turned).max() < LARGEST + SLACK,
        "The training transform turns by more than 10 degrees, or mirrors, shifts or shears the image.",
        kind="too-far",
        pointer=SECTION,
    )
    expect(
        np.abs(lengths - length[0]).max() < 0.7,
        "The training transform shifts or scales the image: it must only turn it around its centre.",
        kind="moved",
        pointer=SECTION,
    )
    expect(
        len(set(np.round(turned, 2))) > 10,
        "The angles hardly differ: draw a new one between -10 and 10 degrees in each call.",
        kind="angles",
        pointer=SECTION,
    )
    # Of a hundred angles between -10 and 10 degrees the largest is below 8 by a chance of 0.8 ** 100.
    expect(
        np.abs(turned).max() > 6.0,
        "The training transform turns by a few degrees only: the angle lies between -10 and 10 degrees.",
        kind="too-little",
        pointer=SECTION,
    )
