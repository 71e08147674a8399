"""The digits of a clock, as the grader checks them."""

from __future__ import annotations

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 1"


def variant(t, bases, *, carry=lambda t, base: t // base, last=True):
    digits = []
    for k, base in enumerate(bases):
        digits.append(t % base if last or k < len(bases) - 1 else t)
        t = carry(t, base)
    return digits


def mistakes(t, bases):
    """Digits with one thing wrong."""
    return {
        "the digits with the slowest one first": lambda: variant(t, bases)[::-1],
        "the digits for the bases in reverse order": lambda: variant(t, bases[::-1]),
        "the digits for the bases in reverse order, turned round": lambda: variant(t, bases[::-1])[::-1],
        "the digits without the modulo of the slowest one": lambda: variant(t, bases, last=False),
        "every digit taken from the whole of t: the quotient must go on to the next base": lambda: [
            t % base for base in bases
        ],
        "the digits after dividing by their own base; the first digit is not divided at all": lambda: [
            t // base % base for base in bases
        ],
        "digits that went through floats, which are exact to 53 bits only": lambda: variant(
            t, bases, carry=lambda t, base: int(t / base)
        ),
    }


@question("q1", points=0.5)
def test_digits_in_random_bases(student, reference, rng):
    """The digits of random positions in random bases, also in more or fewer than three of them, and in base 1."""
    for _ in range(25):
        bases = [int(base) for base in rng.integers(1, 13, rng.integers(1, 6))]
        t = int(rng.integers(0, 20_000))
        got, expected = student.clock_encoding(t, bases), reference.clock_encoding(t, bases)
        assert_matches(got, expected, what="the list of digits", candidates=mistakes(t, bases), pointer=SECTION)


@question("q1", points=0.5)
def test_digits_of_large_positions(student, reference, rng):
    """The digits of positions beyond 10^18 are exact, lie below their bases, and add up to the position again."""
    for _ in range(10):
        bases = [int(rng.integers(2, 10)), *(int(base) for base in rng.integers(50, 900, 6))]
        t = int(rng.integers(10**18, 4 * 10**18))
        got, expected = student.clock_encoding(t, bases), reference.clock_encoding(t, bases)
        assert_matches(got, expected, what="the list of digits", candidates=mistakes(t, bases), pointer=SECTION)
        whole = [*bases, 10**18]  # one digit more, so that nothing is lost
        place, total = 1, 0
        for digit, base in zip(student.clock_encoding(t, whole), whole, strict=True):
            total += int(digit) * place
            place *= base
        expect(total == t, "The digits of a large position do not add up to it.", kind="not-exact", pointer=SECTION)
