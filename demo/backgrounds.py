"""Backgrounds that a detector must learn to ignore: a gradient, a pattern and some grain."""

from __future__ import annotations

import colorsys
import math
from typing import Callable

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
Pattern = Callable[[np.random.Generator, int], Image]


def colour(hue: float, saturation: float, value: float) -> Image:
    """One RGB colour, 0 to 255, from three numbers between 0 and 1."""
    return np.asarray(colorsys.hsv_to_rgb(hue, saturation, value), np.float32) * 255


def ramp(angle: float, height: int, width: int) -> Image:
    """A plane [height, width] that rises from about -1 to about 1 in the direction of the angle."""
    across = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(math.cos(angle))
    down = np.linspace(-1, 1, height, dtype=np.float32) * np.float32(math.sin(angle))
    return across[None, :] + down[:, None]


def background(rng: np.random.Generator, size: int) -> Image:
    """A picture [size, size, 3] of nothing in particular."""
    pattern = PATTERNS[rng.integers(len(PATTERNS))](rng, size) * rng.uniform(5, 20)
    grain = rng.standard_normal((size, size), dtype=np.float32) * rng.uniform(1, 6)
    relief = pattern + grain + _clouds(rng, size) * rng.uniform(2, 8)
    return np.asarray(_gradient(rng, size) + relief[..., None], np.float32)


def _gradient(rng: np.random.Generator, size: int) -> Image:
    hue = rng.uniform()
    start = colour(hue, rng.uniform(0.08, 0.4), rng.uniform(0.35, 0.95))
    end = colour((hue + rng.normal(0, 0.1)) % 1, rng.uniform(0.08, 0.4), rng.uniform(0.35, 0.95))
    share = ramp(rng.uniform(0, 2 * math.pi), size // 8, size // 8)[..., None] * 0.4 + 0.5
    coarse = (start + (end - start) * np.clip(share, 0, 1)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def _clouds(rng: np.random.Generator, size: int) -> Image:
    coarse = rng.standard_normal((7, 7), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _waves(rng: np.random.Generator, size: int, count: float, angle: float) -> Image:
    phases = ramp(angle, size, size) * np.float32(count * math.pi) + np.float32(rng.uniform(0, 6))
    return np.asarray(np.sin(phases), np.float32)


def _stripes(rng: np.random.Generator, size: int) -> Image:
    waves = _waves(rng, size, rng.uniform(3, 9), rng.uniform(0, math.pi))
    return np.clip(waves * np.float32(rng.choice((1, 6))), -1, 1)


def _checks(rng: np.random.Generator, size: int) -> Image:
    count, angle = rng.uniform(3, 8), rng.uniform(0, math.pi)
    crossed = _waves(rng, size, count, angle) * _waves(rng, size, count, angle + math.pi / 2)
    return np.clip(crossed * np.float32(rng.choice((1, 8))), -1, 1)


def _blobs(rng: np.random.Generator, size: int) -> Image:
    canvas = np.zeros((size, size), np.float32)
    for _ in range(rng.integers(6, 16)):
        centre = [int(place) for place in rng.integers(0, size, 2)]
        cv2.circle(canvas, centre, int(rng.integers(8, size // 5)), float(rng.uniform(-1, 1)), cv2.FILLED)
    return np.asarray(cv2.blur(canvas, (11, 11)), np.float32)


PATTERNS: tuple[Pattern, ...] = (_stripes, _checks, _blobs, _clouds)
