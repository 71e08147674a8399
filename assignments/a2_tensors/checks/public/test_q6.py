"""Backward by hand, and twice: as students receive the checks."""

from __future__ import annotations

import torch

from deepmarks.checks import assert_matches, expect, numerical_vjp, question

SECTION = "section 6"


@question("q6", points=0.5)
def test_cube_sigmoid_and_its_derivative(student, torch_rng):
    """CubeSigmoid.apply(x) is sigmoid(x)**3; its backward agrees with the formula and with central differences."""
    x = 2 * torch.randn(3, 5, generator=torch_rng, dtype=torch.float64)
    g = torch.randn(3, 5, generator=torch_rng, dtype=torch.float64)
    found = student.probe("cube", x, g, torch.ones_like(x))
    s = torch.sigmoid(x)
    wrong = {
        "the sigmoid, not its cube": s,
        "the square of the sigmoid": s**2,
        "the sigmoid of x cubed": torch.sigmoid(x**3),
    }
    assert_matches(found["y"], s**3, what="CubeSigmoid.apply(x)", candidates=wrong, pointer=SECTION)
    slope = 3 * s**3 * (1 - s)
    wrong = {
        "the derivative alone, not multiplied by grad_output": slope,
        "the gradient without the factor 3": g * slope / 3,
        "the gradient without the derivative of the sigmoid": g * 3 * s**2,
        "the gradient with s**2 where s**3 is due: s' = s (1 - s) has an s, too": g * 3 * s**2 * (1 - s),
        "the gradient without the factor 1 - s": g * 3 * s**3,
        "the gradient of the sigmoid, not of its cube": g * s * (1 - s),
        "grad_output plus the derivative, not times": g + slope,
        "minus the gradient": -g * slope,
    }
    assert_matches(found["dx"], g * slope, what="the gradient", candidates=wrong, pointer=SECTION)
    numerical = numerical_vjp(lambda x: torch.sigmoid(x) ** 3, (x,), g)
    assert_matches(found["dx"], numerical, what="the gradient", rtol=1e-6, atol=1e-8, pointer=SECTION)


@question("q6", points=0.25)
def test_accumulate_three_gradients(student, torch_rng):
    """The function accumulate adds up the gradients of fn(x) = sum((A x)**3) / 3 at three points."""
    a = torch.randn(4, 3, generator=torch_rng, dtype=torch.float64)
    xs = [torch.randn(3, generator=torch_rng, dtype=torch.float64) for _ in range(3)]
    each = [a.T @ (a @ x) ** 2 for x in xs]
    wrong = {
        "the mean of the gradients, not their sum": sum(each) / 3,
        "the gradient at the last x only": each[-1],
        "the gradient at the first x only": each[0],
        "the gradient at the sum of all x": a.T @ (a @ sum(xs)) ** 2,
        "the gradient at the mean of all x": a.T @ (a @ (sum(xs) / 3)) ** 2,
        "the sum of the values of fn, not of its gradients": sum(((a @ x) ** 3).sum() / 3 for x in xs),
        "the list of the gradients, not added up": torch.stack(each),
        "a sum that counts earlier gradients again and again": 3 * each[0] + 2 * each[1] + each[2],
    }
    got = student.probe("accumulation", a, xs)
    assert_matches(got["result"], sum(each), what="the accumulated gradient", candidates=wrong, pointer=SECTION)


@question("q6", points=0.25)
def test_one_graph_at_a_time(student, torch_rng):
    """While accumulate works through eight points, no graph of an earlier point is still alive."""
    a = torch.randn(4, 3, generator=torch_rng, dtype=torch.float64)
    xs = [torch.randn(3, generator=torch_rng, dtype=torch.float64) for _ in range(8)]
    got = student.probe("accumulation", a, xs)
    expect(
        got["alive"] <= 1,
        "accumulate keeps the graphs of earlier points alive: differentiate inside the loop, before the next call.",
        detail=f"up to {got['alive']} older graphs were alive when fn was called",
        kind="many-graphs",
        pointer=SECTION,
    )
    expect(
        got["alive"] == 0,
        "accumulate keeps the graph of the point before alive while the next one is built: "
        "who holds it (retain_graph, create_graph)?",
        kind="retained-graph",
        pointer=SECTION,
    )


@question("q6", points=0.5)
def test_hessian_of_a_quadratic(student, torch_rng):
    """For f(x) = x.(A x) / 2 the product is (A + A^T) v / 2, whatever x is; A is (5, 5) and not symmetric."""
    a = torch.randn(5, 5, generator=torch_rng, dtype=torch.float64)
    x, v = (torch.randn(5, generator=torch_rng, dtype=torch.float64) for _ in range(2))
    h = (a + a.T) / 2
    wrong = {
        "the gradient of f, not its Hessian times v": h @ x,
        "the gradient of f times v, entry by entry": (h @ x) * v,
        "the number gradient times v, not differentiated again": (h @ x) @ v,
        "the sums of the rows of the Hessian: v is not used": h.sum(1),
        "the diagonal of the Hessian times v": h.diagonal() * v,
        "v.(H v), a number: one product too many": v @ h @ v,
        "twice the product": 2 * h @ v,
        "the product with x in place of v": h @ x,
        "the Hessian itself": h,
        "the sums of the rows of the Hessian times v": h.sum(1) * v,
    }
    got = student.probe("hessian", "quadratic", a, x, v)
    assert_matches(got, h @ v, what="the Hessian-vector product", candidates=wrong, pointer=SECTION)
