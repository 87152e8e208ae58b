"""The layers of keras-retinanet's files, and a detector made of either kind of them, with COCO's class numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

try:
    import tf_keras as keras  # Keras 2, which wrote such files
except ImportError:
    from tensorflow import keras

Tensor = Any
layers = keras.layers

# by level of the pyramid, P3 to P7: the edge of an anchor and the step to the next, in pixels of the picture
_LEVELS = {"P3": (32, 8), "P4": (64, 16), "P5": (128, 32), "P6": (256, 64), "P7": (512, 128)}
_RATIOS = (0.5, 1.0, 2.0)  # height to width
_SCALES = tuple(2 ** (third / 3) for third in range(3))
_UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}  # gaps in COCO's numbers from 1 to 90
_NUMBERS = [number for number in range(1, 91) if number not in _UNUSED]


class UpsampleLike(layers.Layer):
    """Enlarges maps to the height and width of others, by their nearest values."""

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """Maps [batch, h, w, c], and those to be like."""
        source, target = inputs
        return tf.image.resize(source, tf.shape(target)[1:3], method="nearest")


class PriorProbability(keras.initializers.Initializer):
    """The bias that makes every class as likely as said before anything is learnt."""

    def __init__(self, probability: float = 0.01) -> None:
        """Keep it."""
        self.probability = probability

    def get_config(self) -> dict[str, Any]:
        """What is saved."""
        return {"probability": self.probability}

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> Tensor:
        """The same value everywhere."""
        return tf.fill(shape, tf.cast(-np.log((1 - self.probability) / self.probability), dtype or tf.float32))


class BatchNormalization(layers.BatchNormalization):
    """Keras's own, which may say that its statistics stayed as they were."""

    def __init__(self, freeze: bool = False, **more: Any) -> None:
        """``freeze`` decides nothing where nothing is trained."""
        super().__init__(**more)
        self.freeze = freeze

    def get_config(self) -> dict[str, Any]:
        """What is saved."""
        return {**super().get_config(), "freeze": self.freeze}


class _Configured(layers.Layer):
    """A layer whose numbers are saved with it."""

    usual: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, **config: Any) -> None:
        """Take out what is this layer's; the rest is Keras's."""
        self.numbers = {name: config.pop(name, value) for name, value in self.usual.items()}
        known = {name: config[name] for name in ("name", "trainable", "dtype") if name in config}
        super().__init__(**known)

    def get_config(self) -> dict[str, Any]:
        """What is saved."""
        return {**super().get_config(), **self.numbers}


class Anchors(_Configured):
    """The boxes that a level of the pyramid looks at: x1, y1, x2, y2 in pixels, [batch, anchors, 4]."""

    usual: ClassVar[Mapping[str, Any]] = {"size": 32, "stride": 8, "ratios": _RATIOS, "scales": _SCALES}

    def call(self, maps: Tensor) -> Tensor:
        """Of maps [batch, h, w, c]."""
        boxes = tf.constant(self._around_zero(), tf.float32)
        shape = tf.shape(maps)
        x, y = (
            (tf.range(count, dtype=tf.float32) + 0.5) * float(self.numbers["stride"]) for count in (shape[2], shape[1])
        )
        middles = tf.stack([tf.tile(x, [shape[1]]), tf.repeat(y, shape[2])], 1)
        placed = tf.reshape(tf.tile(middles, [1, 2])[:, None] + boxes[None], (1, -1, 4))
        return tf.tile(placed, [shape[0], 1, 1])

    def _around_zero(self) -> Any:
        # files hold these as lists, or as {"value": [...]} where numpy arrays were saved
        ratios, scales = (np.asarray(_values(self.numbers[name]), np.float64) for name in ("ratios", "scales"))
        edges = np.tile(self.numbers["size"] * scales, len(ratios))
        tall = np.repeat(ratios, len(scales))
        half_width, half_height = edges / np.sqrt(tall) / 2, edges * np.sqrt(tall) / 2
        return np.stack([-half_width, -half_height, half_width, half_height], 1)


class RegressBoxes(_Configured):
    """Anchors moved by what the network says: shares of their width and height, in units of ``std``."""

    usual: ClassVar[Mapping[str, Any]] = {"mean": (0.0,) * 4, "std": (0.2,) * 4}

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """Anchors and moves, both [batch, anchors, 4]."""
        anchors, moves = inputs
        mean, std = (tf.constant(_values(self.numbers[name]), tf.float32) for name in ("mean", "std"))
        size = anchors[..., 2:] - anchors[..., :2]
        return anchors + (moves * std + mean) * tf.concat([size, size], -1)


class ClipBoxes(layers.Layer):
    """Boxes cut off at the edges of the picture."""

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """Pictures [batch, h, w, 3] and boxes."""
        pictures, boxes = inputs
        height, width = (tf.cast(tf.shape(pictures)[axis], tf.float32) for axis in (1, 2))
        return tf.clip_by_value(boxes, 0.0, tf.stack([width, height, width, height]))


class FilterDetections(_Configured):
    """The best boxes of each class: boxes, scores and class numbers from 0; where there are fewer, -1."""

    usual: ClassVar[Mapping[str, Any]] = {
        "nms": True,
        "class_specific_filter": True,
        "nms_threshold": 0.5,
        "score_threshold": 0.05,
        "max_detections": 300,
        "parallel_iterations": 32,
    }

    def call(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Boxes [batch, anchors, 4] and scores [batch, anchors, classes]."""
        most = int(self.numbers["max_detections"])
        boxes, scores, classes, count = tf.image.combined_non_max_suppression(
            inputs[0][:, :, None],
            inputs[1],
            most,
            most,
            iou_threshold=float(self.numbers["nms_threshold"]),
            score_threshold=float(self.numbers["score_threshold"]),
            clip_boxes=False,
        )
        real = tf.sequence_mask(count, most)
        nothing = -tf.ones_like(scores)
        return [
            tf.where(real[..., None], boxes, nothing[..., None]),
            tf.where(real, scores, nothing),
            tf.cast(tf.where(real, classes, nothing), tf.int32),
        ]


class CocoNumbers(layers.Layer):
    """Class numbers from 0 to 79 as COCO counts them, from 1 to 90; -1 stays."""

    def call(self, classes: Tensor) -> Tensor:
        """Numbers of any shape."""
        return tf.gather(tf.constant([-1, *_NUMBERS]), classes + 1)


def finish(model: Any) -> Any:
    """Make a detector of a file for training or for use: pictures in; boxes, scores and labels out."""
    outputs = list(model.outputs)
    if len(outputs) == 2:
        outputs = _detect(model, *outputs)
    boxes, scores, classes = outputs[:3]
    named = [layers.Activation("linear", name=name)(each) for name, each in (("boxes", boxes), ("scores", scores))]
    return keras.Model(model.inputs, [*named, CocoNumbers(name="labels")(classes)])


def _detect(model: Any, moves: Tensor, scores: Tensor) -> list[Tensor]:
    """What the training leaves out: anchors, moved as the network says, and the best of them."""
    every = [
        Anchors(size=size, stride=stride, name=f"anchors_{level}")(model.get_layer(level).output)
        for level, (size, stride) in _LEVELS.items()
    ]
    anchors = layers.Concatenate(axis=1, name="anchors")(every)
    boxes = ClipBoxes(name="clipped_boxes")([model.inputs[0], RegressBoxes(name="boxes_moved")([anchors, moves])])
    found: list[Tensor] = FilterDetections(name="filtered_detections")([boxes, scores])
    return found


def _values(saved: Any) -> Any:
    return saved["value"] if isinstance(saved, Mapping) and "value" in saved else saved
