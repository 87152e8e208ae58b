"""Draws the demo's pictures: coloured shapes on busy backgrounds, the same ones for the same seed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from demo.backgrounds import Image, background, colour, ramp
from demo.cache import cached, key

SIZE = 192
MARGIN = 8  # what a shadow needs around its shape
RADII = (16.0, 46.0)
MOST_SHAPES = 6
LEAST_VISIBLE = 0.6  # of a shape's area, whatever is drawn over it
SHARPNESS = 3  # masks are drawn that many times larger, then averaged down: smooth edges

Owners = npt.NDArray[np.uint8]


def _around(*radii: float, corners: int) -> Image:
    angles = np.arange(corners) * (2 * math.pi / corners)
    reach = np.resize(np.asarray(radii), corners)
    return np.asarray(np.stack([np.cos(angles) * reach, np.sin(angles) * reach], axis=1), np.float32)


OUTLINES: dict[str, Image] = {
    "circle": _around(0.9, corners=72),
    "square": _around(1.0, corners=4),
    "triangle": _around(1.05, corners=3),
    "star": _around(1.1, 0.5, corners=10),
}
LABELS = tuple(OUTLINES)


@dataclass(frozen=True)
class Scene:
    """One picture, and what is on it."""

    picture: npt.NDArray[np.uint8]  # [height, width, 3], RGB
    boxes: npt.NDArray[np.float32]  # [shapes, 4]: ymin, xmin, ymax, xmax in pixels, the whole shape
    classes: npt.NDArray[np.int64]  # [shapes], from 1, in the order of LABELS


@dataclass(frozen=True)
class Shape:
    """One shape before it is painted."""

    kind: int  # from 1, in the order of LABELS
    outline: Image  # [corners, 2]: x, y in pixels

    @property
    def box(self) -> Image:
        """The tight box: ymin, xmin, ymax, xmax."""
        low, high = self.outline.min(axis=0), self.outline.max(axis=0)
        return np.asarray([low[1], low[0], high[1], high[0]], np.float32)

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns that painting the shape and its shadow touches."""
        top, left, bottom, right = (int(side) for side in self.box)
        rows = slice(max(top - MARGIN, 0), min(bottom + MARGIN, SIZE))
        return rows, slice(max(left - MARGIN, 0), min(right + MARGIN, SIZE))

    def mask(self, scale: float = 1.0) -> Image:
        """How much of each pixel of the window the shape covers, 0 to 1; a smaller scale leaves a rim."""
        rows, columns = self.window
        height, width = rows.stop - rows.start, columns.stop - columns.start
        centre = self.outline.mean(axis=0)
        corners = (self.outline - centre) * scale + centre - (columns.start, rows.start)
        fine = np.round((corners * SHARPNESS - 0.5) * 16).astype(np.int32)  # pixel centres are whole numbers
        canvas = np.zeros((height * SHARPNESS, width * SHARPNESS), np.uint8)
        cv2.fillPoly(canvas, [fine], 255, shift=4)
        covered = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(covered, np.float32) / 255


def draw(seed: int, index: int) -> Scene:
    """Picture number ``index`` of the endless series that a seed stands for."""
    rng = np.random.default_rng((seed, index))
    picture = background(rng, SIZE)
    owners = np.zeros((SIZE, SIZE), np.uint8)  # the number of the shape on top, 0 where there is none
    shapes: list[Shape] = []
    areas: list[int] = []
    wanted = rng.integers(1, MOST_SHAPES + 1)
    while len(shapes) < wanted:
        shape = _any_shape(rng)
        mask = shape.mask()
        covered = _cover(owners, shape, mask, number=len(shapes) + 1)
        counts = np.bincount(covered.ravel(), minlength=len(shapes) + 2)[1:]
        if all(seen > LEAST_VISIBLE * area for seen, area in zip(counts, areas)):
            _paint(picture[shape.window], shape, mask, rng)
            owners, shapes, areas = covered, [*shapes, shape], [*areas, counts[-1]]
    return _scene(picture, shapes)


