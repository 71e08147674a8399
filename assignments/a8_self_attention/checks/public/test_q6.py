"""Learning to reverse, as students receive the checks."""

from __future__ import annotations

import torch

from deepmarks.checks import expect, fairly, question

SECTION = "section 6"
STEPS = 800
PASS = 0.70
"""Above what a model reaches that cannot look ahead (0.55); calibrated in hidden/test_q6.py."""
EARLIER = {
    "softmax": "probes.library_softmax",
    "attention": "probes.library_attention",
    "MultiHeadAttention": "probes.LibraryMultiHeadAttention",
}


def logits_of(student, model, tokens, stand_in):
    """The model's logits, of the right shape and without NaN."""
    logits = student.probe("predict", model, tokens, stand_in=stand_in)
    expect(
        isinstance(logits, torch.Tensor) and logits.shape == (*tokens.shape, 10),
        "The model's logits must have the shape (batch, n, vocab), with 10 digits in the vocabulary.",
        detail=f"received {tuple(getattr(logits, 'shape', ()))} for tokens {tuple(tokens.shape)}",
        kind="shape",
        pointer=SECTION,
    )
    expect(bool(logits.isfinite().all()), "The model's logits contain NaN or infinity.", kind="nan", pointer=SECTION)
    return logits


def explain(student, model, tokens, logits, stand_in):
    """Fail with what a model that does not reverse does instead, if that can be told."""
    guess, target = logits.argmax(-1), tokens.flip(1)

    def share(expected):
        return float((guess == expected).double().mean())

    expect(
        share(tokens) < 0.6,
        "The model copies its input: the targets are the sequence in reverse order.",
        kind="copies",
        pointer=SECTION,
    )
    expect(
        max(share(target.roll(1, 1)), share(target.roll(-1, 1))) < 0.6,
        "The model gives the reversed sequence shifted by one step.",
        kind="shifted",
        pointer=SECTION,
    )
    right = (guess == target).double().mean(0)
    expect(
        not (right[4:].mean() > 0.85 and right[:4].mean() < 0.6),
        "The model reverses only what lies behind it: it looks as if a causal mask hides the later positions.",
        detail=f"accuracy by position: {[round(value, 2) for value in right.tolist()]}",
        kind="causal",
        pointer=SECTION,
    )
    turned = torch.tensor([3, 0, 6, 1, 7, 4, 2, 5])
    permuted = logits_of(student, model, tokens[:, turned], stand_in)
    expect(
        not torch.allclose(permuted, logits[:, turned], atol=1e-3),
        "The model does not know the positions: permuting its input only permutes its output.",
        kind="no-positions",
        pointer=SECTION,
    )
    expect(
        share(target) > 0.25,
        "The model has hardly learned anything: is the loss computed with the reversed targets, and are the "
        "gradients applied?",
        detail=f"accuracy {share(target):.3f}; guessing gives 0.1",
        kind="untrained",
        pointer=SECTION,
    )


@question("q6", points=0.25, device="cpu")
def test_train_reverse_obeys_its_seed(student):
    """train_reverse gives a module with logits (batch, n, 10); the same seed gives the same model, another another."""
    tokens = torch.arange(40).view(5, 8) % 10
    runs = [student.call("train_reverse", own, 3, seed=seed) for own, seed in ((7, 1), (7, 2), (8, 1))]
    first, same, other = (logits_of(student, model, tokens, None) for model in runs)
    expect(
        torch.allclose(first, same, atol=1e-4),
        "The same seed gives different models: seed the initial weights and the data from `seed`.",
        kind="seed-ignored",
        pointer=SECTION,
    )
    expect(
        not torch.allclose(first, other, atol=1e-4),
        "Different seeds give the same model.",
        kind="seed-constant",
        pointer=SECTION,
    )


@question("q6", points=0.5, device="cpu")
def test_most_digits_are_reversed(student, rng, torch_rng):
    """After REVERSE_STEPS steps, more than 70 % of the digits of fresh sequences are reversed properly."""
    seed = int(rng.integers(1000))
    tokens = torch.randint(10, (400, 8), generator=torch_rng)

    def check(stand_in):
        model = student.call("train_reverse", seed, STEPS, stand_in=stand_in)
        logits = logits_of(student, model, tokens, stand_in)
        accuracy = float((logits.argmax(-1) == tokens.flip(1)).double().mean())
        if accuracy <= PASS:
            explain(student, model, tokens, logits, stand_in)
        expect(
            accuracy > PASS,
            "The model reverses less than 70 % of the digits: train it faster or make it larger.",
            detail=f"accuracy {accuracy:.3f}",
            kind="accuracy",
            pointer=SECTION,
        )

    fairly(check, EARLIER)
