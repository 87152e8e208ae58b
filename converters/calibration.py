"""Calibration data: a folder of pictures, or arrays as the graph takes them, one feed a picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from converters.graphs import Graph
from model_config.errors import BuildError

_PICTURES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
_ARRAYS: Final = (".npy", ".npz")


@dataclass(frozen=True)
class Calibration:
    """Where the data lies and how it becomes what the graph takes.

    Attributes:
        files: pictures, or ``.npy`` and ``.npz`` files whose arrays are fed row by row.
        pixels: what the darkest and the brightest pixel become where the graph takes floats.
    """

    files: tuple[Path, ...]
    pixels: tuple[float, float] = (0.0, 255.0)

    def sha256(self) -> str:
        """A hash over every byte of the data."""
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def feeds(self, graph: Graph) -> Iterator[Mapping[str, Any]]:
        """What to feed the graph, one example after the other; BuildError when the data does not fit it."""
        inputs = graph.signature.inputs
        for path in self.files:
            rows = _arrays(path, inputs) if path.suffix in _ARRAYS else [{_only(inputs): self._pixels(path, inputs)}]
            for row in rows:
                yield {inputs[name].name: _fitting(value, inputs[name], path) for name, value in row.items()}

    def _pixels(self, path: Path, inputs: Any) -> Any:
        """A picture as the graph's one input: resized where its size is fixed, scaled where it takes floats."""
        info = inputs[_only(inputs)]
        try:
            picture = tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False)
        except tf.errors.InvalidArgumentError as error:
            raise BuildError(f"the calibration picture {path} does not decode; repair or remove it") from error
        size = tf.TensorShape(info.tensor_shape).as_list()[1:3]
        if None not in size:
            picture = tf.image.resize(picture, size, antialias=True)
        if tf.as_dtype(info.dtype).is_integer:
            return tf.cast(tf.round(picture), info.dtype).numpy()
        darkest, brightest = self.pixels
        return (tf.cast(picture, info.dtype) * ((brightest - darkest) / 255) + darkest).numpy()


def locate(path: Path, pictures: int, pixels: tuple[float, float] = (0.0, 255.0)) -> Calibration:
    """The first so many files of calibration data at a path, a COCO folder's ``images`` included.

    Raises:
        BuildError: there is nothing of the kind.
    """
    if not path.exists():
        raise BuildError(f"the calibration data {path} does not exist; name a folder of pictures with --calibration")
    folder = path / "images" if (path / "images").is_dir() else path
    found = [path] if path.is_file() else sorted(folder.iterdir())
    files = [each for each in found if each.suffix.lower() in _PICTURES + _ARRAYS]
    if not files:
        raise BuildError(f"{folder} holds no calibration pictures (.jpg, .png) nor arrays (.npy, .npz); put some there")
    return Calibration(tuple(files[:pictures]), pixels)


def _only(inputs: Any) -> str:
    if len(inputs) != 1:
        raise BuildError(
            f"the graph takes {', '.join(sorted(inputs))}: pictures cannot feed them; calibrate with .npz files"
        )
    return str(next(iter(inputs)))


def _arrays(path: Path, inputs: Any) -> Iterator[dict[str, Any]]:
    """The rows of an array, or of the arrays of an archive that are named as the graph's inputs are."""
    try:
        loaded = np.load(path)
    except (ValueError, OSError) as error:
        raise BuildError(f"the calibration file {path} is damaged ({error}); write it anew with numpy") from error
    arrays = {_only(inputs): loaded} if path.suffix == ".npy" else dict(loaded)
    if arrays.keys() != inputs.keys():
        raise BuildError(f"{path} holds {', '.join(arrays)}; name its arrays as the inputs: {', '.join(inputs)}")
    for place in range(min(len(array) for array in arrays.values())):
        yield {name: array[place] for name, array in arrays.items()}


def _fitting(value: Any, info: Any, path: Path) -> Any:
    """A batch of one, if its shape and type are the input's."""
    batch, wanted = value[None], tf.TensorShape(info.tensor_shape)
    if not wanted.is_compatible_with(batch.shape) or tf.as_dtype(info.dtype) != tf.as_dtype(value.dtype):
        raise BuildError(
            f"{path} gives {value.dtype} of shape {list(batch.shape)}, but the graph takes "
            f"{tf.as_dtype(info.dtype).name} of shape {wanted}; calibrate with data that fits"
        )
    return batch
