"""Calibration data: a folder of pictures, or arrays as the graph takes them, one feed a picture."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from converters.graphs import Graph
from model_config.errors import BuildError

_PICTURES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
_ARRAYS: Final = (".npy", ".npz")


# of the examples, every so-manieth is held out where nothing else is there to judge by; of fewer, none
HELD_OUT: Final = 4
_FEWEST: Final = 16


@dataclass(frozen=True)
class Calibration:
    """Where the data lies and how it becomes what the graph takes.

    Attributes:
        files: pictures, or ``.npy`` and ``.npz`` files whose arrays are fed row by row.
        pixels: what the darkest and the brightest pixel become where the graph takes floats.
        every: every so-manieth example is not learnt from; 0 for none.
        held: these are the examples held out, instead of the others.
    """

    files: tuple[Path, ...]
    pixels: tuple[float, float] = (0.0, 255.0)
    every: int = 0
    held: bool = False

    def sha256(self) -> str:
        """A hash over every byte of the data."""
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def held_out(self) -> Calibration:
        """The examples that are not learnt from."""
        return replace(self, held=True)

    def feeds(self, graph: Graph) -> Iterator[Mapping[str, Any]]:
        """What to feed the graph, one example after the other; BuildError when the data does not fit it."""
        inputs = graph.signature.inputs
        for row in self.rows(inputs):
            yield {inputs[name].name: value for name, value in row.items()}

    def rows(self, inputs: Any) -> Iterator[Mapping[str, Any]]:
        """The same by the names that a signature gives its inputs."""
        for place, (path, read) in enumerate(self._examples(inputs)):
            if not self.every or (place % self.every == self.every - 1) == self.held:
                yield {name: _fitting(value, inputs[name], path) for name, value in read().items()}

    def __len__(self) -> int:
        """How many examples there are, those held out included."""
        return sum(_length(path) if _is_array(path) else 1 for path in self.files)

    def _examples(self, inputs: Any) -> Iterator[tuple[Path, Callable[[], dict[str, Any]]]]:
        """Every example's file, and what reads it, as not all of them are needed."""
        for path in self.files:
            if _is_array(path):
                yield from ((path, partial(dict, row)) for row in _arrays(path, inputs))
            else:
                yield path, partial(self._picture, path, inputs)

    def _picture(self, path: Path, inputs: Any) -> dict[str, Any]:
        return {_only(inputs): self._pixels(path, inputs)}

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


def locate(
    path: Path, pictures: int, pixels: tuple[float, float] = (0.0, 255.0), hold_out: bool = False
) -> Calibration:
    """The first so many files of calibration data at a path, a COCO folder's ``images`` included.

    Args:
        hold_out: set some examples aside to judge by, unless there are too few.

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
    data = Calibration(tuple(files[:pictures]), pixels)
    return replace(data, every=HELD_OUT) if hold_out and len(data) >= _FEWEST else data


def _is_array(path: Path) -> bool:
    return path.suffix.lower() in _ARRAYS


def _only(inputs: Any) -> str:
    if len(inputs) != 1:
        raise BuildError(
            f"the graph takes {', '.join(sorted(inputs))}: pictures cannot feed them; calibrate with .npz files"
        )
    return str(next(iter(inputs)))


def _arrays(path: Path, inputs: Any) -> Iterator[dict[str, Any]]:
    """The rows of an array, or of the arrays of an archive that are named as the graph's inputs are."""
    loaded = _loaded(path)
    arrays = {_only(inputs): loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    if arrays.keys() != inputs.keys():
        raise BuildError(f"{path} holds {', '.join(arrays)}; name its arrays as the inputs: {', '.join(inputs)}")
    for place in range(min(len(array) for array in arrays.values())):
        yield {name: array[place] for name, array in arrays.items()}


def _length(path: Path) -> int:
    loaded = _loaded(path)
    return len(loaded) if isinstance(loaded, np.ndarray) else min(len(array) for array in loaded.values())


def _loaded(path: Path) -> Any:
    try:
        return np.load(path)
    except (ValueError, OSError) as error:
        raise BuildError(f"the calibration file {path} is damaged ({error}); write it anew with numpy") from error


def _fitting(value: Any, info: Any, path: Path) -> Any:
    """A batch of one, if its shape and type are the input's."""
    batch, wanted = value[None], tf.TensorShape(info.tensor_shape)
    if not wanted.is_compatible_with(batch.shape) or tf.as_dtype(info.dtype) != tf.as_dtype(value.dtype):
        raise BuildError(
            f"{path} gives {value.dtype} of shape {list(batch.shape)}, but the graph takes "
            f"{tf.as_dtype(info.dtype).name} of shape {wanted}; calibrate with data that fits"
        )
    return batch
