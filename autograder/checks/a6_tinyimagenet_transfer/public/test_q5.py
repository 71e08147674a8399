"""Features and a linear probe, as students receive the checks."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 5"
PROBABILITIES = 0.01
"""An honest optimiser in float32 that stops at a gradient of 1e-4 leaves less than half of it."""


def check_features(student, rng, device, maps, training, sizes):
    """Fail unless the features are those of the backbone in eval mode, beside the labels of their own samples."""
    count, inputs, batch = sizes
    width = int(np.prod(maps)) if maps else 6
    weight = torch.from_numpy(rng.standard_normal((inputs, width))).float()
    x = torch.from_numpy(rng.standard_normal((count, inputs)) + 0.5).float()
    y = torch.from_numpy(rng.permutation(count) * 3)
    found = student.probe("extracted", weight, list(maps), x, y, batch, training, device, int(rng.integers(1000)))
    expect(
        found["pair"],
        "extract_features must return two tensors: features and labels.",
        kind="structure",
        pointer=SECTION,
    )
    expect(
        found["passes"] == 1,
        "extract_features must walk through the loader exactly once: it may shuffle, and each pass has another order.",
        detail=f"{found['passes']} passes",
        kind="passes",
        pointer=SECTION,
    )
    expect(
        not found["train mode"],
        "The backbone runs in train mode: is backbone.eval() missing?",
        kind="train-mode",
        pointer=SECTION,
    )
    expect(
        not found["recorded"] and not found["attached"],
        "A graph is recorded while the features are computed: use torch.no_grad().",
        kind="graph",
        pointer=SECTION,
    )
    order, features, labels = found["order"], found["features"], found["labels"]
    expect(
        found["samples"] == count,
        "The backbone has not seen every sample once.",
        detail=f"{found['samples']} of {count}",
        kind="samples",
        pointer=SECTION,
    )
    expect(
        labels.ndim == 1 and len(labels) == len(features) == count,
        "features and labels must have one row, and one number, for each sample of the loader.",
        detail=f"received the shapes {tuple(features.shape)} and {tuple(labels.shape)} for {count} samples",
        kind="length",
        pointer=SECTION,
    )
    expect(
        not labels.is_floating_point(),
        "labels must be whole numbers (int64), as the loader gives them.",
        kind="labels-float",
        pointer=SECTION,
    )
    right = (x[order] @ weight) / (1 + 1e-5) ** 0.5
    cube = right.view(count, *maps) if maps else right[:, :, None]
    assert_matches(
        features,
        right,
        what="features",
        candidates={
            "the mean of each map, in place of all its pixels": cube.flatten(2).mean(2) if maps else None,
            "the maximum of each map, in place of all its pixels": cube.flatten(2).amax(2) if maps else None,
            "maps that are not flattened to (N, D)": cube if maps else None,
            "the features in another order than that of the loader": x @ weight / (1 + 1e-5) ** 0.5,
            "normalised features: leave them as they come": F.normalize(right, dim=1),
        },
        pointer=SECTION,
    )
    assert_matches(
        labels.to(torch.int64),
        y[order],
        what="labels",
        candidates={"labels in another order than that of the features": y},
        pointer=SECTION,
    )


def cluster(rng, per_class, width, spread, shift):
    """Features like those of a network: classes of different size, nowhere near the origin; float32, and labels."""
    centres = rng.standard_normal((len(per_class), width))
    y = rng.permutation(np.repeat(np.arange(len(per_class)), per_class))
    x = shift + centres[y] + spread * rng.standard_normal((len(y), width))
    return torch.from_numpy(x).float(), torch.from_numpy(y)


def optimum(x, y, classes, penalty):
    """Weight and bias at the minimum of mean cross-entropy + penalty(W, b), in float64."""
    x = x.double()
    W = torch.zeros(classes, x.shape[1], dtype=torch.float64, requires_grad=True)
    b = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    steps = torch.optim.LBFGS(
        [W, b], max_iter=3000, tolerance_grad=1e-8, tolerance_change=0, line_search_fn="strong_wolfe", history_size=20
    )

    def closure():
        steps.zero_grad()
        value = F.cross_entropy(x @ W.T + b, y) + penalty(W, b)
        value.backward()
        return value

    steps.step(closure)
    return W.detach(), b.detach()


def objective(x, y, W, b, l2):
    """What the probe minimises."""
    return float(F.cross_entropy(x.double() @ W.double().T + b.double(), y) + l2 * W.double().square().sum())


def check_probe(student, x, y, classes, l2, seeds, fresh):
    """Fail unless linear_probe finds the minimum, with the same result for the same seed."""
    found = student.probe("probed", x, y, classes, seeds, l2)
    expect(found is not None, "linear_probe must return an nn.Linear.", kind="not-a-linear", pointer=SECTION)
    (W, b), (W_again, _), *_ = found
    expect(
        tuple(W.shape) == (classes, x.shape[1]) and b is not None,
        "linear_probe must return an nn.Linear(D, num_classes) with a bias.",
        detail=f"received a weight of the shape {tuple(W.shape)}",
        kind="shape",
        pointer=SECTION,
    )
    expect(bool(W.isfinite().all() and b.isfinite().all()), "The probe diverges: NaN.", kind="nan", pointer=SECTION)
    expect(
        torch.allclose(W, W_again, rtol=1e-4, atol=1e-6),
        "The same seed gives different probes: seed whatever is random.",
        kind="seed",
        pointer=SECTION,
    )
    looked_at = torch.cat([x, fresh]).double()

    def said(penalty):
        def probabilities():
            w, bias = optimum(x, y, classes, penalty)
            return (looked_at @ w.T + bias).softmax(1)

        return probabilities

    n = len(y)
    candidates = {
        "the optimum with the bias penalised too": said(lambda W, b: l2 * (W.square().sum() + b.square().sum())),
        "the optimum with half the penalty (weight decay in an optimiser is half of it)": said(
            lambda W, b: l2 / 2 * W.square().sum()
        ),
        "the optimum with half the penalty, on the bias too (weight decay in an optimiser)": said(
            lambda W, b: l2 / 2 * (W.square().sum() + b.square().sum())
        ),
        "the optimum with the mean of the squares in place of their sum": said(lambda W, b: l2 * W.square().mean()),
        "the optimum with the norm in place of its square": said(lambda W, b: l2 * (W.square().sum() + 1e-20).sqrt()),
        "the optimum with absolute values in place of squares": said(lambda W, b: l2 * W.abs().sum()),
        "the optimum for the sum of the losses in place of their mean": said(lambda W, b: l2 / n * W.square().sum()),
        "the optimum without the penalty": said(lambda W, b: 1e-6 * W.square().sum()),
        "the optimum with twice the penalty": said(lambda W, b: 2 * l2 * W.square().sum()),
    }
    best_W, best_b = optimum(x, y, classes, lambda W, b: l2 * W.square().sum())
    right = (looked_at @ best_W.T + best_b).softmax(1)
    for W, b in found:
        got = (looked_at @ W.double().T + b.double()).softmax(1)
        if torch.allclose(got, right, rtol=0.0, atol=PROBABILITIES):
            continue
        # Several wrong objectives may be near; the nearest is named.
        near = {text: float((got - value()).abs().max()) for text, value in candidates.items()}
        nearest = min(near, key=near.__getitem__)
        if near[nearest] <= PROBABILITIES:
            assert_matches(
                got,
                right,
                what="the probe",
                candidates={nearest: candidates[nearest]},
                rtol=0.0,
                atol=PROBABILITIES,
                pointer=SECTION,
            )
        expect(
            objective(x, y, W, b, l2) < 1.5 * objective(x, y, best_W, best_b, l2),
            "The probe is far from the minimum of the objective: is it that of the question, and are the steps "
            "enough (L-BFGS)?",
            kind="far",
            pointer=SECTION,
        )
        expect(
            False,
            "The probe is not at the minimum of the objective: it has not converged, or minimises something else.",
            kind="not-converged",
            pointer=SECTION,
        )


@question("q5", points=0.5)
def test_features_belong_to_their_labels(student, rng, device):
    """Features (N, D) and labels come from one pass through a loader that shuffles; the backbone is in eval mode."""
    check_features(student, rng, device, (), True, (23, 4, 5))


@question("q5", points=0.75)
def test_the_probe_finds_the_minimum(student, rng):
    """The probabilities of the probe are those at the minimum of the objective (90 samples, 7 features, 4 classes)."""
    x, y = cluster(rng, (44, 25, 14, 7), 7, 1.2, 1.5)
    check_probe(student, x, y, 4, 0.02, [1, 1, 2], x[:20] + 0.3)
