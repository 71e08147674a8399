"""Early stopping and fitting, as students receive the checks."""

from __future__ import annotations

import math

import numpy as np
import torch

from deepmarks.checks import assert_matches, expect, fairly, question

SECTION = "section 5"

EARLIER = {"train_one_epoch": "probes.library_train_one_epoch", "evaluate": "probes.library_evaluate"}


def stops(losses, patience, min_delta, mistake=""):
    """At which step (from 1) early stopping says stop (0: never), and best after each step; or what a mistake does."""
    best, last, waited, told = 10.0 if mistake == "small start" else math.inf, math.inf, 0, []
    for number, loss in enumerate(losses, 1):
        delta = {"no delta": 0.0, "sign": -min_delta}.get(mistake, min_delta)
        limit = (last if mistake == "last" else best) - delta
        if mistake == "relative" and best < math.inf:
            limit = best * (1 - min_delta)
        better = loss <= limit if mistake == "at least" else loss < limit
        if better:
            best = loss
            waited = waited if mistake == "no reset" else 0
        else:
            waited += 1
            best = min(best, loss) if mistake == "creeping best" else best
        last = loss
        told.append(best)
        enough = {"one late": patience + 1, "one early": patience - 1}.get(mistake, patience)
        if waited >= enough and not (mistake == "one early" and better):
            return number, told
    return 0, told


STOPPING = {
    "a patience that is one too long: the patience-th step without an improvement says stop": "one late",
    "a patience that is one too short: the patience-th step without an improvement says stop": "one early",
    "a counter that an improvement does not set back to 0": "no reset",
    "a comparison with the last loss instead of the best": "last",
    "a best that follows every small gain: it moves only with an improvement by more than min_delta": "creeping best",
    "a min_delta with the wrong sign: a loss must be smaller than best by more than it": "sign",
    "a min_delta that is ignored": "no delta",
    "an improvement by exactly min_delta that counts: it must be more": "at least",
    "a best that starts at some number: before the first loss it is infinity": "small start",
    "a min_delta in relation to best: it is an absolute difference": "relative",
}


def check_stopping(student, cases, patience, min_delta, options):
    """Fail unless step says stop where it should in each sequence, and best is what it should be."""
    found = [student.probe("stopping", list(losses), **options) for losses in cases]
    expect(
        all(isinstance(answer, bool | int) for told in found for answer, _ in told),
        "step must return True or False.",
        kind="type",
        pointer=SECTION,
    )
    ends = [len(told) if told[-1][0] else 0 for told in found]
    right = [stops(losses, patience, min_delta) for losses in cases]
    wrong = {text: [stops(case, patience, min_delta, name)[0] for case in cases] for text, name in STOPPING.items()}
    wrong["a step that never says stop"] = [0] * len(cases)
    wrong["a stop at the first step without an improvement: be patient"] = [
        next((i for i, loss in enumerate(c, 1) if i > 1 and loss >= min(c[: i - 1]) - min_delta), 0) for c in cases
    ]
    which = "EarlyStopping" if options else "EarlyStopping with its defaults"
    assert_matches(
        np.array(ends), np.array([end for end, _ in right]), what=f"the step at which {which} says stop (or 0)",
        candidates={text: np.array(value) for text, value in wrong.items()}, dtype=False, pointer=SECTION,
    )  # fmt: skip
    best = np.array([float(value) for told in found for _, value in told])
    wanted = np.array([value for _, told in right for value in told])
    wrong = {
        text: np.array([value for losses in cases for value in stops(losses, patience, min_delta, name)[1]])
        for text, name in STOPPING.items()
    }
    wrong = {text: value for text, value in wrong.items() if value.shape == wanted.shape}
    assert_matches(best, wanted, what="the attribute best", candidates=wrong, rtol=1e-6, dtype=False, pointer=SECTION)


def check_history(found):
    """The three lists of a history; fails unless they are there."""
    history = found["history"]
    expect(history is not None, "fit must return the history, a dict of lists.", kind="structure", pointer=SECTION)
    expect(
        {"train_loss", "val_loss", "val_accuracy"} <= history.keys(),
        "The history must have the entries train_loss, val_loss and val_accuracy.",
        detail=f"it has {sorted(history)}",
        kind="keys",
        pointer=SECTION,
    )
    lists = [history[key] for key in ("train_loss", "val_loss", "val_accuracy")]
    expect(
        all(isinstance(value, int | float) for part in lists for value in part),
        "The lists of the history must hold plain numbers.",
        kind="type",
        pointer=SECTION,
    )
    expect(
        len({len(part) for part in lists}) == 1,
        "The lists of the history differ in length: one entry for each epoch in each of them.",
        detail=f"lengths {[len(part) for part in lists]}",
        kind="lengths",
        pointer=SECTION,
    )
    return lists


