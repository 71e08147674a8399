"""Texts of fixed length as vectors, as students receive the checks."""

from __future__ import annotations

import numpy as np
import torch

from deepmarks.checks import assert_matches, question, student_raises

SECTION = "section 1"


def as_tensor(value):
    """The contract says float32, not which library: a NumPy array is as good as a tensor."""
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


@question("q1", points=0.5)
def test_vector_of_a_small_text(student):
    """The text "ca" over the charset "abc" is (0, 0, 1, 1, 0, 0), in float32."""
    expected = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    assert_matches(
        as_tensor(student.one_hot_captcha("ca", "abc", 2)),
        expected,
        what="the vector",
        candidates={
            "one with the axes exchanged: entry j * length + i where i * len(charset) + j is asked for": torch.tensor(
                [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]
            ),
            "a table with one row for each position: make one long vector of it": expected.view(2, 3),
            "the character numbers themselves, without ones and zeros": torch.tensor([2.0, 0.0]),
            "a count of the characters, without their positions": torch.tensor([1.0, 0.0, 1.0]),
        },
        pointer=SECTION,
    )


@question("q1", points=0.5)
def test_decoding_gives_the_text_back(student):
    """decode_captcha undoes one_hot_captcha; a text that is too long is refused."""
    container = type(student.one_hot_captcha("ca", "abc", 2))
    vector = np.array([0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1], dtype=np.float32)
    assert_matches(
        student.decode_captcha(vector if container is np.ndarray else torch.from_numpy(vector), "abc"),
        "cabc",
        what="the decoded text",
        candidates={
            "the numbers of the characters: look them up in the charset": [2, 0, 1, 2],
            "the numbers of the characters as a text: look them up in the charset": "2012",
        },
        pointer=SECTION,
    )
    with student_raises(ValueError, "one_hot_captcha accepts a text that is longer than `length`.", pointer=SECTION):
        student.one_hot_captcha("cab", "abc", 2)
