"""The doctor never names a mistake in noise, and never finds one in a right answer."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepmarks.compare import diagnose

SHAPES = st.one_of(
    st.just(()),
    st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple),
    st.sampled_from([(3, 3), (4, 4), (2, 2, 2), (1, 1), (20,), (12, 12)]),
)
FLOATS = ["float64", "float32", "float16", "complex128"]
KINDS = ["normal", "uniform", "wide", "counts", "signs", "bool", "probabilities", "sparse", "rounded"]
SETTINGS = settings(max_examples=600, deadline=None, derandomize=True)


def sample(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    noise = rng.standard_normal(shape)
    return {
        "normal": lambda: noise,
        "uniform": lambda: rng.random(shape),
        "wide": lambda: np.exp(2 * noise) * np.sign(noise),
        "counts": lambda: rng.integers(0, 4, shape),
        "signs": lambda: rng.integers(0, 2, shape) * 2 - 1,
        "bool": lambda: rng.random(shape) < 0.5,
        "probabilities": lambda: np.exp(noise) / np.exp(noise).sum(),
        "sparse": lambda: noise * (rng.random(shape) < 0.3),
        "rounded": lambda: np.round(noise, 1),
    }[kind]()


def as_dtype(array: np.ndarray, dtype: str) -> np.ndarray:
    return np.asarray(array.astype(dtype) if array.dtype.kind == "f" else array)


PLAIN = {"different-values", "different-shape", None, "different-dtype", "wrong-truth"}


@SETTINGS
@given(SHAPES, st.sampled_from(KINDS), st.sampled_from(FLOATS), st.integers(0, 2**32), st.booleans())
def test_noise_gets_no_name(shape, kind, dtype, seed, batched):
    rng = np.random.default_rng(seed)
    expected, actual = (as_dtype(sample(rng, kind, shape), dtype) for _ in range(2))
    options = {"batch": 7, "mask": np.asarray(rng.random(shape) < 0.5)} if batched else {}
    found = diagnose(actual, expected, **options)
    if found is None or (found.kind == "all-zeros" and not actual.any()):
        return
    if actual.size == 1 and kind in ("counts", "signs", "rounded"):
        return  # a single small whole number is often twice another
    assert found.kind in PLAIN, (found, actual, expected)


@SETTINGS
@given(SHAPES, SHAPES, st.sampled_from(KINDS), st.sampled_from(FLOATS), st.integers(0, 2**32))
def test_noise_of_another_shape_gets_no_name(shape, other, kind, dtype, seed):
    rng = np.random.default_rng(seed)
    expected, actual = (as_dtype(sample(rng, kind, s), dtype) for s in (shape, other))
    if shape == other or (actual.size == expected.size and np.allclose(actual.ravel(), expected.ravel(), 0.1, 0.01)):
        return
    found = diagnose(actual, expected)
    assert found is not None
    assert found.kind in PLAIN, (found, actual, expected)


@SETTINGS
@given(SHAPES, st.sampled_from([0.0, 1.0, 2.0, -3.0, 0.1, 7.5]), st.sampled_from([0.5, 4.0, 1.0, 0.2, -9.0]))
def test_constants_get_no_name(shape, right, wrong):
    expected, actual = np.full(shape, right), np.full(shape, wrong)
    if right == wrong or actual.size == 1:
        return
    assert diagnose(actual, expected, batch=5).kind == "different-values"


@SETTINGS
@given(SHAPES, st.sampled_from(KINDS), st.sampled_from([*FLOATS, "bfloat16"]), st.integers(0, 2**32))
def test_right_answers_with_rounding_match(shape, kind, dtype, seed):
    rng = np.random.default_rng(seed)
    exact = sample(rng, kind, shape)
    if dtype == "bfloat16":
        expected = torch.tensor(np.asarray(exact)).to(torch.bfloat16)
        assert diagnose(expected.clone(), expected) is None
        return
    expected = as_dtype(exact, dtype)
    actual = expected
    if expected.dtype.kind in "fc":
        eps = np.finfo(expected.dtype).eps
        actual = (expected * (1 + eps * rng.uniform(-2, 2, shape))).astype(expected.dtype)
    found = diagnose(actual, expected)
    assert found is None, (found, actual, expected)
    assert diagnose(torch.from_numpy(np.array(actual)), torch.from_numpy(np.array(expected))) is None
    nested = {"a": [actual, (actual, None)]}, {"a": [expected, (expected, None)]}
    assert diagnose(*nested) is None
