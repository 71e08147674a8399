"""Texts of fixed length as vectors, as the grader checks them."""

from __future__ import annotations

import numpy as np
import torch

from deepmarks.checks import assert_matches, question, student_raises

SECTION = "section 1"


def as_tensor(value):
    """The contract says float32, not which library: a NumPy array is as good as a tensor."""
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def draw(rng):
    """A charset in no natural order, and a text with repeats that does not use all of it."""
    charset = "".join(rng.permutation(list("x7Q2a0f-")))
    return charset, "".join(rng.choice(list(charset[:5]), 6))


@question("q1", points=0.5)
def test_vectors_of_random_texts(student, reference, rng):
    """Random texts over a charset of letters, digits and signs: entry i * len(charset) + j is 1."""
    for _ in range(3):
        charset, text = draw(rng)
        expected = reference.one_hot_captcha(text, charset, 6)
        reverse = expected.view(6, 8).flip(0).reshape(-1)
        by_code = reference.one_hot_captcha(text, "".join(sorted(charset)), 6)
        assert_matches(
            as_tensor(student.one_hot_captcha(text, charset, 6)),
            expected,
            what="the vector",
            candidates={
                "one with the axes exchanged: entry j * length + i where i * len(charset) + j is asked for": (
                    expected.view(6, 8).T.reshape(-1)
                ),
                "one that counts the positions from the end": reverse if not torch.equal(reverse, expected) else None,
                "one for the sorted charset: the order of the charset counts": by_code,
                "a table with one row for each position: make one long vector of it": expected.view(6, 8),
                "the vector with the first position filled only": (
                    torch.cat([expected[:8], torch.zeros(40)]) if text else None
                ),
            },
            pointer=SECTION,
        )


@question("q1", points=0.25)
def test_decoding_random_texts(student, reference, rng):
    """decode_captcha reads vectors of random texts, also of one character."""
    numpy_in = isinstance(student.one_hot_captcha("ca", "abc", 2), np.ndarray)
    for length in (6, 1, 4):
        charset, text = draw(rng)
        text = text[:length]
        vector = reference.one_hot_captcha(text, charset, length)
        by_column = "".join(charset[k] for k in vector.view(8, length).argmax(0).tolist())
        ordered = "".join(sorted(charset)[charset.index(character)] for character in text)
        assert_matches(
            student.decode_captcha(vector.numpy() if numpy_in else vector, charset),
            text,
            what="the decoded text",
            candidates={
                "one that is read with the axes exchanged": by_column if by_column != text else None,
                "one over the sorted charset: the order of the charset counts": ordered if ordered != text else None,
                "a list of characters: join them": list(text),
                "the first character only": text[0] if length > 1 else None,
            },
            pointer=SECTION,
        )


@question("q1", points=0.25)
def test_what_does_not_fit_is_refused(student):
    """ValueError for a text that is too short or too long, and for a character that is not in the charset."""
    with student_raises(ValueError, "one_hot_captcha accepts a text that is shorter than `length`.", pointer=SECTION):
        student.one_hot_captcha("27", "0123456789", 3)
    with student_raises(ValueError, "one_hot_captcha accepts a text that is longer than `length`.", pointer=SECTION):
        student.one_hot_captcha("2704", "0123456789", 3)
    with student_raises(ValueError, "one_hot_captcha accepts a character that is not in the charset.", pointer=SECTION):
        student.one_hot_captcha("2x4", "0123456789", 3)
    with student_raises(ValueError, "one_hot_captcha accepts a character that is not in the charset.", pointer=SECTION):
        student.one_hot_captcha("abA", "abc", 3)