def series(seed: int, count: int) -> Iterator[Scene]:
    """The first pictures of a seed's series, one by one."""
    return (draw(seed, index) for index in range(count))


def write_dataset(folder: Path, count: int, seed: int) -> Path:
    """Write ``images/`` and ``instances.json`` (COCO detection format) unless they are there already."""
    wanted = key(("shapes", "backgrounds"), count, seed)
    return cached(folder, wanted, lambda draft: _write(draft, series(seed, count)))


def _any_shape(rng: np.random.Generator) -> Shape:
    kind, radius = int(rng.integers(len(LABELS))), rng.uniform(*RADII)
    turn = rng.uniform(0, 2 * math.pi)
    rotation = np.asarray([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    stretch = radius * rng.uniform(0.88, 1, 2)
    corners = (OUTLINES[LABELS[kind]] * stretch @ rotation).astype(np.float32)
    low, high = corners.min(axis=0), corners.max(axis=0)
    place = rng.uniform(3 - low, SIZE - 3 - high)
    return Shape(kind + 1, (corners + place).astype(np.float32))


def _cover(owners: Owners, shape: Shape, mask: Image, number: int) -> Owners:
    covered = owners.copy()
    covered[shape.window][mask > 0.5] = number
    return covered


def _paint(canvas: Image, shape: Shape, mask: Image, rng: np.random.Generator) -> None:
    paint = _contrasting(rng, canvas[mask > 0.5].mean(axis=0))
    canvas *= 1 - np.float32(0.4) * cv2.blur(np.roll(mask, (3, 2), axis=(0, 1)), (9, 9))[..., None]  # shadow
    if rng.uniform() < 0.6:
        rim = paint * np.float32(0.55) if rng.uniform() < 0.5 else colour(0, 0, 0.97)
        canvas += (rim - canvas) * mask[..., None]
        mask = shape.mask(0.86)
    light = 1 + np.float32(0.25) * ramp(rng.uniform(math.pi, 1.6 * math.pi), *mask.shape)[..., None]
    canvas += (np.clip(paint * light, 0, 255) - canvas) * mask[..., None]


def _contrasting(rng: np.random.Generator, behind: Image) -> Image:
    # the best of a few: random, yet never lost in front of what is behind it
    few = [colour(rng.uniform(), rng.uniform(0.45, 0.85), rng.uniform(0.6, 1)) for _ in range(4)]
    return max(few, key=lambda candidate: float(np.abs(candidate - behind).sum()))


def _scene(picture: Image, shapes: Sequence[Shape]) -> Scene:
    boxes = np.stack([shape.box for shape in shapes])
    classes = np.asarray([shape.kind for shape in shapes], np.int64)
    return Scene(np.clip(np.round(picture), 0, 255).astype(np.uint8), boxes, classes)


def _write(folder: Path, scenes: Iterator[Scene]) -> None:
    (folder / "images").mkdir()
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, scene in enumerate(scenes, start=1):
        images.append(_write_picture(folder / "images" / f"{number:06}.png", number, scene))
        annotations.extend(_annotations(number, scene, first=len(annotations) + 1))
    categories = [{"id": number, "name": label} for number, label in enumerate(LABELS, start=1)]
    answer = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(answer))


def _write_picture(path: Path, number: int, scene: Scene) -> dict[str, Any]:
    if not cv2.imwrite(str(path), cv2.cvtColor(scene.picture, cv2.COLOR_RGB2BGR)):
        raise OSError(f"could not write {path}; is the disk full?")
    height, width = scene.picture.shape[:2]
    return {"id": number, "file_name": path.name, "width": width, "height": height}


def _annotations(image: int, scene: Scene, first: int) -> Iterator[dict[str, Any]]:
    for number, (box, kind) in enumerate(zip(scene.boxes.tolist(), scene.classes.tolist()), start=first):
        top, left, bottom, right = box
        width, height = right - left, bottom - top
        yield {
            "id": number,
            "image_id": image,
            "category_id": kind,
            "bbox": [left, top, width, height],
            "area": width * height,
            "iscrowd": 0,
        }
