"""Which box of one answer is which of another, as those of close scores change places."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, Any]

# how much of their common area two boxes of one thing share at least
SAME: Final = 0.5


def pairs(boxes: Array, classes: Array, others: Array, other_classes: Array) -> tuple[Array, Array]:
    """The places of boxes [n, 4] and of others [m, 4] that are the same.

    The same are two of one class whose boxes overlap by half. Each of the first is paired in turn with the best of the
    others that is still free, so the first should come best first.
    """
    shares = np.where(np.asarray(classes)[:, None] == np.asarray(other_classes)[None], overlaps(boxes, others), 0)
    found = []
    for place in range(len(boxes) if shares.size else 0):
        best = int(np.argmax(shares[place]))
        if shares[place, best] >= SAME:
            found.append((place, best))
            shares[:, best] = 0
    places = np.array(found, int).reshape(-1, 2)
    return places[:, 0], places[:, 1]


def overlaps(some: Array, others: Array) -> Array:
    """Intersection over union of every two boxes; 1 for boxes that are equal, empty ones too."""
    first, second = some[:, None].astype(np.float64), others[None].astype(np.float64)
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    common = np.prod(np.maximum(sides, 0), -1)
    union = _area(first) + _area(second) - common
    shares = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return np.where((first == second).all(-1), 1.0, shares)


def _area(boxes: Array) -> Array:
    return np.asarray(np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0), -1))
