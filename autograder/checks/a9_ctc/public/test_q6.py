"""Decoding and error rates, as students receive the checks."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import torch

from deepmarks.checks import assert_matches, fairly, question

SECTION = "section 6"
EARLIER = {"collapse": "probes.library_collapse"}


def most_likely_text(log_probs, blank):
    """The text whose paths together have the largest probability, and that of the best path."""
    chances = defaultdict(float)
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        text = tuple(k for k, _ in itertools.groupby(path) if k != blank)
        chances[text] += math.exp(sum(float(log_probs[t, k]) for t, k in enumerate(path)))
    greedy = [k for k, _ in itertools.groupby(log_probs.argmax(1).tolist()) if k != blank]
    return list(max(chances, key=chances.__getitem__)), greedy


@question("q6", points=0.25)
def test_greedy_decoding_of_a_small_table(student):
    """The best class of each step is (1, 1, 0, 1, 2, 2): greedy decoding reads (1, 1, 2)."""
    path = [1, 1, 0, 1, 2, 2]
    log_probs = torch.full((6, 3), 0.2)
    log_probs[range(6), path] = 0.6
    log_probs = log_probs.log()

    def check(stand_in):
        assert_matches(
            student.call("greedy_decode", log_probs, stand_in=stand_in),
            [1, 1, 2],
            what="the greedily decoded text",
            candidates={
                "the best path itself: collapse it": path,
                "the best path with blanks removed first and repeats merged second": [1, 2],
                "the best path without blanks, repeats not merged": [1, 1, 1, 2, 2],
            },
            pointer=SECTION,
        )
        # The same table with the blank 2.
        assert_matches(
            student.call("greedy_decode", log_probs, 2, stand_in=stand_in),
            [1, 0, 1],
            what="the greedily decoded text with the blank 2",
            candidates={"one with the blank 0, whatever blank says": [1, 1, 2]},
            pointer=SECTION,
        )

    fairly(check, EARLIER)


@question("q6", points=0.5)
def test_beam_search_adds_up_paths(student, torch_rng):
    """Where "-" has 0.6 and "a" 0.4 in both of two steps, "a" is the most likely text; and all paths of four steps."""
    log_probs = torch.tensor([[0.6, 0.4], [0.6, 0.4]], dtype=torch.float64).log()
    assert_matches(
        student.beam_decode(log_probs, 10),
        [1],
        what="the text of the beam search",
        candidates={"the text of the best path: probabilities of paths with the same text must be added": []},
        pointer=SECTION,
    )
    for _ in range(5):
        log_probs = torch.randn(4, 3, generator=torch_rng, dtype=torch.float64).mul(1.3).log_softmax(1)
        expected, greedy = most_likely_text(log_probs, 0)
        assert_matches(
            student.beam_decode(log_probs, 100),
            expected,
            what="the text of a wide beam search",
            candidates={
                "the text of the best path: probabilities of paths with the same text must be added": (
                    greedy if greedy != expected else None
                )
            },
            pointer=SECTION,
        )


@question("q6", points=0.5)
def test_edit_distances_and_error_rates(student):
    """The distance of kitten and sitting is 3; the error rate is total edits over total reference length."""
    pairs = {("kitten", "sitting"): 3, ("", "abc"): 3, ("abc", ""): 3, ("abc", "abc"): 0, ("abcd", "acbd"): 2}
    for (a, b), expected in pairs.items():
        assert_matches(
            student.edit_distance(a, b),
            expected,
            what="the edit distance",
            candidates={
                "the number of places that differ: letters may be inserted and deleted, too": (
                    sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b))
                ),
                "a distance that has no substitutions, only insertions and deletions": (
                    5 if (a, b) == ("kitten", "sitting") else None
                ),
                "a distance that counts exchanged neighbours as one edit": 1 if (a, b) == ("abcd", "acbd") else None,
            },
            pointer=SECTION,
        )
    refs, hyps = ["abcd", "a", "bcd"], ["abd", "b", "bcd"]
    assert_matches(
        student.cer(refs, hyps),
        2 / 8,
        what="the character error rate",
        candidates={
            "the mean of the single rates: long texts count more": (1 / 4 + 1 + 0) / 3,
            "the total number of edits over the total length of the hypotheses: the references count": 2 / 7,
            "the number of edits, not divided by the length": 2.0,
            "the share of texts that are not quite right": 2 / 3,
            "the mean number of edits of a text": 2 / 3,
            "the error rate in percent: it is a fraction": 25.0,
        },
        pointer=SECTION,
    )