def script(rng, base, count=10):
    """Leads of the wrong class (epochs, count) around `base`; the losses and accuracies that they give."""
    lead = np.array(base)[:, None] + rng.normal(0, 0.8, count)
    lead[:, -1] += 1.5  # so that a small last batch is worse than the others
    return lead


def losses_of(lead):
    """Validation loss and accuracy of each epoch; every label is 0."""
    return np.logaddexp(0, lead).mean(1), (lead < 0).mean(1)


def check_script(student, lead, epochs, batch_size, seed, device, stand_in):
    """Fail unless fit measures, stops and restores as the scripted validation losses ask for."""
    data = torch.from_numpy(lead).float()
    found = student.probe("scripted_fit", data, epochs, 0.01, seed, batch_size, device, stand_in=stand_in)
    train, val, accuracy = check_history(found)
    expect(
        found["trained"] > 0,
        "fit does not train the model on the images of train_loader.",
        kind="no-training",
        pointer=SECTION,
    )
    expect(
        "validation in training mode" not in found["notes"],
        "fit runs the validation images in training mode: measure in eval mode, and train on train_loader only.",
        kind="validation-mode",
        pointer=SECTION,
    )
    loss, share = losses_of(lead)
    end = stops(loss[:epochs], 10, 1e-4)[0]
    wanted = end or epochs
    trained = found["trained"]
    expect(
        trained >= wanted or "training in eval mode" not in found["notes"],
        "fit trains in eval mode after the first validation: call model.train() at the beginning of each epoch.",
        kind="eval-mode",
        pointer=SECTION,
    )
    expect(
        trained >= wanted or trained == 1,
        "fit stops too soon: only ten epochs in a row without a better validation loss end the training.",
        detail=f"{trained} epochs were trained, {wanted} expected",
        kind="too-soon",
        pointer=SECTION,
    )
    expect(
        trained >= wanted,
        "fit trains for one epoch only.",
        kind="one-epoch",
        pointer=SECTION,
    )
    expect(
        trained <= epochs, "fit trains for more epochs than it was asked to.", kind="too-many", pointer=SECTION
    )  # fmt: skip
    expect(
        trained <= wanted or trained < epochs,
        "fit does not stop early: ask EarlyStopping with its defaults after each epoch, with the validation loss.",
        detail=f"{trained} epochs were trained, {wanted} expected",
        kind="no-early-stop",
        pointer=SECTION,
    )
    expect(
        trained == wanted,
        "fit stops too late: the tenth epoch in a row without a better validation loss is the last.",
        detail=f"{trained} epochs were trained, {wanted} expected",
        kind="too-late",
        pointer=SECTION,
    )
    expect(
        len(val) == wanted,
        "The history must have one entry for each epoch that was trained.",
        detail=f"{len(val)} entries, {wanted} epochs",
        kind="lengths",
        pointer=SECTION,
    )
    loss, share = loss[:wanted], share[:wanted]
    each = np.logaddexp(0, lead[:wanted])
    parts = [each[:, i : i + batch_size] for i in range(0, each.shape[1], batch_size)]
    wrong = {
        "the mean over the batches: a smaller last batch then counts too much": np.mean([p.mean(1) for p in parts], 0),
        "the loss of the last batch only": parts[-1].mean(1),
        "the loss of the first batch only": parts[0].mean(1),
        "the sum over the images: divide by their number": each.sum(1),
        "the sum over the batches": np.sum([p.mean(1) for p in parts], 0),
        "the batches' means divided by the number of images": np.sum([p.mean(1) for p in parts], 0) / each.shape[1],
        "the training loss": np.array(found["shown"]),
        "1 minus the accuracy": 1 - share,
    }
    assert_matches(np.array(val), loss, what="val_loss", candidates=wrong, rtol=1e-4, dtype=False, pointer=SECTION)
    wrong = {"percentages: fractions are asked for": 100 * share, "numbers of right answers": share * each.shape[1]}
    hits = lead[:wanted] < 0
    wrong["the mean over the batches"] = np.mean(
        [hits[:, i : i + batch_size].mean(1) for i in range(0, hits.shape[1], batch_size)], 0
    )
    what = "val_accuracy"
    assert_matches(np.array(accuracy), share, what=what, candidates=wrong, rtol=1e-4, dtype=False, pointer=SECTION)
    shown, after = np.array(found["shown"]), np.array(found["after"])
    # Measured while training or after the epoch: the contract leaves it open.
    if not (len(after) == len(train) and np.allclose(train, after, rtol=1e-4)):
        wrong = {
            "the mean over the batches: a smaller last batch then counts too much": np.array(found["batches"]),
            "the sum over the images: divide by their number": 21 * shown,
            "the validation loss": loss,
        }
        what = "train_loss"
        assert_matches(np.array(train), shown, what=what, candidates=wrong, rtol=1e-4, dtype=False, pointer=SECTION)
    best = int(loss.argmin())
    if found["epoch"] == best:
        return
    expect(
        best not in found["weights of"],
        "fit restores the parameters of the best epoch, but not the buffers, such as BatchNorm's statistics: take "
        "the whole state_dict.",
        kind="buffers",
        pointer=SECTION,
    )
    expect(
        found["epoch"] != wanted - 1,
        "At the end the model has the weights of the last epoch, not those of the lowest validation loss: load what "
        "you have kept, and keep a deep copy, because state_dict() gives references.",
        kind="last-weights",
        pointer=SECTION,
    )
    expect(
        found["epoch"] != int(share.argmax()),
        "At the end the model has the weights of the highest validation accuracy, not those of the lowest loss.",
        kind="by-accuracy",
        pointer=SECTION,
    )
    expect(
        False,
        "At the end the model does not have the weights of the lowest validation loss.",
        detail=f"epoch {found['epoch'] + 1} instead of {best + 1}",
        kind="other-weights",
        pointer=SECTION,
    )


