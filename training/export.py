"""The trained network as a servable: pictures in; the findings' names and their probabilities out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from training.batches import INPUT
from training.findings import FINDINGS

Tensor = Any


def export(model: Any, size: int, folder: Path) -> None:
    """Write a SavedModel with ``categories`` (names) and ``scores`` (0 to 1), both [batch, findings]."""

    def answer(image: Tensor) -> Mapping[str, Tensor]:
        scores = tf.sigmoid(model(tf.cast(image, tf.float32), training=False))
        return {"categories": tf.tile(tf.constant([FINDINGS]), [tf.shape(scores)[0], 1]), "scores": scores}

    serve = tf.function(answer, input_signature=[tf.TensorSpec((None, size, size, 3), tf.uint8, name=INPUT)])
    servable = tf.Module()
    # the variables alone: the Keras model would bring its training graph along
    servable.weights = serve.get_concrete_function().variables
    servable.serve = serve
    tf.saved_model.save(servable, str(folder), signatures={"serving_default": serve})
