"""Every hypothesis of the doctor is named when it is true, and not when it is nearly true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from deepmarks.compare import diagnose
from deepmarks.compare.hypotheses import OTHER_SHAPE, SAME_SHAPE, SINGLE_NUMBER

Made = tuple[np.ndarray, np.ndarray, dict[str, Any]]
Mistake = Callable[[np.random.Generator], Made]


def of(function: Callable[[np.ndarray], np.ndarray], shape=(5, 3), positive=False, **options: Any) -> Mistake:
    """A student whose result is this function of the right one."""

    def make(rng: np.random.Generator) -> Made:
        right = rng.standard_normal(shape)
        right = np.exp(right) if positive else right
        return function(right.copy()), right, options

    return make


def put(index: Any, value: Any = None, shape=(5, 4), **options: Any) -> Mistake:
    """A student whose result is wrong in some places: other noise, or this value."""

    def make(rng: np.random.Generator) -> Made:
        right = rng.standard_normal(shape)
        wrong = right.copy()
        wrong[index] = rng.standard_normal(right[index].shape) if value is None else value
        return wrong, right, options

    return make


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def centred(x: np.ndarray, axis: int) -> np.ndarray:
    return (x - x.mean(axis, keepdims=True)) / x.std(axis, keepdims=True)


def pair(
    wrong: Callable[[np.ndarray], np.ndarray],
    right: Callable[[np.ndarray], np.ndarray],
    shape=(5, 3),
    **options: Any,
):
    """Two results of one input."""

    def make(rng: np.random.Generator) -> Made:
        x = rng.standard_normal(shape)
        return wrong(x), right(x), options

    return make


def rows_of_nan(rng: np.random.Generator) -> Made:
    right = rng.standard_normal((5, 4))
    wrong = right.copy()
    wrong[2] = np.nan
    return wrong, right, {}


def with_zeros(rng: np.random.Generator) -> Made:
    right = rng.standard_normal((6, 4))
    right[:, ::2] *= rng.random((6, 2)) > 0.5
    right[0, 0] = right[1, 2] = right[3, 0] = 0
    return np.where(right == 0, rng.standard_normal(right.shape), right), right, {}


def zeroed(rng: np.random.Generator) -> Made:
    right = rng.standard_normal((6, 4))
    wrong = right.copy()
    wrong[[0, 2, 3, 5], [1, 3, 0, 2]] = 0
    return wrong, right, {}


def infinite(rng: np.random.Generator, wrong_value: float, right_value: float) -> Made:
    right = rng.standard_normal((5, 4))
    wrong = right.copy()
    for k in ((0, 1), (3, 2), (4, 0)):
        wrong[k], right[k] = wrong_value, right_value
    return wrong, right, {}


def permuted_entries(rng: np.random.Generator) -> Made:
    right = rng.standard_normal((4, 3))
    return rng.permutation(right.ravel()).reshape(4, 3), right, {}


PADDING = np.array([[0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0]], dtype=bool)
SQUARE = (4, 4)

MISTAKES: dict[str, list[Mistake]] = {
    "all-zeros": [of(np.zeros_like)],
    "negated": [of(np.negative), of(np.negative, shape=()), of(np.negative, shape=(1, 2))],
    "sum-for-mean": [of(lambda y: 7 * y, batch=7), of(lambda y: 7 * y, shape=(), batch=7)],
    "mean-for-sum": [of(lambda y: y / 7, batch=7), of(lambda y: y / 7, shape=(), batch=7)],
    "doubled": [of(lambda y: 2 * y), of(lambda y: 2 * y, shape=())],
    "halved": [of(lambda y: y / 2), of(lambda y: y / 2, shape=())],
    "negated-doubled": [of(lambda y: -2 * y)],
    "negated-halved": [of(lambda y: -y / 2)],
    "times-axis-length": [of(lambda y: 5 * y), of(lambda y: 15 * y)],
    "divided-by-axis-length": [of(lambda y: y / 5), of(lambda y: y / 15)],
    "times-root-length": [of(lambda y: np.sqrt(5) * y), of(lambda y: np.sqrt(7) * y, batch=7)],
    "divided-by-root-length": [of(lambda y: y / np.sqrt(5))],
    "bessel": [of(lambda y: y * 5 / 4), of(lambda y: y * np.sqrt(4 / 5))],
    "times-constant": [of(lambda y: 255 * y), of(lambda y: np.pi * y)],
    "divided-by-constant": [of(lambda y: y / 255), of(lambda y: y / np.log(2))],
    "times-whole": [of(lambda y: 17 * y)],
    "divided-by-whole": [of(lambda y: y / 17)],
    "times-root": [of(lambda y: np.sqrt(17) * y)],
    "divided-by-root": [of(lambda y: y / np.sqrt(17))],
    "off-by-one": [of(lambda y: y + 1), of(lambda y: y - 1)],
    "transposed": [of(np.transpose, shape=SQUARE), of(np.transpose)],
    "axes-swapped": [of(lambda y: y.swapaxes(0, 1), shape=(3, 3, 2)), of(lambda y: y.swapaxes(1, 2), shape=(2, 3, 4))],
    "axes-permuted": [
        of(lambda y: y.transpose(1, 2, 0), shape=(3, 3, 3)),
        of(lambda y: y.transpose(1, 2, 0), shape=(2, 3, 4)),
    ],
    "reversed": [of(lambda y: y[::-1]), of(lambda y: y[:, ::-1]), of(lambda y: y[::-1], shape=(4,))],
    "shifted-late": [of(lambda y: np.roll(y, 1, 0)), of(lambda y: np.concatenate([[0], y[:-1]]), shape=(6,))],
    "shifted-early": [of(lambda y: np.roll(y, -1, 1)), of(lambda y: np.concatenate([y[1:], [0]]), shape=(6,))],
    "reshaped-for-transposed": [
        of(lambda y: y.T.reshape(5, 3)),
        of(lambda y: y.swapaxes(1, 2).reshape(2, 12), shape=(2, 3, 4)),
    ],
    "slices-permuted": [of(lambda y: y[[2, 4, 0, 1, 3]]), of(lambda y: y[:, [2, 0, 3, 1]], shape=(6, 4))],
    "entries-permuted": [permuted_entries],
    "inverted": [of(lambda y: 1 - y), pair(lambda x: x < 0, lambda x: x >= 0, shape=(6, 6))],
    "conjugated": [pair(lambda x: x[0] + 1j * x[1], lambda x: x[0] - 1j * x[1], shape=(2, 6))],
    "absolute": [of(np.abs)],
    "rectified": [of(lambda y: np.maximum(y, 0), shape=(8, 4))],
    "signs": [of(lambda y: y * np.where(np.arange(15).reshape(5, 3) % 4 == 0, -1, 1))],
    "squared": [of(np.square, positive=True)],
    "square-root": [of(np.sqrt, positive=True)],
    "log-for-linear": [of(np.log, positive=True)],
    "linear-for-log": [of(np.exp)],
    "reciprocal": [of(np.reciprocal)],
    "rounded": [of(lambda y: np.floor(y * 1), shape=(200,)), pair(lambda x: (99 * x).astype(int), lambda x: 99 * x)],
    "single-precision": [of(lambda y: y.astype(np.float32).astype(np.float64))],
    "nearly": [of(lambda y: y * (1 + 2.5e-8)), of(lambda y: y - 2.5e-8 * np.abs(y), shape=())],
    "nan-masked": [put(PADDING, np.nan, mask=PADDING)],
    "nan-rows": [rows_of_nan],
    "nan": [put((2, 3), np.nan), of(lambda y: y * np.nan, shape=())],
    "masked-only": [put(PADDING, mask=PADDING), put(PADDING, 0.0, mask=torch.from_numpy(PADDING))],
    "softmax-axis": [
        pair(lambda x: softmax(x, 0), lambda x: softmax(x, 1)),
        pair(lambda x: np.log(softmax(x, 1)), lambda x: np.log(softmax(x, 2)), shape=(2, 3, 4)),
    ],
    "mean-axis": [pair(lambda x: centred(x, 0), lambda x: centred(x, 1), shape=(6, 4))],
    "last-step": [put((slice(None), -1)), put(-1, shape=(5,)), put((slice(None), -1), shape=(2, 5, 3))],
    "first-step": [put((slice(None), 0)), put(0, shape=(5,))],
    "one-slice": [put(2), put((slice(None), 1))],
    "one-entry": [put((2, 1))],
    "diagonal": [put(np.eye(5, dtype=bool), shape=(5, 5))],
    "above-diagonal": [put(np.triu(np.ones((5, 5), dtype=bool), 1), shape=(5, 5))],
    "below-diagonal": [put(np.tril(np.ones((5, 5), dtype=bool), -1), shape=(5, 5))],
    "zeros-missing": [with_zeros],
    "zeroed": [zeroed],
    "clipped": [of(lambda y: np.clip(y, -9, 0.5), shape=(8, 4))],
    "infinity": [lambda rng: infinite(rng, np.inf, 1.0)],
    "infinity-missing": [lambda rng: infinite(rng, 1e9, np.inf)],
    "infinity-sign": [lambda rng: infinite(rng, np.inf, -np.inf)],
    "nan-missing": [lambda rng: infinite(rng, 2.0, np.nan)],
    "offset": [of(lambda y: y + 0.37)],
    "scaled": [of(lambda y: y * 1.2345)],
    "imprecise": [of(lambda y: y * (1 + 1e-6 * np.cos(np.arange(15).reshape(5, 3))))],
    "slice-factor": [of(lambda y: y * np.linspace(0.3, 2.1, 5)[:, None], shape=(5, 4))],
    "slice-offset": [of(lambda y: y + np.linspace(0.3, 2.1, 5)[:, None], shape=(5, 4))],
    "squeezed": [of(np.squeeze, shape=(1, 4)), of(np.squeeze, shape=(1,))],
    "unsqueezed": [of(lambda y: y[:, None], shape=(4,)), of(lambda y: y[None], shape=())],
    "unit-axis-moved": [of(lambda y: y.T, shape=(1, 4))],
    "flattened": [of(np.ravel)],
    "reshaped": [of(lambda y: y.reshape(2, 6), shape=(3, 4)), of(lambda y: y.reshape(3, 1, 4), shape=(3, 2, 2))],
    "batch-not-summed": [pair(lambda x: x, lambda x: x.sum(0), batch=5)],
    "repeated": [of(lambda y: np.repeat(y[None], 5, 0), shape=(4,))],
    "not-summed": [pair(lambda x: x, lambda x: x.sum(0)), pair(lambda x: x, lambda x: x.sum())],
    "not-averaged": [pair(lambda x: x, lambda x: x.mean(0, keepdims=True)), pair(lambda x: x, np.mean)],
    "summed-away": [of(lambda y: y.sum(1)), of(np.sum)],
    "averaged-away": [of(lambda y: y.mean(0)), of(lambda y: y.mean((0, 2)), shape=(2, 3, 4))],
    "grown": [pair(lambda x: x[:, None] - 2 * x[None, :], lambda x: -x, shape=(5,))],
    "step-missing": [of(lambda y: y[:-1]), of(lambda y: y[1:], shape=(6,))],
    "step-too-many": [of(lambda y: np.concatenate([y, y[:1]]))],
    "other-axis": [
        pair(lambda x: np.exp(x).sum(1), lambda x: np.exp(x).sum(0)),
        pair(lambda x: np.exp(x).mean(1), lambda x: np.exp(x).mean(0)),
    ],
}

CASES = [
    pytest.param(kind, mistake, id=f"{kind}-{k}") for kind, made in MISTAKES.items() for k, mistake in enumerate(made)
]
NOT_FINITE = {"nan", "nan-rows", "nan-masked", "infinity", "infinity-missing", "infinity-sign", "nan-missing"}


def test_every_hypothesis_of_the_tables_has_a_case():
    assert set(MISTAKES) == {hypothesis.kind for hypothesis in (*SAME_SHAPE, *OTHER_SHAPE, *SINGLE_NUMBER)}


def test_no_two_hypotheses_share_a_kind_or_a_sentence():
    for table in (SAME_SHAPE, OTHER_SHAPE):
        assert len({h.kind for h in table}) == len({h.sentence for h in table}) == len(table)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("kind", "mistake"), CASES)
def test_a_mistake_is_named(kind, mistake, seed):
    actual, expected, options = mistake(np.random.default_rng(seed))
    found = diagnose(actual, expected, what="dW1", dtype=False, **options)
    assert found is not None
    assert found.kind == kind, found
    assert found.sentence.startswith("dW1 ")
    assert found.sentence.endswith((".", "?"))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("kind", "mistake"), CASES)
def test_the_same_mistake_is_named_in_float32_tensors(kind, mistake, seed):
    if kind in ("single-precision", "nearly", "imprecise", "bessel"):
        pytest.skip("needs more digits than float32 has")
    actual, expected, options = mistake(np.random.default_rng(seed))
    if np.iscomplexobj(expected) or np.asarray(expected).dtype == bool:
        pytest.skip("not a float")
    tensors = [torch.tensor(np.array(x), dtype=torch.float32) for x in (actual, expected)]
    found = diagnose(*tensors, what="dW1", **options)
    assert found is not None
    allowed = {kind, "different-values"} if np.size(expected) <= 5 else {kind}
    assert found.kind in allowed, found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("kind", "mistake"), CASES)
def test_a_mistake_that_noise_has_spoilt_is_not_named(kind, mistake, seed):
    rng = np.random.default_rng(seed)
    actual, expected, options = mistake(rng)
    actual = np.asarray(actual)
    if actual.dtype == bool:
        spoilt = actual ^ (rng.random(actual.shape) < 0.5)
    else:
        spoilt = actual * (1 + 0.3 * rng.standard_normal(actual.shape)) + 0.1 * rng.standard_normal(actual.shape)
        spoilt = (
            spoilt if kind in NOT_FINITE else np.where(np.isfinite(spoilt), spoilt, rng.standard_normal(actual.shape))
        )
    found = diagnose(spoilt, expected, what="dW1", dtype=False, **options)
    assert found is not None
    if kind in (
        "nan",
        "nan-rows",
        "nan-masked",
        "infinity",
        "infinity-missing",
        "infinity-sign",
        "nan-missing",
    ):
        finite = np.where(np.isfinite(spoilt), spoilt, 0.5), np.where(np.isfinite(expected), expected, 0.25)
        found = diagnose(*finite, what="dW1", dtype=False, **options)
    assert found.kind in ("different-values", "different-shape"), found


@pytest.mark.parametrize(("kind", "mistake"), CASES)
def test_the_right_answer_is_never_diagnosed(kind, mistake):
    _, expected, options = mistake(np.random.default_rng(0))
    assert diagnose(np.array(expected), expected, **options) is None
    assert diagnose(np.array(expected), expected, dtype=False, **options) is None


def test_small_errors_are_no_matter_of_sign() -> None:
    expected = np.linspace(-1.0, 1.0, 12).reshape(3, 4)
    few = expected.copy()
    few[1, 1:3] *= 1 + 1e-4
    assert "sign" not in diagnose(few, expected, what="y", rtol=1e-7, atol=1e-8).sentence