def blobs(rng, n):
    """Three classes of points (n, 6), well apart, and their labels."""
    centres = 2.2 * np.eye(3, 6)
    y = rng.integers(3, size=n)
    X = centres[y] + 0.7 * rng.standard_normal((n, 6))
    return torch.from_numpy(X).float(), torch.from_numpy(y)


CASES = (
    [1.0] * 8,
    [2.0, 1.9, 1.95, 1.0, 1.1, 1.0, 0.9, 1.2],
    [4.0 - 0.15 * i for i in range(12)],
    [1.0, 3.0, 2.0, 3.0, 2.0, 3.0, 2.0],
    [1.0, 0.75, 0.75, 0.75, 0.75, 0.75],
    [9.0, 8.0, 7.0, 7.5, 7.2, 6.5, 6.4, 6.4, 6.4, 6.4],
)
"""Nothing moves; a dent; steps smaller than min_delta that add up; jumps; exactly min_delta; a late improvement."""


@question("q5", points=0.75)
def test_stopping_on_six_sequences(student):
    """With patience 3 and min_delta 0.25, six sequences of losses stop where they should, and best is right."""
    check_stopping(student, CASES, 3, 0.25, {"patience": 3, "min_delta": 0.25})


@question("q5", points=0.75)
def test_fit_learns_and_keeps_a_history(student, rng, device):
    """On three groups of points the training loss falls, most points are right, the history has an entry an epoch."""
    (X, y), (V, v) = blobs(rng, 120), blobs(rng, 70)

    def check(stand_in):
        found = student.probe("fitted", X, y, V, v, 20, 0.05, 3, 5, device, stand_in=stand_in)
        train, _, accuracy = check_history(found)
        expect(
            1 <= len(train) <= 20,
            "The history must have one entry for each epoch, and there are at most `epochs` of them.",
            detail=f"{len(train)} entries for 20 epochs",
            kind="lengths",
            pointer=SECTION,
        )
        expect(
            min(train) < 0.9 * train[0],
            "The training loss hardly falls: does fit train the model, with the learning rate that it is given?",
            detail=f"from {train[0]:.3f} to {train[-1]:.3f}",
            kind="no-training",
            pointer=SECTION,
        )
        share = float((found["logits"].argmax(1) == v).double().mean())
        expect(
            share > 0.8,
            "After fit the model gets too many of the validation points wrong.",
            detail=f"accuracy {share:.3f}",
            kind="accuracy",
            pointer=SECTION,
        )
        expect(
            all(0 <= value <= 1 for value in accuracy),
            "val_accuracy must hold fractions between 0 and 1.",
            kind="fraction",
            pointer=SECTION,
        )

    fairly(check, EARLIER)


@question("q5", points=0.5)
def test_fit_keeps_the_best_of_six_epochs(student, rng, device):
    """With known validation losses, lowest in the third of six epochs, the weights of that epoch remain."""
    lead = script(rng, [1.2, 0.6, -0.4, 0.5, 0.3, 0.9])
    fairly(lambda stand_in: check_script(student, lead, 6, 4, 7, device, stand_in), EARLIER)
