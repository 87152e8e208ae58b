"""Trains the demo's detector on pictures drawn on the spot, once; afterwards it comes from the cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import tensorflow as tf

from demo import anchors, detector
from demo.cache import cached, key
from demo.examples import Examples, examples
from demo.shapes import series
from model_config.console import progress

SOURCES = ("anchors", "backgrounds", "detector", "examples", "shapes", "train")
FOCUS = 1.5  # how much less an anchor counts for being nearly right


@dataclass(frozen=True)
class Plan:
    """How long to train, and on how much."""

    seed: int = 1
    pictures: int = 1500
    steps: int = 1200
    batch: int = 8  # many small steps learn more in the same time than few large ones
    rate: float = 4e-3


PLAN = Plan()


def ensure(cache: Path, plan: Plan = PLAN) -> Path:
    """Return the folder of the trained SavedModel, ``detector/saved_model``; train it first unless it is there."""
    wanted = key(SOURCES, plan, tf.__version__)
    made = cached(cache / "detector", wanted, lambda draft: detector.save(train(plan), str(draft / "saved_model")))
    return made / "saved_model"


def train(plan: Plan) -> Any:
    """Draw the pictures, then train a network on them, with a progress bar on stderr."""
    with progress() as bars:
        scenes = bars.track(series(plan.seed, plan.pictures), plan.pictures, description="drawing pictures")
        shown = examples(scenes, detector.SIZE)
        training = bars.add_task("training", total=plan.steps)
        model = detector.network(plan.seed)
        for loss in _descend(model, shown, plan):
            bars.update(training, advance=1, description=f"training (loss {loss:.2f})")
    return model


def _descend(model: Any, shown: Examples, plan: Plan) -> Iterator[float]:
    optimizer = tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(plan.rate, plan.steps))
    optimizer.build(model.trainable_variables)

    def descend(pictures: Any, labels: Any, offsets: Any) -> Any:
        with tf.GradientTape() as tape:
            logits, moves = model(detector.prepare(pictures), training=True)
            loss = _loss(logits, moves, labels, offsets)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss

    step = tf.function(descend)
    for batch in islice(shown.batches(plan.batch, plan.seed), plan.steps):
        yield float(step(*(tf.constant(part) for part in (batch.pictures, batch.labels, batch.offsets))))


def _loss(logits: Any, moves: Any, labels: Any, offsets: Any) -> Any:
    labels = tf.cast(labels, tf.int32)
    shape = tf.cast(labels > 0, tf.float32)
    sure = tf.cast(labels != anchors.IGNORED, tf.float32)
    wrong = _focal(logits, labels) * sure
    astray = tf.reduce_sum(_smooth(moves - offsets), axis=-1) * shape
    return tf.reduce_sum(wrong + astray) / tf.maximum(tf.reduce_sum(shape), 1.0)


def _focal(logits: Any, labels: Any) -> Any:
    # most anchors see plain background: what is already right must not drown what is not
    truth = tf.one_hot(labels, logits.shape[-1] + 1)
    right = tf.reduce_sum(detector.probabilities(logits) * truth, axis=-1)
    return -((1.0 - right) ** FOCUS) * tf.math.log(right + 1e-7)


def _smooth(errors: Any) -> Any:
    size = tf.abs(errors)
    return tf.where(size < 1.0, 0.5 * errors**2, size - 0.5)
