"""Backward by hand, and twice: as the grader checks them."""

from __future__ import annotations

import pytest
import torch

from deepmarks.checks import assert_matches, expect, numerical_vjp, question

SECTION = "section 6"


def slope(x):
    """The derivative of sigmoid(x)**3."""
    s = torch.sigmoid(x)
    return 3 * s**3 * (1 - s)


def bend(x):
    """The second derivative of sigmoid(x)**3."""
    s = torch.sigmoid(x)
    return 3 * s**3 * (1 - s) * (3 - 4 * s)


@pytest.mark.parametrize(("shape", "scale"), [((4, 3), 1.0), ((2, 3, 5), 4.0), ((), 1.0), ((1, 7), 12.0)])
@question("q6", points=0.5)
def test_cube_sigmoid_twice(student, reference, torch_rng, shape, scale):
    """The first and the second derivative of CubeSigmoid are right, for x and for grad_output, in any shape."""
    x = scale * torch.randn(shape, generator=torch_rng, dtype=torch.float64)
    g, u = (torch.randn(shape, generator=torch_rng, dtype=torch.float64) for _ in range(2))
    right = reference.probe("cube", x, g, u)
    found = student.probe("cube", x, g, u)
    s = torch.sigmoid(x)
    assert_matches(found["y"], right["y"], what="CubeSigmoid.apply(x)", pointer=SECTION)
    wrong = {
        "the derivative alone, not multiplied by grad_output": slope(x),
        "the gradient without the factor 3": g * slope(x) / 3,
        "the gradient without the derivative of the sigmoid": g * 3 * s**2,
        "the gradient with s**2 where s**3 is due": g * 3 * s**2 * (1 - s),
        "the gradient without the factor 1 - s": g * 3 * s**3,
    }
    assert_matches(found["dx"], right["dx"], what="the gradient", candidates=wrong, pointer=SECTION)
    numerical = numerical_vjp(lambda x: torch.sigmoid(x) ** 3, (x,), g)
    assert_matches(found["dx"], numerical, what="the gradient", rtol=1e-6, atol=1e-8, pointer=SECTION)
    if isinstance(found["ddx"], str):
        expect(
            False,
            "The backward pass of CubeSigmoid cannot be differentiated again: keep it free of once_differentiable.",
            kind="once",
            pointer=SECTION,
        )
    expect(
        found["ddx"] is not None or found["ddg"] is not None,
        "The backward pass of CubeSigmoid leaves the graph: something in it is detached, or turned into plain numbers.",
        kind="backward-detached",
        pointer=SECTION,
    )
    expect(
        found["ddg"] is not None,
        "The backward pass of CubeSigmoid cuts the graph at grad_output: do not detach it.",
        kind="backward-detached",
        pointer=SECTION,
    )
    expect(
        found["ddx"] is not None,
        "The second derivative does not reach x: it looks as if forward saved an intermediate result, "
        "which has no past, or backward detached what was saved.",
        kind="intermediate-saved",
        pointer=SECTION,
    )
    wrong = {
        "a part of the second derivative only (is sigmoid(x) held fixed in places?)": u * g * 9 * s**3 * (1 - s) ** 2,
        "a part of the second derivative only, the one from 1 - s": -u * g * 3 * s**4 * (1 - s),
    }
    assert_matches(found["ddx"], right["ddx"], what="the second derivative", candidates=wrong, pointer=SECTION)
    assert_matches(found["ddg"], right["ddg"], what="the derivative for grad_output", pointer=SECTION)
    numerical = numerical_vjp(lambda x: g * slope(x), (x,), u)
    assert_matches(found["ddx"], numerical, what="the second derivative", rtol=1e-6, atol=1e-8, pointer=SECTION)


@question("q6", points=0.25)
def test_cube_sigmoid_is_written_by_hand(student, torch_rng):
    """CubeSigmoid is a torch.autograd.Function, and its backward is a formula: no autograd runs inside it."""
    x, g = (torch.randn(4, 3, generator=torch_rng, dtype=torch.float64) for _ in range(2))
    is_function, runs = student.probe("hand_written", x, g)
    expect(
        is_function,
        "CubeSigmoid is not a torch.autograd.Function whose own backward runs.",
        kind="not-a-function",
        pointer=SECTION,
    )
    expect(
        runs <= 1,
        "The backward pass of CubeSigmoid runs autograd inside: write the derivative down by hand.",
        kind="not-by-hand",
        pointer=SECTION,
    )
    large = torch.tensor([-800.0, -50.0, -30.0, 30.0, 50.0, 800.0], dtype=torch.float64)
    one, got = torch.ones_like(large), student.probe("cube", large, torch.ones_like(large), torch.ones_like(large))
    expect(
        bool(torch.as_tensor(got["y"]).isfinite().all()) and bool(torch.as_tensor(got["dx"]).isfinite().all()),
        "CubeSigmoid or its derivative is NaN or infinite where the sigmoid is nearly 0 or 1.",
        kind="nan",
        pointer=SECTION,
    )
    assert_matches(got["dx"], one * slope(large), what="the gradient far from 0", pointer=SECTION)


