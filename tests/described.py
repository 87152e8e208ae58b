"""Signatures as servers describe them, and the answers of a detector."""

from __future__ import annotations

import numpy as np

from model_config.signatures import Signature, Tensor

FLOATS = Tensor(dtype="float32", shape=None)


def signature(outputs, dtype="uint8", shape=(None, None, None, 3), inputs=("image",)):
    wanted = Tensor(dtype=dtype, shape=shape)
    return Signature(method_name="m", inputs=dict.fromkeys(inputs, wanted), outputs=dict.fromkeys(outputs, FLOATS))


def boxes(count):
    return {
        "detection_boxes": np.tile(np.float32([0.1, 0.2, 0.5, 0.9]), (count, 3, 1)),
        "detection_classes": np.tile(np.float32([1, 2, 1]), (count, 1)),
        "detection_scores": np.tile(np.float32([0.9, 0.8, 0.1]), (count, 1)) - np.arange(count)[:, None] / 100,
        "num_detections": np.full(count, 3, np.float32),
    }
