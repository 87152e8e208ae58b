"""Pictures from disk to batches, read as the client will read them when it asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import tensorflow as tf

from evaluation.datasets.questions import Question
from evaluation.errors import BadPicture
from evaluation.tasks import encoding
from model_config.signatures import Signature, Tensor
from model_config.tasks import Encode
from training import findings

Array = np.ndarray[Any, Any]

INPUT: Final = "image"


def signature(size: int) -> Signature:
    """What the servable takes, as far as pictures are concerned."""
    return Signature("tensorflow/serving/predict", {INPUT: Tensor("uint8", (None, size, size, 3))}, {})


@dataclass
class Reader:
    """Questions as arrays, and what could not be read.

    Attributes:
        unread: names and reasons.
    """

    questions: Sequence[Question]
    size: int
    unread: list[str] = field(default_factory=list)

    def batches(self, batch: int, seed: int | None = None) -> Any:
        """A tf.data.Dataset of pictures [batch, size, size, 3], findings, and weights: 0 for what is unreadable.

        Args:
            seed: for training: shuffled, and half of the pictures mirrored.
        """
        places = tf.data.Dataset.from_tensor_slices(np.arange(len(self.questions)))
        if seed is not None:
            places = places.shuffle(len(self.questions), seed=seed)
        labels = tf.constant(findings.rows(self.questions))

        def example(place: Any) -> Any:
            picture, weight = tf.numpy_function(self._read, [place], [tf.uint8, tf.float32])
            picture = tf.ensure_shape(picture, (self.size, self.size, 3))
            picture = picture if seed is None else tf.image.random_flip_left_right(picture, seed)
            return tf.cast(picture, tf.float32), labels[place], tf.ensure_shape(weight, ())

        read = places.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return read.batch(batch).prefetch(tf.data.AUTOTUNE)

    def _read(self, place: int) -> tuple[Array, Any]:
        question = self.questions[place]
        try:
            content = question.read()
        except BadPicture as error:
            said = f"{question.name}: {error}"
            if said not in self.unread:  # each epoch reads it again
                self.unread.append(said)
            return np.zeros((self.size, self.size, 3), np.uint8), np.float32(0)
        return self._encoder.encode([np.asarray(content)])[0][INPUT][0], np.float32(1)

    @property
    def _encoder(self) -> encoding.Encoder:
        return encoding.encoder(signature(self.size), Encode())
