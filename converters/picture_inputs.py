"""Pictures as what a graph takes: as models.yaml encodes them for clients, or as far as the graph itself tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from converters import graphs
from converters.checking import strings
from converters.graphs import Graph
from evaluation.pictures import Picture
from evaluation.tasks import encoding
from evaluation.tasks.encoding import Encoder
from model_config.errors import BuildError, SuiteError
from model_config.models import Model
from model_config.signatures import Signature, Tensor
from model_config.tasks import Encode


@dataclass(frozen=True)
class Way:
    """How pictures become inputs.

    Attributes:
        pixels: what the darkest and the brightest pixel become where the graph takes floats.
        encode: a task's own words for it, which go before.
    """

    pixels: tuple[float, float] = (0.0, 255.0)
    encode: Encode | None = None

    @classmethod
    def of(cls, model: Model) -> Way:
        """As a model declares it; BuildError where it does so twice."""
        declared = model.task.encode if model.task.encode != Encode() else None
        if model.calibration is None:
            return cls(encode=declared)
        if declared is not None and "pixels" in model.calibration.model_fields_set:
            raise BuildError(
                f"{model.name} says twice how pictures become inputs; task.encode serves calibration too, "
                "so delete calibration.pixels in models.yaml"
            )
        return cls(model.calibration.pixels, declared)

    @classmethod
    def from_words(cls, pixels: str, encode: str) -> Way:
        """What ``words`` gave."""
        darkest, brightest = (float(value) for value in (pixels or "0,255").split(","))
        return cls((darkest, brightest), Encode.model_validate_json(encode) if encode else None)

    def words(self) -> dict[str, str]:
        """As parameters of a pass."""
        if self.encode is None:
            return {"pixels": ",".join(map(str, self.pixels))}
        return {"encode": self.encode.model_dump_json(exclude_defaults=True)}

    def into(self, dtype: str) -> Encode:
        """The same for an input of this type."""
        if self.encode is not None:
            return self.encode
        if not tf.as_dtype(dtype).is_floating:
            return Encode(interpolation="area", file="jpg")
        darkest, brightest = self.pixels
        scale = 255 / (brightest - darkest)
        return Encode(mean=-darkest * scale, scale=scale, interpolation="area")


@dataclass(frozen=True)
class PictureInput:
    """The input that takes a picture.

    Attributes:
        graph: which tells what its strings hold.
        declared: whether models.yaml says how pictures become inputs.
    """

    encoder: Encoder
    graph: Graph
    declared: bool

    @classmethod
    def of(cls, graph: Graph, way: Way) -> PictureInput:
        """The one input of a graph's signature; BuildError where pictures cannot feed it."""
        inputs = graphs.plain(graph.signature).inputs
        if len(inputs) != 1:
            raise BuildError(
                f"the graph takes {', '.join(sorted(inputs))}: pictures cannot feed them; calibrate with .npz files"
            )
        ((name, tensor),) = inputs.items()
        how = way.into(tensor.dtype)
        try:
            encoder = encoding.encoder(Signature("", {name: _batched(tensor, how)}, {}), how)
        except SuiteError as error:
            raise BuildError(f"{error} under task in models.yaml, or calibrate with .npy files") from error
        return cls(encoder, graph, way.encode is not None)

    def row(self, picture: Picture) -> Mapping[str, Any]:
        """A picture (uint8 RGB) as one example, without a batch around it."""
        arrays, _ = self.encoder.encode([picture])
        return {name: self._string(each[0]) if each.dtype == object else each[0] for name, each in arrays.items()}

    def _string(self, content: bytes) -> Any:
        """A picture's file inside what the graph's strings are, such as a tf.Example."""
        graph_def, draw = self.graph.graph_def, np.random.default_rng(0)
        if not strings.hold_pictures(graph_def):
            raise BuildError(
                f"the graph does not decode pictures from the strings of {self.encoder.name}; "
                "calibrate with what it takes, in .tfrecord or .npz files"
            )
        (told,) = (strings.in_examples if self.declared else strings.encoded)(graph_def, [content], draw) or [content]
        return np.array(told, object)


def _batched(tensor: Tensor, how: Encode) -> Tensor:
    """The tensor with a batch in front, also where it takes one picture without."""
    shape = tensor.shape
    single = shape is not None and tensor.dtype != "string" and len(shape) == (1 if how.layout == "flat" else 3)
    return replace(tensor, shape=(1, *(shape or ()))) if single else tensor
