"""Decoding and error rates, as the grader checks them."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import pytest
import torch

from deepmarks.checks import assert_matches, expect, fairly, question

SECTION = "section 6"
MARGIN = 1e-3
"""A clear winner: rounding must not decide which of two texts is more likely."""
EARLIER = {"collapse": "probes.library_collapse"}


def texts_by_probability(log_probs, blank):
    """All texts with the probability of all their paths and of their best one."""
    logs = log_probs.tolist()
    together, best = defaultdict(float), defaultdict(float)
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(logs)):
        chance = math.exp(sum(logs[t][k] for t, k in enumerate(path)))
        text = tuple(k for k, _ in itertools.groupby(path) if k != blank)
        together[text] += chance
        best[text] = max(best[text], chance)
    return together, best


def winner(chances):
    """The most likely text, and by how much it wins."""
    first, second = sorted(chances.values(), reverse=True)[:2]
    return list(max(chances, key=chances.__getitem__)), first - second


def beam_variant(log_probs, blank, mistake):
    """An exact prefix search (all prefixes are kept) with one mistake."""
    beam = {(): (1.0, 0.0)}
    for frame in log_probs.exp().tolist():
        following = defaultdict(lambda: [0.0, 0.0])
        for prefix, (in_blank, in_label) in beam.items():
            both = in_blank + in_label
            for k, p in enumerate(frame):
                if k == blank:
                    following[prefix][0] += both * p
                elif prefix and prefix[-1] == k:
                    if mistake == "never doubles":
                        following[prefix][1] += both * p
                        continue
                    if mistake != "no repeats":
                        following[prefix][1] += in_label * p
                    following[(*prefix, k)][1] += (both if mistake == "from both" else in_blank) * p
                else:
                    following[(*prefix, k)][1] += both * p
        beam = following
    return list(max(beam, key=lambda prefix: sum(beam[prefix])))


@pytest.mark.parametrize("blank", [0, 2, 5])
@question("q6", points=0.25)
def test_greedy_decoding_of_random_tables(student, reference, torch_rng, blank):
    """The collapsed best path of random tables, whatever class the blank is; also blanks only, and one step."""
    tables = [torch.randn(steps, 6, generator=torch_rng).log_softmax(1) for steps in (1, 12, 40)]
    tables[1][:, 3] += 1.0
    silent = torch.zeros(5, 6)
    silent[:, blank] = 1.0
    for log_probs in [*tables, silent.log_softmax(1)]:
        path = log_probs.argmax(1).tolist()
        expected = reference.greedy_decode(log_probs, blank)
        zero = reference.greedy_decode(log_probs, 0)
        blanks_first = [k for k, _ in itertools.groupby(k for k in path if k != blank)]

        def check(stand_in, log_probs=log_probs, path=path, expected=expected, zero=zero, first=blanks_first):
            candidates = {
                "the best path itself: collapse it": path if path != expected else None,
                "the best path with blanks removed first and repeats merged second": (
                    first if first != expected else None
                ),
                "the best path without blanks, repeats not merged": [k for k in path if k != blank],
                "one with the blank 0, whatever blank says": zero if zero != expected else None,
            }
            assert_matches(
                student.call("greedy_decode", log_probs, blank=blank, stand_in=stand_in),
                expected,
                what="the greedily decoded text",
                candidates=candidates,
                pointer=SECTION,
            )

        fairly(check, EARLIER)


@pytest.mark.parametrize("blank", [0, 2])
@question("q6", points=0.5)
def test_wide_beam_equals_all_paths(student, torch_rng, blank):
    """With a wide beam the search finds the most likely text of random tables: found by listing all paths."""
    cases = []
    while len(cases) < 12:
        steps = 1 + len(cases) % 6
        log_probs = torch.randn(steps, 3, generator=torch_rng, dtype=torch.float64).mul(1.2).log_softmax(1)
        together, best = texts_by_probability(log_probs, blank)
        expected, lead = winner(together)
        by_best, _ = winner(best)
        interesting = by_best != expected or len(cases) % 3 == 0
        if lead < MARGIN or (steps > 2 and not interesting):
            continue
        wrong = {
            "the text of the best path: probabilities of paths with the same text must be added": by_best,
            "one where a repeat counts as a new letter without a blank between the two": beam_variant(
                log_probs, blank, "from both"
            ),
            "one that cannot write the same letter twice": beam_variant(log_probs, blank, "never doubles"),
            "one that forgets the paths in which a letter lasts for several steps": beam_variant(
                log_probs, blank, "no repeats"
            ),
            "the most likely text, spelled backwards": expected[::-1],
            "one with the blank 0, whatever blank says": winner(texts_by_probability(log_probs, 0)[0])[0],
        }
        got = student.beam_decode(log_probs, 200, blank=blank)
        expect(
            not (isinstance(got, list | tuple) and blank in got),
            "The text of the beam search holds the blank: it must not become a part of a prefix.",
            kind="blank-in-text",
            pointer=SECTION,
        )
        cases.append((got, expected, wrong))
    # A short text is soon met by accident: a mistake must explain all results.
    explains = [text for text in cases[0][2] if all(got == wrong[text] for got, _, wrong in cases)]
    for got, expected, wrong in cases:
        assert_matches(
            got,
            expected,
            what="the text of a wide beam search",
            candidates={text: wrong[text] for text in explains if wrong[text] != expected},
            pointer=SECTION,
        )


@question("q6", points=0.25)
def test_narrow_and_long_beams(student, torch_rng):
    """A beam of one prefix keeps the best prefix only; 650 steps do not underflow; doubled letters survive."""
    log_probs = torch.tensor([[0.6, 0.4], [0.6, 0.4]], dtype=torch.float64).log()
    assert_matches(
        student.beam_decode(log_probs, 1),
        [],
        what="the text of a beam of width one",
        candidates={"the text of a wider beam: after each step only beam_width prefixes survive": [1]},
        pointer=SECTION,
    )
    text = [1, 1, 2, 2, 2, 1]
    path = [1, 0, 1, 2, 0, 0, 2, 0, 2, 2, 1]
    clear = torch.full((11, 3), 0.05, dtype=torch.float64)
    clear[range(11), path] = 0.9
    merged = [k for k, _ in itertools.groupby(text)]
    assert_matches(
        student.beam_decode(clear.log(), 8),
        text,
        what="the text with doubled letters",
        candidates={"one that cannot write the same letter twice": merged},
        pointer=SECTION,
    )
    certain = torch.eye(3, dtype=torch.float64)[path]
    certain[4] = torch.tensor([0.75, 0.25, 0.0])
    for name, beam in (("greedy_decode", ()), ("beam_decode", (4,))):

        def check(stand_in, name=name, beam=beam):
            got = student.call(name, certain.log(), *beam, stand_in=stand_in)
            what = "the text of a network that is sure (probabilities 0, so log_probs of -inf)"
            assert_matches(got, text, what=what, pointer=SECTION)

        fairly(check, EARLIER)
    classes, steps = 60, 650
    letters = torch.randint(1, classes, (50,), generator=torch_rng).tolist()
    long_path = [k for letter in letters for k in (*[letter] * 9, *[0] * 4)]
    long = torch.full((steps, classes), 0.75 / (classes - 1), dtype=torch.float64)
    long[range(steps), long_path] = 0.25
    assert_matches(
        student.beam_decode(long.log(), 3),
        letters,
        what="the text of 650 steps (work with logarithms, or rescale)",
        pointer=SECTION,
    )


@question("q6", points=0.5)
def test_edit_distances_of_random_sequences(student, reference, rng):
    """Random strings and lists of different lengths, in both directions; the triangle inequality holds."""
    for case in range(8):
        first, second = (rng.integers(0, 4, rng.integers(0, 9)).tolist() for _ in range(2))
        if case == 2:
            first, second = [1, 12, 1], [11, 2, 1]  # labels may have several digits
        if case % 2:
            first, second = ("".join("abcd"[k] for k in word) for word in (first, second))
        expected = reference.edit_distance(first, second)
        places = sum(x != y for x, y in zip(first, second, strict=False)) + abs(len(first) - len(second))
        table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
        for i, x in enumerate(first):
            for j, y in enumerate(second):
                table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
        common = table[-1][-1]
        for a, b in ((first, second), (second, first)):
            assert_matches(
                student.edit_distance(a, b),
                expected,
                what="the edit distance",
                candidates={
                    "the number of places that differ: letters may be inserted and deleted, too": (
                        places if places != expected else None
                    ),
                    "a distance that has no substitutions, only insertions and deletions": (
                        len(a) + len(b) - 2 * common if len(a) + len(b) - 2 * common != expected else None
                    ),
                    "the length of the longest common subsequence: count what is not common": (
                        common if common != expected else None
                    ),
                    "the edit distance, divided by the length": expected / max(1, len(a)) if len(a) > 1 else None,
                },
                pointer=SECTION,
            )


@question("q6", points=0.25)
def test_error_rates_of_random_texts(student, reference, rng):
    """Total edits over total reference length, for strings and lists, with empty texts among them; it can exceed 1."""
    for case in range(4):
        refs = [rng.integers(0, 3, size).tolist() for size in (1, 4, 7, 0)]
        hyps = [rng.integers(0, 3, size).tolist() for size in (5, 2, 7, 3)]
        if case % 2:
            refs, hyps = (["".join("xyz"[k] for k in word) for word in words] for words in (refs, hyps))
        edits = [reference.edit_distance(ref, hyp) for ref, hyp in zip(refs, hyps, strict=True)]
        expected = sum(edits) / sum(len(ref) for ref in refs)
        rates = [edit / len(ref) for edit, ref in zip(edits, refs, strict=True) if len(ref)]
        assert_matches(
            student.cer(refs, hyps),
            expected,
            what="the character error rate",
            candidates={
                "the mean of the single rates: long texts count more": sum(rates) / len(rates),
                "the mean of the single rates, empty texts counted as zero: long texts count more": sum(rates) / 4,
                "the total number of edits over the total length of the hypotheses: the references count": (
                    sum(edits) / sum(len(hyp) for hyp in hyps)
                ),
                "an error rate that is cut off at 1": 1.0 if expected > 1 else None,
                "the share of texts that are not quite right": sum(edit > 0 for edit in edits) / 4,
            },
            pointer=SECTION,
        )
    assert_matches(student.cer(["ab", "c"], ["ab", "c"]), 0.0, what="the error rate of a perfect reader")
    assert_matches(student.cer(["a"], ["bcd"]), 3.0, what="the error rate of a bad reader", pointer=SECTION)
