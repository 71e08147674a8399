"""Helpers that run beside the student's code; they hold no secret."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.special import expit, ndtri

NAMES = ("W1", "b1", "W2", "b2")

# ------------------------------------------------------------------ question 2


def sigmoid_and_warnings(student, x):
    """The student's sigmoid of x, and the floating-point warnings on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = student.sigmoid(x)
    return result, [str(item.message) for item in caught if issubclass(item.category, RuntimeWarning)]


# ------------------------------------------------------------------ question 3


def initialise(student, n_in, n_hidden, n_out, seed):
    """The student's initial parameters from a fresh generator with this seed."""
    return student.init_params(n_in, n_hidden, n_out, np.random.default_rng(seed))


def initialise_again(student, n_in, n_hidden, n_out, seed):
    """Two sets of parameters, one after the other from one generator."""
    generator = np.random.default_rng(seed)
    return [student.init_params(n_in, n_hidden, n_out, generator) for _ in range(2)]


def initialise_after(student, n_in, n_hidden, n_out, seed, global_seed):
    """The initial parameters with NumPy's global generator in a known state, and whether that state moved."""
    np.random.seed(global_seed)  # the generator that must not be used
    before = np.random.get_state()[1:3]
    params = student.init_params(n_in, n_hidden, n_out, np.random.default_rng(seed))
    after = np.random.get_state()[1:3]
    return params, not (np.array_equal(before[0], after[0]) and before[1] == after[1])


# ------------------------------------------------------------------ question 5


def _weights(v):
    return 1.0 + np.arange(v.size, dtype=np.float64).reshape(v.shape)


FUNCTIONS = {
    "squares": lambda v: float(np.sum(v**2)),
    "sines": lambda v: np.sum(_weights(v) * np.sin(v)),
    "exponentials": lambda v: np.asarray(np.sum(_weights(v) * np.exp(v))),
    "mixed": lambda v: np.sum(_weights(v) * v**2) + np.cos(np.sum(v)),
}
"""A float, a NumPy scalar and a 0-d array come back; `_weights` makes every entry count differently."""


def gradient_of(student, function, x, eps=None, order="C"):
    """The student's numerical gradient, and x as it is afterwards; with the order F, x is stored column by column."""
    given = x.copy(order)
    options = {} if eps is None else {"eps": eps}
    return student.numerical_gradient(FUNCTIONS[function], given, **options), given


# ------------------------------------------------------------------ question 6


def run_training(student, X, y, n_hidden, epochs, lr, seed):
    """The result of the student's train with a fresh generator."""
    return student.train(X, y, n_hidden, epochs, lr, np.random.default_rng(seed))


# ------------------------------------------------- stand-ins for earlier parts


def library_sigmoid(x, *_more, **_named):
    """SciPy's logistic function."""
    return expit(x)


def library_slope(s, *_more, **_named):
    """The slope of the logistic function where its value is s."""
    return 0.25 - (np.asarray(s) - 0.5) ** 2


def library_start(n_in, n_hidden, n_out, rng):
    """Parameters to start from."""
    shapes = {"W1": (n_in, n_hidden), "b1": (1, n_hidden), "W2": (n_hidden, n_out), "b2": (1, n_out)}
    return {
        name: ndtri(rng.uniform(1e-12, 1.0, shape)) if name.startswith("W") else np.zeros(shape)
        for name, shape in shapes.items()
    }


def library_forward(params, X):
    """The network's outputs; the cache is (params, X)."""
    hidden = expit(X @ params["W1"] + params["b1"])
    return expit(hidden @ params["W2"] + params["b2"]), (params, X)


def library_backward(params, cache, y):
    """All gradients by complex steps, without the chain rule (Squire and Trapp, 1998).

    Each parameter gets a tiny imaginary part in its own copy of the network; the loss's imaginary part is the slope.
    """
    _, X = cache
    step = 1e-20
    flat = np.concatenate([params[name].ravel() for name in NAMES])
    copies = flat + step * 1j * np.eye(flat.size)
    parts = np.split(copies, np.cumsum([params[name].size for name in NAMES])[:-1], axis=1)
    W1, b1, W2, b2 = (part.reshape(-1, *params[name].shape) for name, part in zip(NAMES, parts, strict=True))
    hidden = 1.0 / (1.0 + np.exp(-(X @ W1 + b1)))
    outputs = 1.0 / (1.0 + np.exp(-(hidden @ W2 + b2)))
    slopes = 0.5 * np.sum((outputs - y) ** 2, axis=(1, 2)).imag / step
    parts = np.split(slopes, np.cumsum([params[name].size for name in NAMES])[:-1])
    return {f"d{name}": part.reshape(params[name].shape) for name, part in zip(NAMES, parts, strict=True)}
