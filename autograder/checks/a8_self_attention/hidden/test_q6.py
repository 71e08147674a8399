"""Learning to reverse, as the grader checks it.

Calibration: accuracy on 400 fresh sequences a seed after 800 steps (CPU, one thread, 2.1 s a run):

    reference                                60 seeds   min 1.0000   median 1.0000   max 1.0000
    learning rate 1e-3                       10 seeds   min 1.0000   median 1.0000   max 1.0000
    batches of 32, learning rate 1e-3        10 seeds   min 1.0000   median 1.0000   max 1.0000
    positions start at 0.02, rate 3e-3       10 seeds   min 1.0000   median 1.0000   max 1.0000
    positions start at 0.02, rate 1e-3       12 seeds   min 0.9997   median 1.0000   max 1.0000
    causal mask                              12 seeds   min 0.5463   median 0.5506   max 0.5591
    no positions                             12 seeds   min 0.3022   median 0.3212   max 0.3312
    targets shifted by one step               4 seeds   min 0.0956   median 0.0997   max 0.1016
    copies the input                          4 seeds   min 0.0919   median 0.0956   max 0.0988
    reference after one step                 40 seeds   min 0.0903   median 0.1016   max 0.1156

The bands lie at 0.70 (public) and 0.97: far above the best wrong variant, far below the slowest right one. The test's
own standard deviation is at most 0.009.
"""

from __future__ import annotations

import torch

from deepmarks.checks import expect, fairly, question

SECTION = "section 6"
STEPS = 800
FULL = 0.97
UNTRAINED = 0.5
EARLIER = {
    "softmax": "probes.library_softmax",
    "attention": "probes.library_attention",
    "MultiHeadAttention": "probes.LibraryMultiHeadAttention",
}


def accuracy_on_fresh_sequences(student, seed, steps, generator, stand_in):
    """The share of digits that a freshly trained model reverses; the labels never leave this process."""
    tokens = torch.randint(10, (400, 8), generator=generator)
    model = student.call("train_reverse", seed, steps, stand_in=stand_in)
    logits = student.probe("predict", model, tokens, stand_in=stand_in)
    expect(
        isinstance(logits, torch.Tensor) and logits.shape == (400, 8, 10),
        "The model's logits must have the shape (batch, n, vocab), with 10 digits in the vocabulary.",
        kind="shape",
        pointer=SECTION,
    )
    expect(bool(logits.isfinite().all()), "The model's logits contain NaN or infinity.", kind="nan", pointer=SECTION)
    return float((logits.argmax(-1) == tokens.flip(1)).double().mean())


@question("q6", points=1, device="cpu")
def test_nearly_all_digits_are_reversed(student, rng, torch_rng):
    """After REVERSE_STEPS steps with another seed, more than 97 % of the digits are reversed properly."""
    seed = int(rng.integers(1000, 10**6))

    def check(stand_in):
        accuracy = accuracy_on_fresh_sequences(student, seed, STEPS, torch_rng, stand_in)
        expect(
            accuracy > FULL,
            "The model does not reverse 97 % of the digits: does every position see all others, does it know the "
            "positions, and does it learn fast enough?",
            detail=f"accuracy {accuracy:.3f}",
            kind="accuracy",
            pointer=SECTION,
        )

    fairly(check, EARLIER)


@question("q6", points=0.25, device="cpu")
def test_learning_comes_from_the_steps(student, rng, torch_rng):
    """After a single step the model knows next to nothing: what it can do, it has learned in `steps` steps."""
    seed = int(rng.integers(1000, 10**6))
    accuracy = accuracy_on_fresh_sequences(student, seed, 1, torch_rng, None)
    expect(
        accuracy < UNTRAINED,
        "The model reverses after one step already: it must learn that, in the number of steps asked for.",
        detail=f"accuracy {accuracy:.3f}",
        kind="not-learned",
        pointer=SECTION,
    )
    tokens = torch.randint(10, (40, 8), generator=torch_rng)
    early, late = (student.probe("predict", student.call("train_reverse", seed, steps), tokens) for steps in (1, 20))
    expect(
        not torch.allclose(early, late, atol=1e-4),
        "After 20 steps the model is what it was after one: each step must change its parameters.",
        kind="not-learned",
        pointer=SECTION,
    )
