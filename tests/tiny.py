"""A detector small enough to build in a second and real enough to convert, serve and ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

_WIDTH = 64


class Detector(tf.Module):
    """Two convolutions with a batch norm between, one box a cell of an 8 x 8 grid, NMS in the graph."""

    def __init__(self) -> None:
        super().__init__()
        draw = tf.random.Generator.from_seed(3)
        self.first = tf.Variable(draw.normal([3, 3, 3, _WIDTH], stddev=0.3))
        self.scale = tf.Variable(draw.uniform([_WIDTH], 0.5, 1.5))
        self.shift = tf.Variable(draw.normal([_WIDTH], stddev=0.1))
        self.second = tf.Variable(draw.normal([3, 3, _WIDTH, _WIDTH], stddev=0.05))
        self.head = tf.Variable(draw.normal([1, 1, _WIDTH, 6], stddev=0.2))

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="inputs")])
    def serve(self, inputs: Any) -> dict[str, Any]:
        pixels = tf.image.resize(inputs, (32, 32)) / 127.5 - 1.0
        maps = tf.nn.conv2d(pixels, self.first, 2, "SAME")
        maps = tf.nn.relu(maps * self.scale + self.shift)
        maps = tf.nn.relu(tf.nn.conv2d(maps, self.second, 2, "SAME"))
        found = tf.reshape(tf.nn.conv2d(maps, self.head, 1, "SAME"), (-1, 64, 6))
        middle, scores = tf.sigmoid(found[..., :4]), tf.sigmoid(found[..., 4:])
        boxes = tf.concat([middle[..., :2] * 0.5, 0.5 + middle[..., 2:] * 0.5], -1)
        boxes, scores, classes, count = tf.image.combined_non_max_suppression(
            boxes[:, :, None], scores, 10, 10, iou_threshold=0.9, score_threshold=0.05
        )
        return {
            "detection_boxes": boxes,
            "detection_scores": scores,
            "detection_classes": classes + 1.0,
            "num_detections": tf.cast(count, tf.float32),
        }


def save_detector(folder: Path) -> Path:
    """As a TensorFlow 2 SavedModel."""
    model = Detector()
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.serve})
    return folder


def freeze_detector(saved_model: Path, path: Path) -> Path:
    """As a frozen graph whose input is ``image_tensor`` and whose outputs have the zoo's names."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    loaded = tf.saved_model.load(str(saved_model))  # held, as its variables end with it
    function = loaded.signatures["serving_default"]
    frozen = convert_variables_to_constants_v2(function)
    graph = tf.Graph()
    with graph.as_default():
        picture = tf.compat.v1.placeholder(tf.uint8, [None, None, None, 3], name="image_tensor")
        names = sorted(function.structured_outputs)
        tensors = [tensor.name for tensor in frozen.outputs]
        graph_def = frozen.graph.as_graph_def()
        ends = tf.import_graph_def(graph_def, {frozen.inputs[0].name: picture}, tensors, name="detector")
        for name, tensor in zip(names, ends):
            tf.identity(tensor, name=name)
    path.write_bytes(tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), names).SerializeToString())
    return path


class Dense(tf.Module):
    """The model the stock server's answers were recorded with, as far as they show: three small signatures."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        self.bias = tf.Variable([1.0, -1.0])

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def dense(self, x: Any) -> dict[str, Any]:
        return {"y": x @ self.weights + self.bias}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name=name) for name in "ab"])
    def add(self, a: Any, b: Any) -> dict[str, Any]:
        return {"sum": a + b, "diff": a - b}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="s")])
    def slen(self, s: Any) -> dict[str, Any]:
        return {"n": tf.strings.length(s), "echo": s}


def save_dense(folder: Path) -> Path:
    """As a TensorFlow 2 SavedModel with the signatures serving_default, add and slen."""
    model = Dense()
    signatures = {"serving_default": model.dense, "add": model.add, "slen": model.slen}
    tf.saved_model.save(model, str(folder), signatures=signatures)
    return folder


def save_function(folder: Path, answer: Any, *specs: Any) -> Path:
    """As a TensorFlow 2 SavedModel of one function, which gives its outputs by name."""
    module = tf.Module()
    module.serve = tf.function(answer, input_signature=specs)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    return folder
