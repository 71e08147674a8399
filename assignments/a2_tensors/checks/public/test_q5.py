"""Logistic regression without traces, as students receive the checks."""

from __future__ import annotations

import torch

from deepmarks.checks import assert_matches, expect, numerical_vjp, question

SECTION = "section 5"
NAMES = ("loss", "dw", "db")


def three(got):
    """The three results by name."""
    expect(
        isinstance(got, tuple | list) and len(got) == 3,
        "logistic_grads must return three tensors: loss, dw and db.",
        kind="structure",
        pointer=SECTION,
    )
    return dict(zip(NAMES, got, strict=True))


def by_formula(x, y, w, b):
    """The right results, by the derivation of section 5."""
    z = x @ w + b
    dz = (torch.sigmoid(z) - y) / len(y)
    return {"loss": (torch.logaddexp(z, torch.zeros(())) - y * z).mean(), "dw": torch.outer(x, dz), "db": dz}


def draw(generator, n=5, k=3, dtype=torch.float64):
    """Random x (n,), y (k,), w (n, k), b (k,)."""
    x, w, b = (torch.randn(*s, generator=generator, dtype=dtype) for s in ((n,), (n, k), (k,)))
    return x, torch.rand(k, generator=generator, dtype=dtype).round(), w, b


@question("q5", points=0.75)
def test_loss_and_gradients(student, torch_rng):
    """The loss, dw (5, 3) and db (3,) agree with the formulas, and the gradients with central differences."""
    x, y, w, b = draw(torch_rng)
    y = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    right = by_formula(x, y, w, b)
    got = three(student.logistic_grads(x, y, w, b))
    p = torch.sigmoid(x @ w + b)
    wrong = {
        "loss": {
            "the sum over the three outputs, not their mean": 3 * right["loss"],
            "the mean squared error": ((p - y) ** 2).mean(),
            "the loss of targets and predictions exchanged": -(p * y.clamp(1e-9).log()).mean(),
            "the softmax cross-entropy, not the binary one": torch.nn.functional.cross_entropy(x @ w + b, y),
            "the loss without the bias": by_formula(x, y, w, 0 * b)["loss"],
            "the sigmoid taken twice: the loss wants logits": by_formula(0 * x, y, w, p)["loss"],
        },
        "dw": {"the gradient of the sum, not of the mean": 3 * right["dw"], "minus the gradient": -right["dw"]},
        "db": {"the gradient of the sum, not of the mean": 3 * right["db"], "minus the gradient": -right["db"]},
    }
    for name in NAMES:
        assert_matches(got[name], right[name], what=name, candidates=wrong[name], pointer=SECTION)
    one = torch.ones((), dtype=torch.float64)
    for name, index in (("dw", 2), ("db", 3)):
        numerical = numerical_vjp(lambda *data: by_formula(*data)["loss"], (x, y, w, b), one, wrt=index)
        assert_matches(got[name], numerical, what=name, rtol=1e-6, atol=1e-8, pointer=SECTION)


@question("q5", points=0.5)
def test_no_traces(student, torch_rng):
    """The results are detached; w and b come back without .grad, without requires_grad, and with their values."""
    x, y, w, b = draw(torch_rng, dtype=torch.float32)
    found = student.probe("traces", x, y, w, b)
    got = three(found["result"])
    for name, attached in zip(NAMES, found["attached"], strict=True):
        expect(
            not attached,
            f"{name} is not detached: it still hangs on the graph that computed it.",
            kind="attached",
            pointer=SECTION,
        )
    for name in ("w", "b"):
        expect(
            not found[f"{name}.grad"],
            f"{name} comes back with a .grad: that belongs to the caller.",
            kind="grad-left",
            pointer=SECTION,
        )
        expect(
            not found[f"{name}.requires_grad"],
            f"{name} comes back with requires_grad switched on.",
            kind="requires-grad-changed",
            pointer=SECTION,
        )
    for name, before in (("w", w), ("b", b)):
        expect(
            torch.equal(found[name], before), f"{name} has changed its values.", kind="input-changed", pointer=SECTION
        )
    expect(found["gradients are recorded"], "logistic_grads leaves autograd switched off.", kind="no-grad-left")
    expect(
        got["dw"] is not None and got["db"] is not None,
        "dw or db is None: was the gradient taken away before it was returned?",
        kind="none",
        pointer=SECTION,
    )
