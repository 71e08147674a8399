"""Fitting with one seed, as students receive the checks."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from deepmarks.calibration import accuracy_band, bands
from deepmarks.checks import assert_matches, expect, fairly, question
from deepmarks.datasets import load_iris

SECTION = "section 4"
MARKS = (0, 1, 2, 5, 10, 20)
PATH_RTOL = 5e-4
"""Float32 rounding moves twenty steps of Adam by 1e-5 of the loss; a weight decay of 0.01 moves it by 3e-3."""
EARLIER = {
    "IrisNet": "probes.LibraryIrisNet",
    "train_epoch": "probes.library_train_epoch",
    "accuracy": "probes.library_accuracy",
}


def weights_of(parameters):
    """W1 (hidden, 4), b1, W2 (3, hidden), b2 by their sizes; fails if that is not what the model holds."""
    expect(parameters is not None, "fit must return the model, an nn.Module.", kind="not-a-module", pointer=SECTION)
    values = list(parameters.values())
    sizes = sorted(value.numel() for value in values)
    hidden = next((h for h in sizes if sorted([4 * h, h, 3 * h, 3]) == sizes), None)
    expect(
        hidden is not None,
        "fit must return an IrisNet with 4 inputs and 3 classes.",
        detail=f"the model holds parameters of the shapes {[tuple(value.shape) for value in values]}",
        kind="layers",
        pointer=SECTION,
    )
    by_size = {value.numel(): value.float() for value in values}
    w1, w2 = by_size[4 * hidden], by_size[3 * hidden]
    return (
        w1 if w1.shape == (hidden, 4) else w1.T,
        by_size[hidden].reshape(-1),
        w2 if w2.shape == (3, hidden) else w2.T,
        by_size[3].reshape(-1),
    )


def chain(x, weights):
    """The network written out."""
    w1, b1, w2, b2 = weights
    return F.linear(torch.relu(F.linear(x, w1, b1)), w2, b2)


def cross_entropy(logits, y):
    """The right loss."""
    return F.cross_entropy(logits, y)


def squares(logits, y):
    """The mean squared error against one-hot vectors."""
    return F.mse_loss(logits, F.one_hot(y, 3).float())


def of_probabilities(logits, y):
    """The cross-entropy of a softmax of a softmax."""
    return F.cross_entropy(logits.softmax(1), y)


def path(start, batches, lr, build=torch.optim.Adam, loss=cross_entropy, clear=True):
    """The weights before the first and after each step over `batches`, from `start`."""
    weights = [value.clone().requires_grad_(True) for value in start]
    steps, found = build(weights, lr=lr), [[value.detach().clone() for value in weights]]
    for X, y in batches:
        if clear:
            steps.zero_grad()
        loss(chain(X, weights), y).backward()
        steps.step()
        found.append([value.detach().clone() for value in weights])
    return found


def losses_of(found, X, y):
    """The cross-entropy on all samples of each set of weights."""
    return np.array([float(F.cross_entropy(chain(X, weights), y)) for weights in found])


def wrong_paths(start, X, y, lr, marks):
    """The losses that typical mistakes lead to, by what the student reads; `marks` are the epochs looked at."""
    batch = [(X, y)] * max(marks)
    halves = [*zip(X.split(len(X) // 2), y.split(len(y) // 2), strict=True)][:2] * max(marks)

    def at(found, each=1):
        return losses_of([found[each * mark] for mark in marks], X, y)

    def run(build=torch.optim.Adam, rate=lr, **options):
        return lambda: at(path(start, batch, rate, build, **options))

    def built(build, **options):
        return lambda weights, lr: build(weights, lr=lr, **options)

    return {
        "no training at all: the model comes back as it started": lambda: at([start] * (max(marks) + 1)),
        "SGD in place of Adam": run(torch.optim.SGD),
        "SGD with momentum in place of Adam": run(built(torch.optim.SGD, momentum=0.9)),
        "RMSprop in place of Adam": run(torch.optim.RMSprop),
        "Adagrad in place of Adam": run(torch.optim.Adagrad),
        "AdamW, with its weight decay, in place of Adam": run(torch.optim.AdamW),
        "Adamax in place of Adam": run(torch.optim.Adamax),
        "NAdam in place of Adam": run(torch.optim.NAdam),
        "Adam with a weight decay": run(built(torch.optim.Adam, weight_decay=0.01)),
        "Adam with the learning rate 0.01, whatever lr says": run(rate=0.01),
        "Adam with its default learning rate, whatever lr says": run(rate=0.001),
        "the squared error in place of the cross-entropy": run(loss=squares),
        "a softmax before the cross-entropy, which wants logits": run(loss=of_probabilities),
        "gradients that are never cleared (is zero_grad() missing?)": run(clear=False),
        "one epoch, whatever epochs says": lambda: at(
            path(start, batch[:1], lr) + [path(start, batch[:1], lr)[1]] * max(marks)
        ),
        "two batches in each epoch, though batch_size holds all samples": lambda: at(path(start, halves, lr), 2),
        "Adam that starts anew in each epoch, and so forgets its averages": lambda: at(
            forgetful(start, X, y, lr, max(marks))
        ),
        "training on Iris itself, in place of X_train": lambda: at(path(start, [iris_itself()] * max(marks), lr)),
        "one epoch too many": lambda: at([start, *path(start, [*batch, batch[0]], lr)[2:]]),
    }


def forgetful(start, X, y, lr, epochs):
    """The weights after each epoch where each has an Adam of its own."""
    found = [start]
    for _ in range(epochs):
        found.append(path(found[-1], [(X, y)], lr)[-1])
    return found


def iris_itself():
    """All of Iris, scaled."""
    iris = load_iris()
    X = (iris.X - iris.X.mean(axis=0)) / iris.X.std(axis=0)
    return torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(iris.y)


def check_path(student, X, y, seed, lr, batch_size, stand_in, marks=MARKS):
    """Fail unless full-batch training follows Adam's path from the initial weights."""
    states = student.probe("states", X, y, seed, list(marks), lr=lr, batch_size=batch_size, stand_in=stand_in)
    expect(states is not None, "fit must return the model, an nn.Module.", kind="not-a-module", pointer=SECTION)
    own = [weights_of(state) for state in states]
    A, a = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y)
    right = path(own[0], [(A, a)] * max(marks), lr)
    assert_matches(
        losses_of(own, A, a),
        losses_of([right[mark] for mark in marks], A, a),
        what="the path of the loss",
        candidates=wrong_paths(own[0], A, a, lr, marks),
        rtol=PATH_RTOL,
        dtype=False,
        pointer=SECTION,
    )


