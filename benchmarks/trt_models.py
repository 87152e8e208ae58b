"""The models that TensorRT is measured with: two with random weights and a normal range of values, one real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from graphs import MATERIAL

SIDE: Final = 640
CLASSES: Final = 80
_STRIDES: Final = (8, 16, 32, 64, 128)
_ANCHORS: Final = 9  # in each place
_SEED: Final = 1


def resnet50(folder: Path) -> Path:
    """ResNet-50 of keras.applications, 224 x 224, float [batch, 224, 224, 3] to probabilities, as a SavedModel."""
    tf.keras.utils.set_random_seed(_SEED)
    model = tf.keras.applications.ResNet50(weights=None)
    _settle(model, 224)
    return _save(model, (224, 224, 3), "input", folder, lambda pictures: {"probabilities": model(pictures)})


def retinanet(folder: Path) -> Path:
    """RetinaNet with ResNet-50 and a feature pyramid, 640 x 640, its NMS in the graph, as a SavedModel."""
    tf.keras.utils.set_random_seed(_SEED)
    model = _pyramid(tf.keras.applications.ResNet50(weights=None, include_top=False, input_shape=(SIDE, SIDE, 3)))
    _settle(model, SIDE)
    anchors = tf.constant(_anchors())

    def detect(pictures: Any) -> dict[str, Any]:
        scores, offsets = model(pictures)
        boxes = _decoded(anchors, offsets)
        found = tf.image.combined_non_max_suppression(boxes[:, :, None], tf.sigmoid(scores), 100, 100, 0.5, 0.05)
        names = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
        return {name: tf.cast(value, tf.float32) for name, value in zip(names, found)}

    return _save(model, (SIDE, SIDE, 3), "images", folder, detect)


def ssd(folder: Path) -> Path:
    """The COCO SSD of the model zoo, with its loops, as a frozen graph."""
    del folder  # it is there, or not
    return MATERIAL / "models" / "ssd_mobilenet_v1_coco" / "frozen_inference_graph.pb"


def _settle(model: Any, side: int) -> None:
    """Give batch norms the averages of their own inputs, without which random weights leave the range of numbers."""
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.0
    pictures = np.random.default_rng(_SEED).uniform(-1, 1, (4, side, side, 3)).astype(np.float32)
    model(pictures, training=True)


def _pyramid(backbone: Any) -> Any:
    layers = tf.keras.layers
    ends = [backbone.get_layer(f"conv{number}_block{blocks}_out").output for number, blocks in ((3, 4), (4, 6), (5, 3))]
    sides = [layers.Conv2D(256, 1)(end) for end in ends]
    p4 = layers.Add()([sides[1], layers.UpSampling2D()(sides[2])])
    p3 = layers.Add()([sides[0], layers.UpSampling2D()(p4)])
    maps = [layers.Conv2D(256, 3, padding="same")(each) for each in (p3, p4, sides[2])]
    maps.append(layers.Conv2D(256, 3, strides=2, padding="same")(ends[2]))
    maps.append(layers.Conv2D(256, 3, strides=2, padding="same")(layers.ReLU()(maps[-1])))
    # a trained head finds some hundreds of candidates a picture, and so does this one
    rare = tf.keras.initializers.Constant(-5.5)
    heads = [_head(_ANCHORS * CLASSES, rare, CLASSES), _head(_ANCHORS * 4, "zeros", 4)]
    scores, offsets = (layers.Concatenate(axis=1)([head(each) for each in maps]) for head in heads)
    return tf.keras.Model(backbone.input, [scores, offsets])


def _head(channels: int, bias: Any, values: int) -> Callable[[Any], Any]:
    layers = tf.keras.layers
    tower = [layers.Conv2D(256, 3, padding="same", activation="relu") for _ in range(4)]
    last = layers.Conv2D(channels, 3, padding="same", bias_initializer=bias)
    end = layers.Reshape((-1, values))

    def apply(maps: Any) -> Any:
        for layer in (*tower, last, end):
            maps = layer(maps)
        return maps

    return apply


def _anchors() -> Any:
    """Middle and size of every anchor, in pixels, [anchors, 4]."""
    rows = []
    for stride in _STRIDES:
        places = (np.arange(SIDE / stride) + 0.5) * stride
        ys, xs = np.meshgrid(places, places, indexing="ij")
        sizes = [
            (4 * stride * 2 ** (octave / 3) * ratio**0.5, 4 * stride * 2 ** (octave / 3) / ratio**0.5)
            for octave in range(3)
            for ratio in (0.5, 1.0, 2.0)
        ]
        middles = np.repeat(np.stack([ys, xs], -1).reshape(-1, 1, 2), _ANCHORS, 1)
        rows.append(np.concatenate([middles, np.broadcast_to(sizes, middles.shape)], -1).reshape(-1, 4))
    return np.concatenate(rows).astype(np.float32)


def _decoded(anchors: Any, offsets: Any) -> Any:
    """Boxes from 0 to 1."""
    middles = anchors[:, :2] + offsets[..., :2] * 0.1 * anchors[:, 2:]
    halves = anchors[:, 2:] * tf.exp(tf.minimum(offsets[..., 2:] * 0.2, 4.0)) / 2
    return tf.clip_by_value(tf.concat([middles - halves, middles + halves], -1) / SIDE, 0.0, 1.0)


def _save(model: Any, shape: tuple[int, ...], name: str, folder: Path, answer: Callable[[Any], dict[str, Any]]) -> Path:
    module = tf.Module()
    module.model = model
    module.answer = tf.function(answer, input_signature=[tf.TensorSpec([None, *shape], tf.float32, name=name)])
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.answer})
    return folder
