"""Pictures to ask a model with: the data folder's own, or random ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

Picture = np.ndarray[Any, np.dtype[np.uint8]]

_ENDINGS = {".jpg", ".jpeg", ".png"}
# the longer side at most: camera pictures would make warm-up records of hundreds of megabytes
_LONGEST = 640


def find(folder: Path | None, most: int) -> list[Path]:
    """The first picture files below a folder, in the order of their names; none where there is no folder."""
    if folder is None or not folder.is_dir():
        return []
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS)
    return [path for path in found[:most] if _decoded(path) is not None]


def batch(paths: Sequence[Path], size: int, height: int | None, width: int | None) -> Picture:
    """Pictures as one array [size, height, width, 3], over and over where there are fewer.

    Where the sizes are free, the first picture's count for all.
    """
    read = [_decoded(path) for path in islice(cycle(paths), size)]
    tall, wide = _fitted(*read[0].shape[:2])
    target = (height or tall, width or wide)
    scaled = [tf.image.resize(each, target, antialias=True) for each in read]
    return np.asarray(np.rint(np.clip(np.stack(scaled), 0, 255)), np.uint8)


def noise(draw: np.random.Generator, side: int) -> Picture:
    """A picture of random pixels."""
    return draw.integers(0, 256, (side, side, 3), np.uint8)


def jpeg(picture: Picture) -> bytes:
    """The picture as a JPEG file holds it."""
    return bytes(tf.io.encode_jpeg(picture).numpy())


def _decoded(path: Path) -> Any:
    """Height, width and three colours, or None where the file holds no picture."""
    try:
        return tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False).numpy()
    except tf.errors.InvalidArgumentError:
        return None


def _fitted(height: int, width: int) -> tuple[int, int]:
    share = min(1.0, _LONGEST / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))
