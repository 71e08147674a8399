"""The residual block, as the grader checks it."""

from __future__ import annotations

import pytest
import torch

from deepmarks.checks import assert_matches, expect, question
from public.test_q1 import SECTION, check_names, library_block, random_state, wrong_outputs


def prepared(torch_rng, sizes, shape):
    """The library's block with random weights, its state, and an input."""
    block = library_block(*sizes).double()
    state = random_state(block, torch_rng)
    block.load_state_dict(state)
    return block, state, torch.randn(*shape, generator=torch_rng, dtype=torch.float64)


@pytest.mark.parametrize(("sizes", "shape"), [((3, 7, 1), (2, 3, 5, 8)), ((6, 4, 3), (4, 6, 11, 7))])
@question("q1", points=0.5)
def test_other_channels_and_strides(student, torch_rng, sizes, shape):
    """More channels with stride 1, fewer with stride 3: names, shapes and output."""
    check_names(student, *sizes)
    block, state, x = prepared(torch_rng, sizes, shape)
    run = student.module("BasicBlock", *sizes, state=state, inputs=(x,), dtype="float64")
    with torch.no_grad():
        right = block.eval()(x)
    wrong = wrong_outputs(x, state, sizes[2], False)
    assert_matches(run.output, right, what="the output of BasicBlock", candidates=wrong, pointer=SECTION)


@pytest.mark.parametrize(("sizes", "shape"), [((5, 5, 1), (4, 5, 6, 7)), ((4, 6, 2), (5, 4, 7, 9))])
@question("q1", points=1)
def test_training_mode_and_gradients(student, torch_rng, sizes, shape):
    """In training mode the output, all gradients and the new BatchNorm statistics are torchvision's."""
    check_names(student, *sizes)
    block, state, x = prepared(torch_rng, sizes, shape)
    leaf = x.clone().requires_grad_(True)
    right = block.train()(leaf)
    g = torch.randn(right.shape, generator=torch_rng, dtype=torch.float64)
    run = student.module("BasicBlock", *sizes, state=state, inputs=(x,), cotangent=g, dtype="float64", train=True)
    wrong = wrong_outputs(x, state, sizes[2], True)
    what = "the output of BasicBlock in training mode"
    assert_matches(run.output, right.detach(), what=what, candidates=wrong, pointer=SECTION)
    names = [name for name, _ in block.named_parameters()]
    grads = torch.autograd.grad(right, [leaf, *block.parameters()], g)
    assert_matches(run.input_grads[0], grads[0], what="the gradient for the input of BasicBlock", pointer=SECTION)
    expect(
        all(run.param_grads.get(name) is not None for name in names),
        "Some parameters of BasicBlock get no gradient.",
        kind="no-gradient",
        pointer=SECTION,
    )
    for name, grad in zip(names, grads[1:], strict=True):
        assert_matches(run.param_grads[name], grad, what="the gradient for a parameter of BasicBlock", pointer=SECTION)
    for name, value in block.state_dict().items():
        if "running" in name:
            what = "a running statistic after a batch in training mode"
            assert_matches(run.state[name].double(), value, what=what, pointer=SECTION)
