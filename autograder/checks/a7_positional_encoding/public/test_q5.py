"""Rotary positions, as students receive the checks."""

from __future__ import annotations

import cmath

import torch

from deepmarks.checks import StudentError, assert_matches, expect, numerical_vjp, question

SECTION = "section 5"
# The contract leaves open whether angles are float32 or float64; float32 costs 1e-5 here, times the features.
ANGLES = {"rtol": 0, "atol": 5e-4}


def turned(pairs, angles):
    """Rows of pairs of features, read as complex numbers and turned by their angles."""
    rows = []
    for row, turns in zip(pairs, angles, strict=True):
        points = [complex(*pair) * cmath.exp(1j * angle) for pair, angle in zip(row, turns, strict=True)]
        rows.append([part for point in points for part in (point.real, point.imag)])
    return torch.tensor(rows, dtype=torch.float64)


@question("q5", points=0.25)
def test_rotation_of_one_pair(student):
    """The pair (1, 0) at the positions 0, 1, 2 and 40 becomes (cos t, sin t)."""
    x = torch.tensor([[1.0, 0.0]] * 4, dtype=torch.float64)
    positions = torch.tensor([0, 1, 2, 40])
    angles = positions.double()
    right = torch.stack((angles.cos(), angles.sin()), 1)
    counted = torch.arange(4.0, dtype=torch.float64)
    assert_matches(
        student.rope(x, positions),
        right,
        what="the rotated pair",
        candidates={
            "the pair turned in the wrong direction": right * torch.tensor([1.0, -1.0]),
            "the pair turned by the row number: the positions are given": torch.stack(
                (counted.cos(), counted.sin()), 1
            ),
            "the pair with position 0 turned already": torch.stack(((angles + 1).cos(), (angles + 1).sin()), 1),
            "the pair with sine and cosine exchanged": right.flip(1),
            "the pair that is not turned at all": x,
        },
        axes=("position", "feature"),
        **ANGLES,
        pointer=SECTION,
    )


@question("q5", points=1)
def test_rotation_of_two_pairs(student):
    """Two pairs turn at the speeds 1 and 1/100: neighbouring features make a pair (positions 0, 5, 3)."""
    rows = [[1.0, 2.0, -0.5, 3.0], [0.25, -1.0, 2.0, 1.5], [-2.0, 0.75, 1.0, -1.25]]
    positions = [0, 5, 3]
    x = torch.tensor(rows, dtype=torch.float64)
    pairs = [(row[:2], row[2:]) for row in rows]
    distant = [(row[0::2], row[1::2]) for row in rows]

    def angles(slow, of=positions, sign=1):
        return [(sign * t, sign * t * slow) for t in of]

    right = turned(pairs, angles(0.01))
    assert_matches(
        student.rope(x, torch.tensor(positions)),
        right,
        what="the result for two pairs",
        candidates={
            "the features turned in the wrong direction": turned(pairs, angles(0.01, sign=-1)),
            "the features paired with those d/2 further on; neighbours make a pair": turned(distant, angles(0.01))[
                :, [0, 2, 1, 3]
            ],
            "the features paired with those d/2 further on, and turned in the wrong direction": turned(
                distant, angles(0.01, sign=-1)
            )[:, [0, 2, 1, 3]],
            "the rotated pairs with all first features in front: they are to alternate again": right[:, [0, 2, 1, 3]],
            "the features turned by base^(-i/d), where 2i/d is asked for": turned(pairs, angles(0.1)),
            "the features turned by base^(-4i/d): 2i is the column number already": turned(pairs, angles(0.0001)),
            "the features turned by the row number: the positions are given": turned(pairs, angles(0.01, range(3))),
            "the features turned by one position too many": turned(pairs, angles(0.01, [1, 6, 4])),
            "the features with the same speed in every pair": turned(pairs, angles(1)),
        },
        axes=("position", "feature"),
        **ANGLES,
        pointer=SECTION,
    )


@question("q5", points=0.25)
def test_lengths_and_relative_scores(student, torch_rng):
    """Rotation keeps the lengths (2 sequences, 4 positions, 6 features), and scores depend on the distance only."""
    x = torch.randn(2, 4, 6, generator=torch_rng, dtype=torch.float64)
    got = student.rope(x, torch.tensor([0, 3, 4, 9]), 50.0)
    assert_matches(list(torch.as_tensor(got).shape), [2, 4, 6], what="the shape", pointer=SECTION)
    assert_matches(got.norm(dim=-1), x.norm(dim=-1), what="the length of each vector", **ANGLES, pointer=SECTION)
    q, k = (row.expand(3, 6) for row in torch.randn(2, 6, generator=torch_rng, dtype=torch.float64))
    scores = student.rope(q, torch.tensor([7, 12, 47]), 50.0) * student.rope(k, torch.tensor([2, 7, 42]), 50.0)
    scores = scores.sum(-1)
    assert_matches(
        scores, scores[:1].expand(3), what="the score at distance 5, at three places", **ANGLES, pointer=SECTION
    )


@question("q5", points=0.5)
def test_odd_features_and_gradients(student, torch_rng):
    """An odd number of features raises ValueError; gradients flow back to x as finite differences say."""
    positions = torch.tensor([4, 1, 6])
    try:
        student.rope(torch.randn(3, 5, generator=torch_rng), positions)
    except StudentError as error:
        expect(
            error.is_a(ValueError),
            "For an odd number of features rope raises another error than ValueError.",
            detail=error.detail,
            kind="other-exception",
            pointer=SECTION,
        )
    else:
        expect(
            False,
            "rope accepts an odd number of features without a ValueError.",
            kind="no-exception",
            pointer=SECTION,
        )
    x, g = torch.randn(2, 3, 4, generator=torch_rng, dtype=torch.float64)
    got = student.vjp("rope", x, positions, 30.0, cotangent=g, wrt=(0,)).grads[0]
    # A rotation is linear in x, so a step of one has no error of truncation, and little of rounding.
    numerical = numerical_vjp(lambda x: student.rope(x, positions, 30.0), (x,), g, step=1.0)
    assert_matches(got, numerical, what="the gradient of x", **ANGLES, pointer=SECTION)