@pytest.mark.parametrize(("shape", "count"), [((3,), 1), ((3, 2), 6), ((3,), 20)])
@question("q6", points=0.25)
def test_accumulate_again_and_again(student, torch_rng, shape, count):
    """Accumulated gradients are right for one point and many, for matrices, a repeated point, and a second call."""
    a = torch.randn(5, 3, generator=torch_rng, dtype=torch.float64)
    xs = [torch.randn(shape, generator=torch_rng, dtype=torch.float64) for _ in range(count)]

    def gradient(x):
        return a.T @ (a @ x) ** 2

    right = sum(gradient(x) for x in xs)
    got = student.probe("accumulation", a, xs, times=2)
    wrong = {
        "the sum of both calls: old gradients are still in .grad": 2 * right,
        "the mean of the gradients, not their sum": right / count if count > 1 else None,
        "the gradient at the last x only": gradient(xs[-1]) if count > 1 else None,
    }
    what = "the accumulated gradient of a second call"
    assert_matches(got["result"], right, what=what, candidates=wrong, pointer=SECTION)
    for before, after in zip(xs, got["xs"], strict=True):
        expect(torch.equal(before, after), "accumulate changes its inputs.", kind="input-changed", pointer=SECTION)
    expect(
        got["alive"] == 0 and got["alive afterwards"] == 0,
        "accumulate keeps graphs alive: each must be gone before the next is built, and the last one at the end.",
        kind="many-graphs",
        pointer=SECTION,
    )
    ones = count * torch.ones(shape, dtype=torch.float64)
    what = "the accumulated gradient of fn(x) = sum(x)"
    assert_matches(student.probe("total_of_entries", xs), ones, what=what, pointer=SECTION)
    if count == 6:
        expected = 2 * gradient(xs[0]) + gradient(xs[1])
        wrong = {"a sum in which the repeated point counts too often": expected + gradient(xs[0])}
        got = student.probe("repeated_input", a, xs[0], xs[1])
        what = "the gradient accumulated over a list with one point twice"
        assert_matches(got, expected, what=what, candidates=wrong, pointer=SECTION)


@pytest.mark.parametrize(("n", "d"), [(4, 6), (7, 1), (3, 9)])
@question("q6", points=0.5)
def test_hessian_of_a_coupled_function(student, reference, torch_rng, n, d):
    """The product is right for a function that is not quadratic, at a point that matters, and for one dimension."""
    a = torch.randn(n, d, generator=torch_rng, dtype=torch.float64)
    x, v = (torch.randn(d, generator=torch_rng, dtype=torch.float64) for _ in range(2))
    right = reference.probe("hessian", "coupled", a, x, v)
    t = torch.tanh(a @ x)
    gradient = a.T @ (1 - t**2) + (x @ x) * x
    h = a.T @ ((-2 * t * (1 - t**2))[:, None] * a) + (x @ x) * torch.eye(d) + 2 * torch.outer(x, x)
    wrong = {
        "the gradient of f, not its Hessian times v": gradient,
        "the gradient of f times v, entry by entry": gradient * v,
        "the sums of the rows of the Hessian: v is not used": h.sum(1),
        "the diagonal of the Hessian times v": h.diagonal() * v,
        "twice the product": 2 * right,
        "the sums of the rows of the Hessian times v": h.sum(1) * v,
        "the product with x in place of v": h @ x,
    }
    if d == 1:
        wrong = {key: value for key, value in wrong.items() if not torch.allclose(value, right)}
    got = student.probe("hessian", "coupled", a, x, v)
    what = "the Hessian-vector product"
    assert_matches(got, right, what=what, candidates=wrong, pointer=SECTION)

    def slope_along(x):
        t = torch.tanh(a @ x)
        return a.T @ (1 - t**2) + (x @ x) * x

    # H is symmetric, so its product with v is also the vector-Jacobian product of the gradient with v.
    numerical = numerical_vjp(slope_along, (x,), v)
    assert_matches(got, numerical, what=what, rtol=1e-6, atol=1e-7, pointer=SECTION)
    x, v = torch.randn(2, d, 3, generator=torch_rng, dtype=torch.float64)  # "any shape": a matrix as the point
    got, right = student.probe("hessian", "coupled", a, x, v), reference.probe("hessian", "coupled", a, x, v)
    assert_matches(got, right, what="the Hessian-vector product at a matrix", pointer=SECTION)
