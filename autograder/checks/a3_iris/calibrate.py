"""How well flowers are recognised, as both accuracy checks of q4 measure it.

Accuracy cannot tell Adam from SGD, nor shuffled batches from a fixed order: other checks of q4 look at the path of the
loss and at the order of the samples. So the known-bad variants here are those that accuracy can tell.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import torch

from deepmarks.datasets import load_iris
from deepmarks_grader.calibration import Metric

HERE = Path(__file__).parent
split = runpy.run_path(str(HERE / "public" / "test_q4.py"))["split"]
iris_like = runpy.run_path(str(HERE / "hidden" / "test_q4.py"))["iris_like"]

METRICS = {
    "iris_accuracy": Metric("higher", test_size=90, fresh=True, floor=1 / 3),
    "field_accuracy": Metric("higher", test_size=900, fresh=True, floor=1 / 3),
}
BANDS = {"full": 1.0}
SOURCES = {"offline": load_iris().source}
VARIANTS = {
    "q4_labels_torn_off": """
_fit = fit


def fit(X_train, y_train, seed, epochs=100, lr=0.01, batch_size=16):
    order = np.random.default_rng(seed).permutation(len(y_train))
    return _fit(X_train, y_train[order], seed, epochs, lr, batch_size)
""",
    "q4_hardly_moved": """
_fit = fit


def fit(X_train, y_train, seed, epochs=100, lr=0.01, batch_size=16):
    return _fit(X_train, y_train, seed, epochs, 1e-6, batch_size)
""",
}


def run(solution, seed: int, device: str) -> dict[str, float]:
    """The share of right answers: 90 flowers of Iris in three splits, and 900 flowers drawn like Iris."""
    rng = np.random.default_rng(seed)
    iris = load_iris()
    hits = []
    for part in range(3):
        X, y, unseen, truth = split(iris.X, iris.y, rng)
        hits += list(answers(solution.fit(X, y, 3 * seed + part), unseen) == truth)
    X, y = iris_like(rng, 40)
    unseen, truth = iris_like(rng, 300)
    mean, std = X.mean(axis=0), X.std(axis=0)
    model = solution.fit((X - mean) / std, y, seed)
    share = float((answers(model, (unseen - mean) / std) == truth).mean())
    return {"iris_accuracy": float(np.mean(hits)), "field_accuracy": share}


def answers(model, X) -> np.ndarray:
    """The class that the model gives to each row."""
    model.eval()
    with torch.no_grad():
        return model(torch.as_tensor(X, dtype=torch.float32)).argmax(1).numpy()