def split(X, y, rng):
    """Eighty per cent of each class and the rest, both scaled by the first."""
    test = np.zeros(len(y), dtype=bool)
    for c in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == c))
        test[rows[: len(rows) // 5]] = True
    mean, std = X[~test].mean(axis=0), X[~test].std(axis=0)
    return (X[~test] - mean) / std, y[~test], (X[test] - mean) / std, y[test]


@question("q4", points=0.5, device="cpu")
def test_fit_obeys_its_seed(student, rng):
    """An IrisNet comes back; the same seed gives the same weights, whatever was drawn before; another seed others."""
    iris = load_iris()
    X, y, _, _ = split(iris.X, iris.y, rng)

    def check(stand_in):
        runs = [
            student.probe("states", X, y, own, [0, 2], batch_size=16, seed=s, stand_in=stand_in)
            for own, s in ((7, 1), (7, 2), (8, 1))
        ]
        expect(None not in runs, "fit must return the model, an nn.Module.", kind="not-a-module", pointer=SECTION)
        (start, first), (same_start, same), (other_start, _) = ([weights_of(s) for s in run] for run in runs)
        expect(
            alike(start, same_start),
            "The same seed gives different initial weights: seed torch before you build the model.",
            kind="seed-ignored",
            pointer=SECTION,
        )
        expect(
            not alike(start, other_start),
            "Different seeds give the same initial weights.",
            kind="seed-constant",
            pointer=SECTION,
        )
        expect(
            alike(first, same),
            "The same seed gives different models: the order of the samples must come from `seed` too.",
            kind="order-not-seeded",
            pointer=SECTION,
        )
        expect(
            not alike(start, first),
            "The model comes back untrained.",
            kind="untrained",
            pointer=SECTION,
        )

    fairly(check, EARLIER)


def alike(one, two):
    """Whether two sets of weights are the same but for rounding."""
    return all(torch.allclose(a, b, atol=1e-5) for a, b in zip(one, two, strict=True))


@question("q4", points=0.75, device="cpu")
def test_full_batches_follow_adam(student, rng):
    """With all samples in one batch, the loss after 1, 2, 5, 10 and 20 epochs is that of Adam from the same start."""
    iris = load_iris()
    X, y, _, _ = split(iris.X, iris.y, rng)
    fairly(lambda stand_in: check_path(student, X, y, 3, 0.04, len(X), stand_in), EARLIER)


@question("q4", points=0.5, device="cpu")
def test_unseen_flowers_are_recognised(student, rng):
    """After the default 100 epochs, flowers of the test part are recognised (three splits, 90 flowers)."""
    iris = load_iris()

    def check(stand_in):
        hits, known = [], []
        for seed in (1, 2, 3):
            X, y, unseen, truth = split(iris.X, iris.y, rng)
            model = student.probe("fitted", X, y, seed, stand_in=stand_in)
            expect(model is not None, "fit must return the model, an nn.Module.", kind="not-a-module", pointer=SECTION)
            for data, labels, into in ((unseen, truth, hits), (X, y, known)):
                logits = student.probe("predict", model, data, stand_in=stand_in)
                expect(
                    isinstance(logits, torch.Tensor) and logits.shape == (len(data), 3) and logits.isfinite().all(),
                    "The model that fit returns must give three finite logits per flower.",
                    kind="logits",
                    pointer=SECTION,
                )
                into.extend((logits.argmax(1).numpy() == labels).tolist())
        seen = f"{np.mean(hits):.3f} of the unseen flowers, {np.mean(known):.3f} of the known ones"
        expect(
            np.mean(known) > 0.6,
            "The model does not even know the flowers that it was trained on: do samples and labels stay together, and "
            "are the gradients applied?",
            detail=seen,
            kind="untrained",
            pointer=SECTION,
        )
        expect(
            accuracy_band(sum(hits), len(hits), bands(__file__, "iris_accuracy")).reaches("full"),
            "The model recognises too few of the flowers that it has not seen.",
            detail=seen,
            kind="accuracy",
            pointer=SECTION,
        )

    fairly(check, EARLIER)
