"""Models to measure with: real ones where they are, and one with random weights whose speed is real."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

MATERIAL = Path(os.environ.get("SUITE_MATERIAL", Path(__file__).parents[2] / "shared" / "material"))


@dataclass(frozen=True)
class Subject:
    """One model: where its frozen float graph is, what it is fed, and what pixels become where it knows pictures.

    Attributes:
        pixels: what the darkest and the brightest one become; None for a model that only speed is measured of.
    """

    name: str
    frozen: Callable[[Path], Path]
    outputs: tuple[str, ...]
    feed: Callable[[int], np.ndarray[Any, Any]]
    pixels: tuple[float, float] | None = None

    @property
    def labelled(self) -> Path | None:
        """Pictures that nothing is learnt from; the gate judges by them."""
        return MATERIAL / "data" / "cc0_detection" if self.pixels else None

    def entry(self, source: Path, scratch: Path) -> dict[str, Any]:
        """The model as models.yaml names it, calibrated with pictures, or else with what it is fed here."""
        made: dict[str, Any] = {"source": str(source), "outputs": list(self.outputs)}
        if self.pixels:
            pictures = str(MATERIAL / "data" / "coco_calibration")
            return {
                **made,
                "calibration": {"path": pictures, "pixels": list(self.pixels)},
                "data": str(self.labelled),
            }
        path = scratch / "calibration.npy"
        np.save(path, self.feed(32))
        # random weights know nothing that could be right
        return {**made, "calibration": {"path": str(path)}, "goals": {"accuracy": {"threshold": 0}}}


def _material(*parts: str) -> Callable[[Path], Path]:
    return lambda scratch: MATERIAL.joinpath("models", *parts)


def _pictures(*shape: int) -> Callable[[int], np.ndarray[Any, Any]]:
    return lambda batch: np.random.default_rng(1).integers(0, 256, (batch, *shape), np.uint8)


def _floats(*shape: int) -> Callable[[int], np.ndarray[Any, Any]]:
    return lambda batch: np.random.default_rng(1).uniform(-1, 1, (batch, *shape)).astype(np.float32)


def resnet50(scratch: Path) -> Path:
    """ResNet-50 of keras.applications with random weights and random batch norms, as a frozen graph."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    tf.keras.utils.set_random_seed(1)
    model = tf.keras.applications.ResNet50(weights=None)
    rng = np.random.default_rng(1)
    for variable in model.variables:
        if "moving" in variable.name or "gamma" in variable.name:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(
        tf.TensorSpec([None, 224, 224, 3], tf.float32, name="input")
    )
    graph_def = convert_variables_to_constants_v2(function).graph.as_graph_def()
    path = scratch / "resnet50.pb"
    path.write_bytes(graph_def.SerializeToString())
    return path


_DETECTOR = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
SUBJECTS: Mapping[str, Subject] = {
    subject.name: subject
    for subject in (
        Subject(
            "ssd_mobilenet_v1_coco",
            _material("ssd_mobilenet_v1_coco", "frozen_inference_graph.pb"),
            _DETECTOR,
            _pictures(480, 640, 3),
            (0, 255),
        ),
        Subject(
            "mobilenet_v2",
            _material("mobilenet_v2_imagenet", "mobilenet_v2_1.0_224_frozen.pb"),
            ("output_probabilities",),
            _floats(224, 224, 3),
            (-1, 1),
        ),
        Subject("resnet50", resnet50, ("Identity",), _floats(224, 224, 3)),
    )
}


def session(folder: Path) -> tuple[Any, str, list[str]]:
    """A session as the stock server holds one, its input's tensor and its outputs' tensors."""
    graph = tf.Graph()
    opened = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        meta = tf.compat.v1.saved_model.load(opened, ["serve"], str(folder))
    signature = meta.signature_def["serving_default"]
    (fed,) = (info.name for info in signature.inputs.values())
    return opened, fed, [info.name for info in signature.outputs.values()]
