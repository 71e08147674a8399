"""Rendered colour pictures of ten things, 32x32: what CIFAR-10 is used for when it is not at hand.

Each thing looks to one side, and none is the mirror image of another. The training pictures show every thing in the
middle, looking right, in even light; the test pictures show it anywhere, in many sizes, looking either way, in bright
and in dim light. What a net does not see in training it must get from augmentation: crops, mirroring, jitter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from deepmarks.datasets.records import ImageSet

Field = npt.NDArray[np.float64]

SIDE = 32
OFFLINE = "rendered shapes (offline stand-in for CIFAR-10)"
_TRAIN_SEED, _TEST_SEED = 20_260_101, 20_260_102
_OFFLINE_COUNT = 1000


@dataclass(frozen=True, slots=True)
class Pose:
    """How much the pictures of a set differ; each value is the end of a uniform range."""

    shift: float
    """Pixels from the middle, in both directions."""
    scale: tuple[float, float]
    turn: float
    """Degrees, in both directions."""
    mirrored: float
    """Share of the things that look left."""
    light: float
    """Brightness and contrast are multiplied by 1 - light to 1 + light."""
    noise: float
    """Standard deviation of the noise, of 1."""


TRAINING = Pose(shift=1.0, scale=(0.82, 0.92), turn=3.0, mirrored=0.0, light=0.1, noise=0.03)
VARIED = Pose(shift=4.0, scale=(0.7, 1.0), turn=10.0, mirrored=0.5, light=0.45, noise=0.05)


@cache
def offline_shapes(train: bool) -> ImageSet:
    """The offline set: 1,000 training or 1,000 test pictures (1000, 3, 32, 32), 100 of each class."""
    return rendered_shapes(_OFFLINE_COUNT, _TRAIN_SEED if train else _TEST_SEED, varied=not train)


def rendered_shapes(count: int, seed: int, *, varied: bool = True) -> ImageSet:
    """`count` pictures (count, 3, 32, 32) drawn with `seed`, classes balanced; if not `varied`, like training."""
    rng = np.random.default_rng(seed)
    pose = VARIED if varied else TRAINING
    labels = rng.permutation(np.arange(count) % len(_SHAPES)).astype(np.int64)
    x, y = _coordinates(count, pose, rng)
    inside = np.empty_like(x)
    for label, shape in enumerate(_SHAPES.values()):
        rows = labels == label
        inside[rows] = shape(x[rows], y[rows])
    # Half a pixel of smoothing at the edges, at a mean size of 12 pixels a unit.
    cover = np.clip(0.5 - inside * 10, 0, 1)[:, None]
    pictures = cover * _paint(count, rng) + (1 - cover) * _background(count, rng)
    pictures = _light(pictures, pose.light, rng) + rng.normal(0, pose.noise, pictures.shape)
    return ImageSet(np.rint(np.clip(pictures, 0, 1) * 255).astype(np.uint8), labels, SHAPE_CLASSES, OFFLINE)


def _coordinates(count: int, pose: Pose, rng: np.random.Generator) -> tuple[Field, Field]:
    """For each pixel its place (N, 32, 32) in the thing's own frame, which reaches from -1 to 1."""

    def draw(low: float, high: float) -> Field:
        return rng.uniform(low, high, (count, 1, 1))

    turn = np.deg2rad(draw(-pose.turn, pose.turn))
    size = draw(*pose.scale) * SIDE / 2
    grid = np.arange(SIDE) - (SIDE - 1) / 2
    right = (grid[None, None, :] - draw(-pose.shift, pose.shift)) / size
    down = (grid[None, :, None] - draw(-pose.shift, pose.shift)) / size
    x = np.cos(turn) * right + np.sin(turn) * down
    y = np.cos(turn) * down - np.sin(turn) * right
    looking: Field = np.where(draw(0, 1) < pose.mirrored, -x, x)
    return looking, y


def _colours(count: int, low: float, high: float, rng: np.random.Generator) -> Field:
    """Colours (N, 3, 1, 1) of any hue with a mean between `low` and `high`."""
    hue = rng.uniform(0, 2 * np.pi, (count, 1)) + np.array([0, 2, 4]) * np.pi / 3
    mean = rng.uniform(low, high, (count, 1))
    colour: Field = np.clip(mean + 0.22 * np.cos(hue), 0, 1)
    return colour[:, :, None, None]


def _paint(count: int, rng: np.random.Generator) -> Field:
    """What the things are filled with: one colour with faint stripes."""
    stripes = np.sin(np.arange(SIDE) * rng.uniform(0.5, 1.5, (count, 1)) + rng.uniform(0, 6, (count, 1)))
    return _colours(count, 0.55, 0.75, rng) + 0.05 * stripes[:, None, None, :]


def _background(count: int, rng: np.random.Generator) -> Field:
    """Dark, between two colours from one side to another, with a few soft spots."""
    start, end = _colours(count, 0.1, 0.35, rng), _colours(count, 0.1, 0.35, rng)
    turn = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    grid = np.linspace(-1, 1, SIDE)
    way = (np.cos(turn) * grid[None, None, :] + np.sin(turn) * grid[None, :, None] + 1.5) / 3
    ground = start * (1 - way[:, None]) + end * way[:, None]
    for _ in range(3):
        at = rng.uniform(-1, 1, (2, count, 1, 1))
        spot = np.exp(-12 * ((grid[None, None, :] - at[0]) ** 2 + (grid[None, :, None] - at[1]) ** 2))
        ground = ground + rng.uniform(-0.15, 0.2, (count, 3, 1, 1)) * spot[:, None]
    return np.clip(ground, 0, 1)


