"""Drawn scenes as the network takes them, each seen four ways round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from demo.anchors import encode
from demo.shapes import Scene


@dataclass(frozen=True)
class Examples:
    """Pictures at the network's size, and what it should say about them."""

    pictures: npt.NDArray[np.uint8]  # [examples, height, width, 3]
    labels: npt.NDArray[np.int8]  # [examples, anchors]
    offsets: npt.NDArray[np.float32]  # [examples, anchors, 4]

    def batches(self, size: int, seed: int) -> Iterator[Examples]:
        """Random batches without end; every example comes once before any comes again."""
        rng = np.random.default_rng(seed)
        while True:
            order = rng.permutation(len(self.pictures))
            for start in range(0, len(order) - size + 1, size):
                some = order[start : start + size]
                yield Examples(self.pictures[some], self.labels[some], self.offsets[some])


def examples(scenes: Iterable[Scene], size: int) -> Examples:
    """Shrink and mirror the scenes, and match their boxes to the anchors."""
    seen = [turned for scene in scenes for turned in _mirrored(_shrunk(scene, size))]
    answers = [encode(scene.boxes, scene.classes) for scene in seen]
    labels, offsets = zip(*answers)
    return Examples(np.stack([scene.picture for scene in seen]), np.stack(labels), np.stack(offsets))


def _shrunk(scene: Scene, size: int) -> Scene:
    height, width = scene.picture.shape[:2]
    picture = cv2.resize(scene.picture, (size, size), interpolation=cv2.INTER_LINEAR)  # as the servable does
    shares = scene.boxes / np.asarray([height, width, height, width], np.float32)
    return Scene(np.asarray(picture, np.uint8), shares, scene.classes)


def _mirrored(scene: Scene) -> Iterator[Scene]:
    top, left, bottom, right = scene.boxes.T
    for picture, down in ((scene.picture, (top, bottom)), (scene.picture[::-1], (1 - bottom, 1 - top))):
        for view, across in ((picture, (left, right)), (picture[:, ::-1], (1 - right, 1 - left))):
            yield Scene(view, np.stack([down[0], across[0], down[1], across[1]], axis=1), scene.classes)
