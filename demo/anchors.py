"""The places and sizes at which the detector looks, and what it should have said at each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

MATCH, MISS = 0.5, 0.4  # intersection over union: a shape above the first, background below the second
SCALES = np.asarray([0.1, 0.1, 0.2, 0.2], np.float32)  # brings all four offsets to a similar spread
IGNORED = -1


@dataclass(frozen=True)
class Grid:
    """A feature map of ``cells`` x ``cells``, with square anchors of these sizes in each cell."""

    cells: int
    sizes: tuple[float, ...]  # as a share of the picture


# cells must be fine enough to hit shapes of their sizes; a picture may be full of the small ones
GRIDS = (Grid(14, (0.15, 0.21, 0.29)), Grid(7, (0.37, 0.48)))


def _anchors_of(grid: Grid) -> Floats:
    steps = (np.arange(grid.cells) + 0.5) / grid.cells
    rows, columns, sizes = np.meshgrid(steps, steps, grid.sizes, indexing="ij")
    return np.asarray(np.stack([rows, columns, sizes, sizes], axis=-1).reshape(-1, 4), np.float32)


ANCHORS: Floats = np.concatenate([_anchors_of(grid) for grid in GRIDS])  # centre y, centre x, height, width


def encode(boxes: Floats, classes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int8], Floats]:
    """Say for each anchor its class (0 is background, IGNORED is doubtful) and its offsets to its box.

    Boxes are ymin, xmin, ymax, xmax as shares of the picture.
    """
    overlaps = _overlaps(boxes)
    best = overlaps.argmax(axis=1)
    height = overlaps.max(axis=1)
    chosen = overlaps.argmax(axis=0)  # each box gets an anchor, however bad its best one is
    best[chosen], height[chosen] = np.arange(len(boxes)), 1
    labels = np.where(height >= MATCH, classes[best], np.where(height < MISS, 0, IGNORED))
    return labels.astype(np.int8), _offsets(boxes[best])


def _corners(centred: Floats) -> Floats:
    middle, extent = centred[:, :2], centred[:, 2:]
    return np.concatenate([middle - extent / 2, middle + extent / 2], axis=1)


def _overlaps(boxes: Floats) -> Floats:
    anchors = _corners(ANCHORS)[:, None]
    low, high = np.maximum(anchors[..., :2], boxes[:, :2]), np.minimum(anchors[..., 2:], boxes[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=-1)
    return np.asarray(shared / (ANCHORS[:, 2:].prod(axis=-1)[:, None] + areas - shared), np.float32)


def _offsets(boxes: Floats) -> Floats:
    middle, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    moved = (middle - ANCHORS[:, :2]) / ANCHORS[:, 2:]
    return np.asarray(np.concatenate([moved, np.log(extent / ANCHORS[:, 2:])], axis=1) / SCALES, np.float32)