def _light(pictures: Field, amount: float, rng: np.random.Generator) -> Field:
    """Brightness, then contrast about the picture's mean, each by a factor of its own."""
    bright, contrast = (rng.uniform(1 - amount, 1 + amount, (len(pictures), 1, 1, 1)) for _ in range(2))
    pictures = np.clip(pictures * bright, 0, 1)
    mean = pictures.mean(axis=(1, 2, 3), keepdims=True)
    lit: Field = np.clip((pictures - mean) * contrast + mean, 0, 1)
    return lit


# ---------------------------------------------------------------------------------------------------------- the things
# Each function gives the signed distance (about) from the thing's edge, negative inside; x to the right, y down.


def _ellipse(x: Field, y: Field, cx: float, cy: float, rx: float, ry: float) -> Field:
    distance: Field = (np.hypot((x - cx) / rx, (y - cy) / ry) - 1) * min(rx, ry)
    return distance


def _box(x: Field, y: Field, left: float, top: float, right: float, bottom: float) -> Field:
    distance: Field = np.maximum(np.maximum(left - x, x - right), np.maximum(top - y, y - bottom))
    return distance


def _polygon(x: Field, y: Field, *corners: tuple[float, float]) -> Field:
    """A convex polygon, corners clockwise as seen on the screen."""
    edges = []
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = np.hypot(bx - ax, by - ay)
        edges.append(((by - ay) * (x - ax) - (bx - ax) * (y - ay)) / length)
    distance: Field = np.maximum.reduce(edges)
    return distance


def _ring(x: Field, y: Field, cx: float, cy: float, radius: float, width: float) -> Field:
    distance: Field = np.abs(np.hypot(x - cx, y - cy) - radius) - width
    return distance


def _arrow(x: Field, y: Field) -> Field:
    head = _polygon(x, y, (0.1, -0.6), (0.9, 0.0), (0.1, 0.6))
    return np.minimum(_box(x, y, -0.9, -0.17, 0.2, 0.17), head)


def _flag(x: Field, y: Field) -> Field:
    cloth = _box(x, y - 0.08 * np.sin(4 * x), -0.5, -0.8, 0.8, 0.05)
    return np.minimum(_box(x, y, -0.7, -0.9, -0.45, 0.95), cloth)


def _cup(x: Field, y: Field) -> Field:
    body = _polygon(x, y, (-0.8, -0.6), (0.3, -0.6), (0.2, 0.7), (-0.65, 0.7))
    return np.minimum(body, _ring(x, y, 0.42, 0.0, 0.36, 0.1))


def _fish(x: Field, y: Field) -> Field:
    tail = _polygon(x, y, (-0.95, -0.5), (-0.3, 0.0), (-0.95, 0.5))
    body = np.minimum(_ellipse(x, y, 0.2, 0.0, 0.7, 0.42), tail)
    return np.maximum(body, -_ellipse(x, y, 0.55, -0.12, 0.11, 0.11))


def _boat(x: Field, y: Field) -> Field:
    hull = _polygon(x, y, (-0.9, 0.35), (0.9, 0.35), (0.55, 0.8), (-0.6, 0.8))
    sail = _polygon(x, y, (-0.1, -0.9), (0.75, 0.2), (-0.1, 0.2))
    return np.minimum(np.minimum(hull, sail), _box(x, y, -0.28, -0.9, -0.14, 0.4))


def _key(x: Field, y: Field) -> Field:
    shaft = _box(x, y, -0.3, -0.11, 0.9, 0.11)
    teeth = np.minimum(_box(x, y, 0.35, 0.0, 0.53, 0.42), _box(x, y, 0.72, 0.0, 0.9, 0.36))
    return np.minimum(np.minimum(shaft, teeth), _ring(x, y, -0.55, 0.0, 0.3, 0.13))


def _boot(x: Field, y: Field) -> Field:
    foot = np.minimum(_box(x, y, -0.55, 0.25, 0.45, 0.8), _ellipse(x, y, 0.45, 0.53, 0.4, 0.27))
    return np.minimum(_box(x, y, -0.55, -0.85, 0.1, 0.8), foot)


def _moon(x: Field, y: Field) -> Field:
    return np.maximum(_ellipse(x, y, -0.05, 0.0, 0.85, 0.85), -_ellipse(x, y, 0.35, -0.1, 0.68, 0.68))


def _note(x: Field, y: Field) -> Field:
    head = _ellipse(x, y, -0.2, 0.6, 0.4, 0.28)
    hook = _polygon(x, y, (0.05, -0.9), (0.75, -0.35), (0.7, 0.05), (0.05, -0.45))
    return np.minimum(np.minimum(head, _box(x, y, 0.03, -0.9, 0.21, 0.6)), hook)


def _duck(x: Field, y: Field) -> Field:
    body = _ellipse(x, y, -0.15, 0.35, 0.72, 0.42)
    head = _ellipse(x, y, 0.35, -0.38, 0.33, 0.33)
    beak = _polygon(x, y, (0.6, -0.5), (0.97, -0.3), (0.6, -0.2))
    return np.minimum(np.minimum(body, head), beak)


_SHAPES = {
    "arrow": _arrow,
    "flag": _flag,
    "cup": _cup,
    "fish": _fish,
    "boat": _boat,
    "key": _key,
    "boot": _boot,
    "moon": _moon,
    "note": _note,
    "duck": _duck,
}
SHAPE_CLASSES = tuple(_SHAPES)
