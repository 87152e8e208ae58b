"""Small graphs with the loops that detectors are exported with, written as the exporting libraries write them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import control_flow_util

from converters import graphs, registry

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


def save(folder: Path, build: Callable[..., dict[str, Any]], inputs: dict[str, tf.TensorSpec]) -> Path:
    """What ``build`` makes of the inputs as TensorFlow 1 writes it, outputs called as in its answer."""
    graph = tf.Graph()
    with graph.as_default(), control_flow(1):
        given = {name: tf1.placeholder(spec.dtype, spec.shape, name) for name, spec in inputs.items()}
        names = [tf.identity(tensor, name).name for name, tensor in build(**given).items()]
    graph_def = graph.as_graph_def()
    signature = graphs.signature_of(graph_def, [tensor.name for tensor in given.values()], names)
    graphs.write(graphs.Graph(graph_def, "serving_default", signature), folder)
    return folder


def save_functional(folder: Path, build: Callable[..., dict[str, Any]], inputs: dict[str, tf.TensorSpec]) -> Path:
    """The same as TensorFlow 2 exports it, with loops that are functions, and then frozen."""
    model = tf.Module()
    specs = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()]
    model.serve = tf.function(lambda *given: build(**dict(zip(inputs, given))), input_signature=specs)
    tf.saved_model.save(model, str(folder.with_suffix(".2")), signatures={"serving_default": model.serve})
    registry.find("freeze")(folder.with_suffix(".2"), folder)
    return folder


@functools.lru_cache(maxsize=4)
def _loaded(folder: Path) -> tuple[Any, dict[str, str]]:
    graph = graphs.read(folder)
    fetched = {name: info.name for name, info in graph.signature.outputs.items()}
    return tf1.Session(graph=graphs.imported(graph.graph_def)), fetched


def answers(folder: Path, **inputs: Any) -> dict[str, Any]:
    """What a servable answers; its inputs are called like their tensors."""
    session, fetched = _loaded(folder)
    return session.run(fetched, {f"{name}:0": value for name, value in inputs.items()})


@dataclass(frozen=True)
class Detector:
    """A post-processing: which form it has, and its numbers.

    Attributes:
        pictures: how many it always gets, None for any number; for one there is no loop.
        form: ``filtered`` drops low scores before suppression (Object Detection API until 2018), ``padded``
            suppresses, marks rows without a box and sorts (since 2019), ``labels`` is Keras RetinaNet's.
        clip: where boxes are cut off at a window: nowhere, ``before`` suppression, or ``after``.
        prune: whether boxes that are empty then are dropped.
        relative: whether boxes are counted from the window's corner, in its sizes.
        own_window: whether each picture comes with its own window.
        own_boxes: whether each class has boxes of its own.
        properties: whether the loop is handed more, as by the Object Detection API: how many anchors count, masks
            that nobody needs, and two properties of anchors that are answered for the kept boxes.
    """

    form: str = "filtered"
    classes: int = 3
    pictures: int | None = None
    anchors: int | None = None
    iou: float = 0.6
    score: float = 0.05
    per_class: int = 8
    total: int = 10
    first_class: float = 1.0
    clip: str | None = "before"
    prune: bool = True
    relative: bool = False
    own_window: bool = False
    own_boxes: bool = False
    properties: bool = False
    nms: int = 3
    scope: str = "Postprocessor"

    def build(self, boxes: Any, scores: Any, window: Any = None) -> dict[str, Any]:
        """Boxes, scores, classes and how many."""
        given = [boxes, scores] if window is None else [boxes, scores, window]
        kinds = [tf.float32, tf.float32, *([tf.int32] if self.form == "labels" else [tf.float32] * 2)]
        names = ["detection_boxes", "detection_scores", "detection_classes", "num_detections"][: len(kinds)]
        if self.properties:
            given += self._further(boxes, scores)
            names += ["detection_multiclass_scores", "detection_anchor_indices"]
            kinds += [tf.float32] * 2
        with tf1.name_scope(self.scope):
            if boxes.shape[0] == 1:  # as the Object Detection API's static_or_dynamic_map_fn does it
                found = [tf.stack([each]) for each in self._one_picture([tf.unstack(each)[0] for each in given])]
            else:
                found = tf.map_fn(self._one_picture, given, fn_output_signature=kinds)
        return dict(zip(names, found))

    def _further(self, boxes: Any, scores: Any) -> list[Any]:
        count, anchors = tf.shape(boxes)[0], tf.shape(boxes)[1]
        numbers = tf.tile(tf.cast(tf.range(anchors), tf.float32)[tf.newaxis], [count, 1])
        masks = tf.zeros(tf.stack([count, anchors, 1, 1, 1]))
        return [
            masks,
            tf.concat([tf.zeros_like(scores[..., :1]), scores], -1),
            numbers,
            tf.ones([count], tf.int32) * anchors,
        ]

    @property
    def inputs(self) -> dict[str, tf.TensorSpec]:
        """What ``build`` takes."""
        each = [self.classes] if self.own_boxes else []
        window = {"window": tf.TensorSpec([self.pictures, 4])} if self.own_window else {}
        scores = tf.TensorSpec([self.pictures, self.anchors, self.classes])
        return {"boxes": tf.TensorSpec([self.pictures, self.anchors, *each, 4]), "scores": scores, **window}

    def save(self, folder: Path) -> Path:
        """As a servable that TensorFlow 1 wrote."""
        return save(folder, self.build, self.inputs)

    def _one_picture(self, given: list[Any]) -> list[Any]:
        boxes, scores, *others = given
        window = others.pop(0) if self.own_window else tf.constant([0.0, 0.0, 1.0, 1.0])
        properties = []
        if self.properties:
            _, *properties, count = others
            boxes, scores = (
                tf.slice(each, [0] * each.shape.rank, tf.stack([count] + [-1] * (each.shape.rank - 1)))
                for each in (boxes, scores)
            )
        form = {"filtered": self._filtered, "padded": self._padded, "labels": self._labels}[self.form]
        return form(boxes, tf.unstack(scores, self.classes, axis=1), window, *properties)

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

    def _boxes(self, boxes: Any, number: int) -> Any:
        return boxes[:, number] if self.own_boxes else boxes

    def _filtered(self, boxes: Any, scores: list[Any], window: Any, *properties: Any) -> list[Any]:
        kept = []
        for number, of_class in enumerate(scores):
            some = tf.reshape(tf.where(of_class > self.score), [-1])
            columns = [self._boxes(boxes, number), of_class, *properties]
            columns = [tf.gather(column, some) for column in columns]
            if self.clip == "before":
                columns = self._cut_off(columns, window)
            best = self._suppress(*columns[:2])
            columns = [tf.gather(column, best) for column in columns]
            kept.append([*columns, tf.zeros_like(columns[1]) + (number + self.first_class)])
        columns = by_score([tf.concat(each, 0) for each in zip(*kept)])
        return self._answer(columns, tf.minimum(self.total, tf.shape(columns[1])[0]))

    def _padded(self, boxes: Any, scores: list[Any], window: Any, *properties: Any) -> list[Any]:
        kept, found = [], tf.constant(0)
        for number, of_class in enumerate(scores):
            columns = [self._boxes(boxes, number), of_class, *properties]
            best = self._suppress(*columns[:2])
            most, some = tf.minimum(self.per_class, tf.shape(boxes)[0]), tf.shape(best)[0]
            best = tf.concat([best, tf.zeros([most - some], tf.int32)], 0)
            columns = [tf.gather(column, best) for column in columns]
            columns[1] = tf.where(tf.range(most) < some, columns[1], -tf.ones([most]))
            kept.append([*columns, tf.zeros_like(columns[1]) + (number + self.first_class)])
            found += some
        columns = by_score([tf.concat(each, 0) for each in zip(*kept)])
        if self.clip == "after":
            low, high = corners(columns[0], window)
            there = tf.reduce_prod(high - low, 1) > 0
            columns[:2] = self._framed(low, high, window), tf.where(there, columns[1], -tf.ones_like(columns[1]))
            found = tf.reduce_sum(tf.cast(columns[1] >= 0, tf.int32))
            columns = by_score(columns)
        return self._answer(columns, tf.minimum(found, tf.minimum(self.total, tf.shape(columns[1])[0])))

    def _answer(self, columns: list[Any], found: Any) -> list[Any]:
        pads = [[0, self.total - found]]
        rows = [tf.pad(each[:found], [*pads, *[[0, 0]] * (each.shape.rank - 1)]) for each in columns]
        boxes, scores, *properties, classes = rows
        return [boxes, scores, classes, tf.cast(found, tf.float32), *properties]

    def _cut_off(self, columns: list[Any], window: Any) -> list[Any]:
        low, high = corners(columns[0], window)
        columns = [self._framed(low, high, window), *columns[1:]]
        if self.prune:
            some = tf.reshape(tf.where(tf.reduce_prod(high - low, 1) > 0.0), [-1])
            columns = [tf.gather(column, some) for column in columns]
        return columns

    def _framed(self, low: Any, high: Any, window: Any) -> Any:
        if self.relative:
            low, high = ((corner - window[:2]) / (window[2:] - window[:2]) for corner in (low, high))
        return tf.concat([low, high], 1)

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


def by_score(columns: list[Any]) -> list[Any]:
    """The best first; scores are the second column."""
    order = tf.math.top_k(columns[1], tf.shape(columns[1])[0]).indices
    return [tf.gather(column, order) for column in columns]


def random_boxes(rng: np.random.Generator, shape: tuple[int, ...], classes: int) -> dict[str, Any]:
    """Boxes in and around the picture, of which many overlap, with a score for each class."""
    middle, half = rng.uniform(-0.2, 1.2, (*shape, 2)), rng.uniform(0.02, 0.4, (*shape, 2))
    boxes = np.concatenate([middle - half, middle + half], -1).astype(np.float32)
    return {"boxes": boxes, "scores": rng.uniform(0, 1, (*shape[:2], classes)).astype(np.float32)}
