"""Paths, labels and the blank, as the grader checks them."""

from __future__ import annotations

import itertools

import pytest

from deepmarks.checks import assert_matches, question

SECTION = "section 2"


def blanks_first(path, blank):
    """The wrong order."""
    return [k for k, _ in itertools.groupby(k for k in path if k != blank)]


@pytest.mark.parametrize("blank", [0, 3, 1])
@question("q2", points=0.5)
def test_collapse_of_random_paths(student, reference, rng, blank):
    """Collapse agrees with the definition for random paths, whatever class the blank is, also for an empty path."""
    for length in (0, 1, 7, 30, 30):
        path = rng.integers(0, 4, length).tolist()
        expected = reference.collapse(path, blank)
        zero = reference.collapse(path, 0)
        wrong_order = blanks_first(path, blank)
        assert_matches(
            student.collapse(path, blank=blank),
            expected,
            what="the collapsed path",
            candidates={
                "the path with blanks removed first and repeats merged second: the other order is asked for": (
                    wrong_order if wrong_order != expected else None
                ),
                "one with the blank 0, whatever blank says": zero if zero != expected else None,
                "the path without blanks, repeats not merged": [k for k in path if k != blank],
                "the path with repeats merged, blanks not removed": [k for k, _ in itertools.groupby(path)],
            },
            pointer=SECTION,
        )


@question("q2", points=0.25)
def test_extended_random_labels(student, reference, rng):
    """Extend of random labels with repeats, of one label and of none, with any blank."""
    for length, blank in ((9, 0), (6, 7), (1, 2), (0, 5)):
        labels = [int(k) for k in rng.choice([k for k in range(8) if k != blank], length)]
        expected = reference.extend(labels, blank)
        zero = reference.extend(labels, 0)
        merged = reference.extend([k for k, _ in itertools.groupby(labels)], blank)
        assert_matches(
            student.extend(labels, blank=blank),
            expected,
            what="the list of extended labels",
            candidates={
                "one with the blank 0, whatever blank says": zero if blank else None,
                "one with equal neighbours merged: they must stay apart": merged if merged != expected else None,
                "one with blanks between the labels only: they belong at both ends, too": expected[1:-1] or None,
                "one without the blank at the end": expected[:-1] or None,
                "one without the blank at the start": expected[1:] or None,
            },
            pointer=SECTION,
        )


@question("q2", points=0.25)
def test_shortest_paths_of_random_labels(student, reference, rng):
    """min_time_steps is the length of the shortest path that collapses to the labels: found by trying all paths."""
    given = [[2, 2, 2, 2], [1, 2, 1, 2], [1], [5, 5, 1, 5, 5], rng.integers(1, 3, 12).tolist(), [1, 1, 2, 1, 1, 1]]
    for labels in given:
        expected = reference.min_time_steps(labels)
        runs = [len(list(group)) for _, group in itertools.groupby(labels)]
        assert_matches(
            student.min_time_steps(labels),
            expected,
            what="the least number of steps",
            candidates={
                "the number of labels: equal neighbours need a blank between them": (
                    len(labels) if max(runs) > 1 else None
                ),
                "the length of the extended labels: blanks may be skipped": 2 * len(labels) + 1,
                "one more for each group of equal neighbours, where each pair needs one": (
                    len(labels) + sum(run > 1 for run in runs) if max(runs) > 2 else None
                ),
                "one more for each label that occurs again, also where it is no neighbour": (
                    2 * len(labels) - len(set(labels)) if expected != 2 * len(labels) - len(set(labels)) else None
                ),
                "one that counts the labels after merging equal neighbours": len(runs),
            },
            pointer=SECTION,
        )
    for labels in ([1, 1], [2, 1], [1, 2, 2]):
        paths = (path for steps in range(6) for path in itertools.product(range(3), repeat=steps))
        shortest = next(len(path) for path in paths if reference.collapse(path, 0) == labels)
        assert_matches(student.min_time_steps(labels), shortest, what="the least number of steps", pointer=SECTION)
