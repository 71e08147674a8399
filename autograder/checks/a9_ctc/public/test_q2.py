"""Paths, labels and the blank, as students receive the checks."""

from __future__ import annotations

import pytest

from deepmarks.checks import assert_matches, question

SECTION = "section 2"


@question("q2", points=0.5)
def test_collapse_of_small_paths(student):
    """Collapse merges repeats first and removes blanks second: (1, 1, 0, 1, 2, 2) becomes (1, 1, 2)."""
    assert_matches(
        student.collapse([1, 1, 0, 1, 2, 2], 0),
        [1, 1, 2],
        what="the collapsed path",
        candidates={
            "the path with blanks removed first and repeats merged second: the other order is asked for": [1, 2],
            "the path without blanks, repeats not merged": [1, 1, 1, 2, 2],
            "the path with repeats merged, blanks not removed": [1, 0, 1, 2],
            "the set of classes in the path": [1, 2, 0],
        },
        pointer=SECTION,
    )
    assert_matches(student.collapse([0, 0, 0], 0), [], what="the collapsed path of blanks only", pointer=SECTION)
    assert_matches(
        student.collapse([2, 2, 0, 2, 1], 2),
        [0, 1],
        what="the collapsed path with the blank 2",
        candidates={"one with the blank 0, whatever blank says": [2, 2, 1]},
        pointer=SECTION,
    )


@pytest.mark.parametrize(
    ("labels", "extended", "steps"), [([1, 2], [0, 1, 0, 2, 0], 2), ([3, 3], [0, 3, 0, 3, 0], 3), ([], [0], 0)]
)
@question("q2", points=0.5)
def test_extended_labels_and_shortest_paths(student, labels, extended, steps):
    """Extend puts a blank on both sides of every label; (3, 3) needs three steps, since a blank must separate them."""
    assert_matches(
        student.extend(labels, 0),
        extended,
        what="the list of extended labels",
        candidates={
            "one with blanks between the labels only: they belong at both ends, too": extended[1:-1] or None,
            "one without the blank at the end": extended[:-1] or None,
            "one without the blank at the start": extended[1:] or None,
        },
        pointer=SECTION,
    )
    assert_matches(
        student.min_time_steps(labels),
        steps,
        what="the least number of steps",
        candidates={
            "one, where no labels need no step at all": None if labels else 1,
            "the number of labels: equal neighbours need a blank between them": len(labels),
            "the length of the extended labels: blanks may be skipped": len(extended),
        },
        pointer=SECTION,
    )
