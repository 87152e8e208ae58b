"""Calibration data: a folder of pictures, or examples as the graph takes them, one feed an example."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from converters import example_files
from converters.graphs import Graph
from converters.picture_inputs import PictureInput, Way
from evaluation import pictures
from evaluation.errors import BadPicture
from model_config.errors import BuildError
from model_config.models import Model

_PICTURES: Final = (".jpg", ".jpeg", ".png", ".bmp")

# of the examples, every so-manieth is held out where nothing else is there to judge by; of fewer, none
HELD_OUT: Final = 4
_FEWEST: Final = 16
VIEWS: Final = 10  # of a picture


@dataclass(frozen=True)
class Calibration:
    """Where the data lies and how it becomes what the graph takes.

    Attributes:
        files: pictures, or files of examples (``example_files``).
        way: how pictures become inputs.
        every: every so-manieth example is not learnt from; 0 for none.
        held: these are the examples held out, instead of the others.
        views: every picture comes whole and in parts, and mirrored, where there are few to judge by.
        read: how a picture's file is read.
    """

    files: tuple[Path, ...]
    way: Way = field(default_factory=Way)
    every: int = 0
    held: bool = False
    views: bool = False
    read: Callable[[Path], Any] = pictures.read

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
        for row in self.rows(graph):
            yield {inputs[name].name: value for name, value in row.items()}

    def rows(self, graph: Graph) -> Iterator[Mapping[str, Any]]:
        """The same by the names that the signature gives its inputs."""
        for place, (path, read) in enumerate(self._examples(graph)):
            if not self.every or (place % self.every == self.every - 1) == self.held:
                for row in read():
                    yield {name: _fitting(value, graph.signature.inputs[name], path) for name, value in row.items()}

    @property
    def is_pictures(self) -> bool:
        """Whether all of it is pictures."""
        return not any(map(example_files.is_one, self.files))

    def __len__(self) -> int:
        """How many examples there are, those held out included."""
        return sum(example_files.length(path) if example_files.is_one(path) else 1 for path in self.files)

    def _examples(self, graph: Graph) -> Iterator[tuple[Path, Callable[[], Iterable[Mapping[str, Any]]]]]:
        """Every example's file, and what reads it, as not all of them are needed."""
        shown = None
        for path in self.files:
            if example_files.is_one(path):
                rows = example_files.rows(path, graph.signature.inputs)
                yield from ((path, partial(list, [row])) for row in rows)
            else:
                shown = shown or PictureInput.of(graph, self.way)
                yield path, partial(self._pictures, path, shown)

    def _pictures(self, path: Path, shown: PictureInput) -> Iterator[Mapping[str, Any]]:
        """A picture as the graph's one input, or several views of it."""
        try:
            picture = self.read(path)
        except BadPicture as error:
            raise BuildError(f"the picture {path} does not decode; repair or remove it") from error
        for view in _views(picture) if self.views else [picture]:
            yield shown.row(view)


def locate(path: Path, count: int, way: Way | None = None, hold_out: bool = False) -> Calibration:
    """The first so many files of calibration data at a path, a COCO folder's ``images`` included.

    Args:
        hold_out: set some examples aside to judge by, unless there are too few.

    Raises:
        BuildError: there is nothing of the kind.
    """
    if not path.exists():
        raise BuildError(f"{path} does not exist; name a folder of pictures such as the model will be asked about")
    folder = path / "images" if (path / "images").is_dir() else path
    found = [path] if path.is_file() else sorted(folder.iterdir())
    files = [each for each in found if each.suffix.lower() in _PICTURES or example_files.is_one(each)]
    if not files:
        known = ", ".join(example_files.ENDINGS)
        raise BuildError(f"{folder} holds no pictures (.jpg, .png) nor examples ({known}); put some there")
    data = Calibration(tuple(files[:count]), way or Way())
    return replace(data, every=HELD_OUT) if hold_out and len(data) >= _FEWEST else data


def of(model: Model) -> Calibration:
    """The data that a model declares; BuildError where it declares none, or there is nothing in it."""
    declared = model.calibration
    if declared is None:
        raise BuildError(f"{model.name} declares no calibration data; name a folder of pictures with --calibration")
    data = locate(declared.path, declared.pictures, Way.of(model), hold_out=not model.data)
    if not len(data):
        raise BuildError(f"{declared.path} holds no calibration examples; put some there")
    return data


def _views(picture: Any) -> Iterator[Any]:
    """The whole picture and its four corners, three quarters wide and high, each also mirrored."""
    height, width = (side * 3 // 4 for side in picture.shape[:2])
    corners = (picture[top, left] for top in _ends(height) for left in _ends(width))
    for view in (picture, *corners):
        yield view
        yield view[:, ::-1]


def _ends(length: int) -> tuple[slice, slice]:
    return slice(0, length), slice(-length, None)


def _fitting(value: Any, info: Any, path: Path) -> Any:
    """An example as it is fed: a batch of one, unless the input has no batch; BuildError where it does not fit."""
    wanted, dtype = tf.TensorShape(info.tensor_shape), tf.as_dtype(info.dtype)
    fed = value if wanted.rank is not None and wanted.rank == value.ndim else value[None]
    came = tf.as_dtype(value.dtype)
    if not wanted.is_compatible_with(fed.shape) or dtype != came:
        raise BuildError(
            f"{path} gives {came.name} of shape {list(fed.shape)}, but the graph takes "
            f"{dtype.name} of shape {wanted}; calibrate with data that fits"
        )
    return fed
