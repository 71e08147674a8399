"""Rendered pictures of twelve kinds of surface, 64x64: what Tiny ImageNet is used for when it is not at hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from deepmarks.datasets.records import ImageSet

Field = npt.NDArray[np.float64]

SIDE = 64
OFFLINE = "rendered textures in the layout of Tiny ImageNet"
_GREY_SHARE = 0.03
"""About as many of the official pictures are grey."""


def rendered_textures(count: int, seed: int) -> ImageSet:
    """`count` pictures (count, 3, 64, 64) drawn with `seed`, classes balanced; a few are grey, as in the original."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(_TEXTURES)).astype(np.int64)
    pictures = np.empty((count, 3, SIDE, SIDE))
    for index, label in enumerate(labels):
        pictures[index] = _picture(_PATTERNS[label], rng)
    grey = rng.random(count) < _GREY_SHARE
    pictures[grey] = pictures[grey].mean(axis=1, keepdims=True)
    return ImageSet(np.rint(pictures * 255).astype(np.uint8), labels, TEXTURE_CLASSES, OFFLINE)


def _picture(pattern: Callable[[Field, Field, np.random.Generator], Field], rng: np.random.Generator) -> Field:
    """One picture (3, 64, 64): the pattern turned and scaled, in two colours, in uneven light, with noise."""
    turn, scale = rng.uniform(-0.6, 0.6), rng.uniform(0.7, 1.5)
    grid = np.linspace(-1, 1, SIDE)
    right, down = grid[None, :] + rng.uniform(-3, 3), grid[:, None] + rng.uniform(-3, 3)
    bend = 0.08 * np.sin(3 * down + rng.uniform(0, 6))
    x = (np.cos(turn) * right + np.sin(turn) * down + bend) * scale
    y = (np.cos(turn) * down - np.sin(turn) * right) * scale
    amount = np.clip(pattern(x, y, rng), 0, 1)
    dark, light = rng.uniform(0, 0.5, (3, 1, 1)), rng.uniform(0.4, 1, (3, 1, 1))
    shade = 1 + rng.uniform(-0.4, 0.4) * grid[None, :] + rng.uniform(-0.4, 0.4) * grid[:, None]
    picture = (dark + (light - dark) * amount) * shade
    return np.clip(picture + rng.normal(0, 0.05, picture.shape), 0, 1)


def _soft(value: Field, width: float = 0.12) -> Field:
    """0 below zero, 1 above, with a soft edge."""
    amount: Field = np.clip(value / width + 0.5, 0, 1)
    return amount


def _noise(x: Field, y: Field, rng: np.random.Generator, octaves: int = 4) -> Field:
    """Smooth noise about 0: waves in all directions, each octave finer and weaker."""
    total = np.zeros(np.broadcast(x, y).shape)
    for octave in range(octaves):
        for _ in range(6):
            way, phase = rng.uniform(0, 2 * np.pi, 2)
            total += np.sin((np.cos(way) * x + np.sin(way) * y) * 3 * 2**octave + phase) / 2**octave / 3
    return total


def _checkers(x: Field, y: Field, rng: np.random.Generator) -> Field:
    return _soft(np.sin(7 * x) * np.sin(7 * y), 0.4)


def _stripes(x: Field, y: Field, rng: np.random.Generator) -> Field:
    return _soft(np.sin(10 * x), 0.5)


def _dots(x: Field, y: Field, rng: np.random.Generator) -> Field:
    u, v = (x * 2.2) % 1 - 0.5, (y * 2.2) % 1 - 0.5
    return _soft(rng.uniform(0.24, 0.36) - np.hypot(u, v))


def _bricks(x: Field, y: Field, rng: np.random.Generator) -> Field:
    row = np.floor(y * 3.2)
    u, v = (x * 1.6 + 0.5 * (row % 2)) % 1, (y * 3.2) % 1
    return _soft(np.minimum(np.minimum(u, 1 - u) * 2, np.minimum(v, 1 - v)) - 0.1)


def _waves(x: Field, y: Field, rng: np.random.Generator) -> Field:
    rows: Field = 0.5 + 0.5 * np.sin(9 * y + 2.2 * np.sin(4 * x))
    return rows


def _rings(x: Field, y: Field, rng: np.random.Generator) -> Field:
    middle_x, middle_y = x.mean() + rng.uniform(-0.5, 0.5), y.mean() + rng.uniform(-0.5, 0.5)
    rings: Field = 0.5 + 0.5 * np.sin(14 * np.hypot(x - middle_x, y - middle_y) + 0.5 * _noise(x, y, rng, 2))
    return rings


def _cells(x: Field, y: Field, rng: np.random.Generator) -> Field:
    centres = rng.uniform(-2.2, 2.2, (2, 45))
    near = np.sort(np.hypot(x[..., None] - x.mean() - centres[0], y[..., None] - y.mean() - centres[1]), axis=-1)
    return _soft(near[..., 1] - near[..., 0] - 0.1)


def _marble(x: Field, y: Field, rng: np.random.Generator) -> Field:
    veins: Field = 1 - np.abs(np.sin(3 * x + 2.5 * _noise(x, y, rng)))
    return veins


def _clouds(x: Field, y: Field, rng: np.random.Generator) -> Field:
    return 0.5 + 0.45 * _noise(0.6 * x, 0.6 * y, rng)


def _plaid(x: Field, y: Field, rng: np.random.Generator) -> Field:
    return 0.5 * _soft(np.sin(7 * x) - 0.3) + 0.5 * _soft(np.sin(7 * y) - 0.3)


def _scales(x: Field, y: Field, rng: np.random.Generator) -> Field:
    row = np.floor(y * 2.4)
    u, v = (x * 2.4 + 0.5 * (row % 2)) % 1 - 0.5, (y * 2.4) % 1
    edges: Field = np.clip(np.abs(np.hypot(u, v) - 0.62) * 3, 0, 1)
    return edges


def _zigzag(x: Field, y: Field, rng: np.random.Generator) -> Field:
    return _soft(np.sin(9 * (y + 0.5 * np.abs((2.2 * x) % 1 - 0.5))), 0.5)


_TEXTURES = {
    "checkers": _checkers,
    "stripes": _stripes,
    "dots": _dots,
    "bricks": _bricks,
    "waves": _waves,
    "rings": _rings,
    "cells": _cells,
    "marble": _marble,
    "clouds": _clouds,
    "plaid": _plaid,
    "scales": _scales,
    "zigzag": _zigzag,
}
TEXTURE_CLASSES = tuple(_TEXTURES)
_PATTERNS = tuple(_TEXTURES.values())
