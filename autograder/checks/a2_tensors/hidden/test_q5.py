"""Logistic regression without traces, as the grader checks it."""

from __future__ import annotations

import pytest
import torch

from deepmarks.checks import assert_matches, expect, numerical_vjp, question

SECTION = "section 5"


def draw(generator, n, k, dtype=torch.float64):
    """Random x (n,), y (k,), w (n, k), b (k,)."""
    x, w, b = (torch.randn(*s, generator=generator, dtype=dtype) for s in ((n,), (n, k), (k,)))
    return x, torch.rand(k, generator=generator, dtype=dtype), w, b


def named(got):
    """The three results by name."""
    expect(
        isinstance(got, tuple | list) and len(got) == 3,
        "logistic_grads must return three tensors: loss, dw and db.",
        kind="structure",
        pointer=SECTION,
    )
    return dict(zip(("loss", "dw", "db"), got, strict=True))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(("n", "k"), [(5, 3), (4, 7), (6, 2)])
@question("q5", points=0.75)
def test_other_targets_and_sizes(student, reference, torch_rng, n, k, dtype):
    """Loss and gradients are right for soft targets and other sizes, in float64 and float32."""
    x, y, w, b = draw(torch_rng, n, k, dtype)
    right = named(reference.logistic_grads(x, y, w, b))
    got = named(student.logistic_grads(x, y, w, b))
    p = torch.sigmoid(x @ w + b)
    z = x @ w + b
    wrong = {
        "loss": {
            "the sum over the outputs, not their mean": k * right["loss"],
            "the sum divided by three, whatever the number of outputs": k * right["loss"] / 3 if k != 3 else None,
            "the mean squared error": ((p - y) ** 2).mean(),
            "the softmax cross-entropy, not the binary one": torch.nn.functional.cross_entropy(z, y),
            "the first half of the loss only: the part with 1 - y is missing": -(y * p.log()).mean(),
        },
        "dw": {
            "the gradient of the sum, not of the mean": k * right["dw"],
            "minus the gradient": -right["dw"],
            "the one for the weights as (outputs, inputs)": right["dw"].T,
            "the gradient without the input x": (right["db"]).expand(n, k),
        },
        "db": {"the gradient of the sum, not of the mean": k * right["db"], "minus the gradient": -right["db"]},
    }
    for name in ("loss", "dw", "db"):
        assert_matches(got[name], right[name], what=name, candidates=wrong[name], pointer=SECTION)
    if dtype is torch.float64:
        one = torch.ones((), dtype=torch.float64)
        for name, index in (("dw", 2), ("db", 3)):
            numerical = numerical_vjp(lambda *data: reference.logistic_grads(*data)[0], (x, y, w, b), one, wrt=index)
            assert_matches(got[name], numerical, what=name, rtol=1e-6, atol=1e-8, pointer=SECTION)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@question("q5", points=0.25)
def test_large_logits(student, reference, torch_rng, dtype):
    """Logits of several hundred give the right loss, finite and not cut off."""
    x, y, w, b = draw(torch_rng, 5, 3, dtype)
    # Signs against the targets make the loss as large as the logits.
    y = torch.tensor([1.0, 0.0, 1.0], dtype=dtype)
    b = torch.tensor([-300.0, 400.0, -250.0], dtype=dtype)
    right, got = (named(side.logistic_grads(x, y, w, b)) for side in (reference, student))
    loss = torch.as_tensor(got["loss"])
    expect(
        bool(loss.isfinite().all()) and bool(torch.as_tensor(got["dw"]).isfinite().all()),
        "Large logits give a loss or gradients that are infinite or NaN: take the loss from the logits, not from "
        "the sigmoid.",
        kind="overflow",
        pointer=SECTION,
    )
    cut = {
        "the loss with logarithms cut off: the sigmoid is taken before the loss": torch.full_like(right["loss"], 100)
    }
    assert_matches(got["loss"], right["loss"], what="the loss for large logits", candidates=cut, pointer=SECTION)
    for name in ("dw", "db"):
        assert_matches(got[name], right[name], what=f"{name} for large logits", pointer=SECTION)


@pytest.mark.parametrize("requires_grad", [True, False])
@question("q5", points=0.5)
def test_requires_grad_as_it_was(student, torch_rng, requires_grad):
    """Both w and b come back without .grad and with requires_grad as it was: also where it was on."""
    x, y, w, b = draw(torch_rng, 5, 3, torch.float32)
    found = student.probe("traces", x, y, w, b, requires_grad)
    expect(not found["w.grad"] and not found["b.grad"], "w or b comes back with a .grad.", kind="grad-left")
    expect(
        found["w.requires_grad"] == requires_grad and found["b.requires_grad"] == requires_grad,
        "w or b comes back with requires_grad changed.",
        detail=f"it was {requires_grad}",
        kind="requires-grad-changed",
        pointer=SECTION,
    )
    expect(
        len(found["attached"]) == 3 and not any(found["attached"]),
        "The loss or a gradient is not detached: it still hangs on a graph.",
        kind="attached",
        pointer=SECTION,
    )
    expect(found["w is a leaf"], "w or b comes back as a result of your computation, not as a leaf.", kind="no-leaf")
    expect(not found["x.requires_grad"], "x comes back with requires_grad or .grad.", kind="requires-grad-changed")
    for name, before in (("w", w), ("b", b)):
        expect(torch.equal(found[name], before), "w or b has changed its values.", kind="input-changed")


@pytest.mark.parametrize("requires_grad", [True, False])
@question("q5", points=0.25)
def test_called_three_times(student, torch_rng, requires_grad):
    """Called three times with the same tensors, logistic_grads gives the same gradients each time."""
    x, y, w, b = draw(torch_rng, 5, 3)
    # Compared with the first call: whether that is right, the other checks tell.
    once = named(student.probe("traces", x, y, w, b, requires_grad)["result"])
    thrice = named(student.probe("traces", x, y, w, b, requires_grad, times=3)["result"])
    for name in ("dw", "db"):
        expect(
            isinstance(once[name], torch.Tensor) and bool(once["dw"].any()),
            "dw or db is no tensor, or dw is zero everywhere.",
            kind="zero",
            pointer=SECTION,
        )
        wrong = {
            "the sum of the gradients of all calls so far: old ones are still in .grad": 3 * once[name],
            "the sum of the gradients of all calls so far: old ones are kept somewhere": 4 * once[name],
        }
        what = f"{name} of the third call"
        assert_matches(thrice[name], once[name], what=what, candidates=wrong, pointer=SECTION)
