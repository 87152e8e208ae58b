"""Small graphs with the loops that detectors are exported with, written as the exporting libraries write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import control_flow_util

from converters import graphs

tf1 = tf.compat.v1


@contextmanager
def control_flow(version: int) -> Iterator[None]:
    """Loops as TensorFlow 1 wrote them, or as functions; only inside the block."""
    before = control_flow_util.ENABLE_CONTROL_FLOW_V2
    control_flow_util.ENABLE_CONTROL_FLOW_V2 = version == 2
    try:
        yield
    finally:
        control_flow_util.ENABLE_CONTROL_FLOW_V2 = before


def save(folder: Path, build: Callable[[], dict[str, Any]], inputs: list[str]) -> Path:
    """What ``build`` puts into a graph, as a servable whose outputs are called as in its answer."""
    graph = tf.Graph()
    with graph.as_default(), control_flow(1):
        names = [tf.identity(tensor, name).name for name, tensor in build().items()]
    graph_def = graph.as_graph_def()
    signature = graphs.signature_of(graph_def, inputs, names)
    graphs.write(graphs.Graph(graph_def, "serving_default", signature), folder)
    return folder


def answers(folder: Path, **inputs: Any) -> dict[str, Any]:
    """What a servable answers."""
    graph = graphs.read(folder)
    with tf1.Session(graph=graphs.imported(graph.graph_def)) as session:
        fetched = {name: info.name for name, info in graph.signature.outputs.items()}
        return session.run(fetched, {f"{name}:0": value for name, value in inputs.items()})


@dataclass(frozen=True)
class Detector:
    """A post-processing: which form it has, and its numbers.

    Attributes:
        form: ``filtered`` drops low scores before suppression (Object Detection API until 2018), ``padded``
            suppresses, marks rows without a box and sorts (since 2019), ``labels`` is Keras RetinaNet's.
        clip: where boxes are cut off at a window: nowhere, ``before`` suppression, or ``after``.
        prune: whether boxes that are empty then are dropped.
        own_window: whether each picture comes with its own window.
    """

    form: str = "filtered"
    classes: int = 3
    anchors: int | None = None
    iou: float = 0.6
    score: float = 0.05
    per_class: int = 8
    total: int = 10
    first_class: float = 1.0
    clip: str | None = "before"
    prune: bool = True
    own_window: bool = False
    nms: int = 3
    scope: str = "Postprocessor"

    def build(self) -> dict[str, Any]:
        """Boxes, scores, classes and how many, for ``boxes`` and ``scores`` and, where there is one, ``window``."""
        boxes = tf1.placeholder(tf.float32, [None, self.anchors, 4], "boxes")
        scores = tf1.placeholder(tf.float32, [None, self.anchors, self.classes], "scores")
        window = tf1.placeholder(tf.float32, [None, 4], "window") if self.own_window else None
        given = [boxes, scores] if window is None else [boxes, scores, window]
        kinds = [tf.float32] * 3 + ([] if self.form == "labels" else [tf.float32])
        kinds = kinds if self.form != "labels" else [tf.float32, tf.float32, tf.int32]
        with tf1.name_scope(self.scope):
            found = tf.map_fn(self._one_picture, given, fn_output_signature=kinds)
        return dict(zip(("detection_boxes", "detection_scores", "detection_classes", "num_detections"), found))

    @property
    def inputs(self) -> list[str]:
        return ["boxes:0", "scores:0"] + (["window:0"] if self.own_window else [])

    def save(self, folder: Path) -> Path:
        """As a servable."""
        return save(folder, self.build, self.inputs)

    def _one_picture(self, given: list[Any]) -> list[Any]:
        boxes, scores, *window = given
        limits = window[0] if window else tf.constant([0.0, 0.0, 1.0, 1.0])
        form = {"filtered": self._filtered, "padded": self._padded, "labels": self._labels}[self.form]
        return form(boxes, tf.unstack(scores, self.classes, axis=1), limits)

    def _suppress(self, boxes: Any, scores: Any) -> Any:
        most = tf.minimum(self.per_class, tf.shape(boxes)[0])
        if self.nms == 2:
            return tf.raw_ops.NonMaxSuppressionV2(
                boxes=boxes, scores=scores, max_output_size=most, iou_threshold=self.iou
            )
        if self.nms == 5:
            threshold = self.score if self.form == "padded" else float("-inf")
            return tf.image.non_max_suppression_with_scores(boxes, scores, most, self.iou, threshold)[0]
        return tf.image.non_max_suppression(boxes, scores, most, self.iou)

    def _filtered(self, boxes: Any, scores: list[Any], window: Any) -> list[Any]:
        kept = []
        for number, of_class in enumerate(scores):
            some = tf.reshape(tf.where(of_class > self.score), [-1])
            rows, values = tf.gather(boxes, some), tf.gather(of_class, some)
            if self.clip == "before":
                rows, values = cut_off(rows, values, window, self.prune)
            best = self._suppress(rows, values)
            values = tf.gather(values, best)
            kept.append((tf.gather(rows, best), values, tf.zeros_like(values) + (number + self.first_class)))
        rows, values, classes = (tf.concat(each, 0) for each in zip(*kept))
        values, order = tf.math.top_k(values, tf.minimum(self.total, tf.shape(values)[0]))
        missing = self.total - tf.shape(values)[0]
        rows = tf.pad(tf.gather(rows, order), [[0, missing], [0, 0]])
        classes = tf.pad(tf.gather(classes, order), [[0, missing]])
        return [rows, tf.pad(values, [[0, missing]]), classes, tf.cast(tf.shape(values)[0], tf.float32)]

    def _padded(self, boxes: Any, scores: list[Any], window: Any) -> list[Any]:
        kept, found = [], tf.constant(0)
        for number, of_class in enumerate(scores):
            best = self._suppress(boxes, of_class)
            most, some = tf.minimum(self.per_class, tf.shape(boxes)[0]), tf.shape(best)[0]
            best = tf.concat([best, tf.zeros([most - some], tf.int32)], 0)
            values = tf.where(tf.range(most) < some, tf.gather(of_class, best), -tf.ones([most]))
            kept.append((tf.gather(boxes, best), values, tf.zeros_like(values) + (number + self.first_class)))
            found += some
        rows, values, classes = by_score(*(tf.concat(each, 0) for each in zip(*kept)))
        if self.clip == "after":
            low, high = corners(rows, window)
            values = tf.where(tf.reduce_prod(high - low, 1) > 0, values, -tf.ones_like(values))
            found = tf.reduce_sum(tf.cast(values >= 0, tf.int32))
            rows, values, classes = by_score(tf.concat([low, high], 1), values, classes)
        found = tf.minimum(found, tf.minimum(self.total, tf.shape(values)[0]))
        pads = [[0, self.total - found]]
        rows = tf.pad(rows[:found], [*pads, [0, 0]])
        return [rows, tf.pad(values[:found], pads), tf.pad(classes[:found], pads), tf.cast(found, tf.float32)]

    def _labels(self, boxes: Any, scores: list[Any], window: Any) -> list[Any]:
        kept = []
        for number, of_class in enumerate(scores):
            some = tf.where(of_class > self.score)
            best = self._suppress(tf.gather_nd(boxes, some), tf.gather(of_class, some)[:, 0])
            some = tf.gather(some, best)
            kept.append(tf.stack([some[:, 0], number * tf.ones_like(some[:, 0])], axis=1))
        places = tf.concat(kept, 0)
        values = tf.gather_nd(tf.stack(scores, 1), places)
        values, order = tf.math.top_k(values, tf.minimum(self.total, tf.shape(values)[0]))
        pads = [[0, self.total - tf.shape(values)[0]]]
        rows = tf.pad(tf.gather(boxes, tf.gather(places[:, 0], order)), [*pads, [0, 0]], constant_values=-1.0)
        labels = tf.pad(tf.gather(places[:, 1], order), pads, constant_values=-1)
        return [rows, tf.pad(values, pads, constant_values=-1.0), tf.cast(labels, tf.int32)]


def corners(boxes: Any, window: Any) -> tuple[Any, Any]:
    """The corners of boxes inside of a window."""
    first, last = window[:2], window[2:]
    low, high = (tf.maximum(tf.minimum(part, last), first) for part in (boxes[:, :2], boxes[:, 2:]))
    return low, high


def cut_off(boxes: Any, scores: Any, window: Any, prune: bool) -> tuple[Any, Any]:
    """Boxes inside of a window, those that are empty then dropped where wanted."""
    low, high = corners(boxes, window)
    boxes = tf.concat([low, high], 1)
    if prune:
        some = tf.reshape(tf.where(tf.reduce_prod(high - low, 1) > 0.0), [-1])
        boxes, scores = tf.gather(boxes, some), tf.gather(scores, some)
    return boxes, scores


def by_score(boxes: Any, scores: Any, classes: Any) -> tuple[Any, Any, Any]:
    """The best first."""
    scores, order = tf.math.top_k(scores, tf.shape(scores)[0])
    return tf.gather(boxes, order), scores, tf.gather(classes, order)


def random_boxes(rng: np.random.Generator, pictures: int, anchors: int, classes: int) -> dict[str, Any]:
    """Boxes in and around the picture, of which many overlap, with a score for each class."""
    middle, half = rng.uniform(-0.2, 1.2, (2, pictures, anchors, 2)), 0
    half = rng.uniform(0.02, 0.4, (pictures, anchors, 2))
    boxes = np.concatenate([middle[0] - half, middle[0] + half], -1).astype(np.float32)
    scores = rng.uniform(0, 1, (pictures, anchors, classes)).astype(np.float32)
    return {"boxes": boxes, "scores": scores}
