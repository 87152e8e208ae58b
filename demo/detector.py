"""The network of the demo: a small single-shot detector, and the servable made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from demo.anchors import ANCHORS, GRIDS, SCALES
from demo.shapes import LABELS

SIZE = 112  # of the pictures the network looks at; 8 and 16 times the cells of the grids
MOST_DETECTIONS = 20
LEAST_SCORE = 0.05  # low, since a precision-recall curve wants the doubtful ones too
SAME_OBJECT = 0.5  # intersection over union above which the lesser of two detections goes
RARE = -4.0  # the logit of a shape at an anchor before anything is learned

Tensor = Any  # TensorFlow has no types of its own
layers = tf.keras.layers


def network(seed: int) -> Any:
    """Prepared pictures in; logits [batch, anchors, classes] and offsets [batch, anchors, 4] out."""
    seeds = iter(range(seed * 100, seed * 100 + 100))
    pictures = tf.keras.Input((SIZE, SIZE, 3))
    features = _convolve(pictures, (24, 32, 32), (2, 2, 1), seeds)
    fine = _convolve(features, (64, 64, 64), (2, 1, 1), seeds)
    coarse = _convolve(fine, (128, 128, 128), (2, 1, 1), seeds)
    heads = list(zip((fine, coarse), GRIDS))
    logits = [_head(maps, len(grid.sizes), len(LABELS), RARE, seeds) for maps, grid in heads]
    offsets = [_head(maps, len(grid.sizes), 4, 0.0, seeds) for maps, grid in heads]
    return tf.keras.Model(pictures, [layers.Concatenate(axis=1)(every) for every in (logits, offsets)])


def prepare(pictures: Tensor) -> Tensor:
    """Pictures uint8 of any size to what the network takes."""
    return tf.image.resize(pictures, (SIZE, SIZE)) / 127.5 - 1.0


def probabilities(logits: Tensor) -> Tensor:
    """Logits of the shapes to probabilities of background, shape 1, shape 2 and so on."""
    return tf.nn.softmax(tf.pad(logits, ((0, 0), (0, 0), (1, 0))))


def decode(offsets: Tensor) -> Tensor:
    """Offsets [batch, anchors, 4] to boxes: ymin, xmin, ymax, xmax as shares of the picture."""
    scaled = offsets * SCALES
    middle = ANCHORS[:, :2] + scaled[..., :2] * ANCHORS[:, 2:]
    half = tf.exp(scaled[..., 2:]) * ANCHORS[:, 2:] / 2
    return tf.concat([middle - half, middle + half], axis=-1)


def save(model: Any, folder: str) -> None:
    """Write the network as a servable: pictures in, detections out."""

    def answer(inputs: Tensor) -> Mapping[str, Tensor]:
        logits, offsets = model(prepare(inputs), training=False)
        return _detections(logits, offsets)

    pictures = tf.TensorSpec((None, None, None, 3), tf.uint8, name="inputs")
    serve = tf.function(answer, input_signature=[pictures])
    servable = tf.Module()
    # the variables alone: the Keras model would bring its training graph along
    servable.weights = serve.get_concrete_function().variables
    servable.serve = serve
    tf.saved_model.save(servable, folder, signatures={"serving_default": serve})


def _convolve(maps: Tensor, widths: Sequence[int], strides: Sequence[int], seeds: Iterator[int]) -> Tensor:
    for width, stride in zip(widths, strides):
        start = tf.keras.initializers.HeNormal(seed=next(seeds))
        maps = layers.Conv2D(width, 3, stride, "same", use_bias=False, kernel_initializer=start)(maps)
        maps = layers.BatchNormalization(momentum=0.95)(maps)
        maps = layers.ReLU()(maps)
    return maps


def _head(maps: Tensor, anchors: int, numbers: int, bias: float, seeds: Iterator[int]) -> Tensor:
    start = tf.keras.initializers.RandomNormal(stddev=0.01, seed=next(seeds))
    always = tf.keras.initializers.Constant(bias)
    width = anchors * numbers
    maps = layers.Conv2D(width, 3, 1, "same", kernel_initializer=start, bias_initializer=always)(maps)
    return layers.Reshape((-1, numbers))(maps)


def _detections(logits: Tensor, offsets: Tensor) -> Mapping[str, Tensor]:
    boxes, scores, classes, count = tf.image.combined_non_max_suppression(
        tf.expand_dims(decode(offsets), axis=2),  # the same box for each class
        probabilities(logits)[..., 1:],
        max_output_size_per_class=MOST_DETECTIONS,
        max_total_size=MOST_DETECTIONS,
        iou_threshold=SAME_OBJECT,
        score_threshold=LEAST_SCORE,
        pad_per_class=False,  # always MOST_DETECTIONS rows
        clip_boxes=True,
    )
    return {
        "detection_boxes": boxes,
        "detection_scores": scores,
        "detection_classes": classes + 1.0,
        "num_detections": tf.cast(count, tf.float32),
    }
