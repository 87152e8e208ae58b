"""Transfer learning: first the new outputs alone, then all of the network, keeping the best by AUROC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from evaluation.metrics.ranking import Ranking
from evaluation.tasks.classification import Guess
from evaluation.tasks.multi_label import MultiLabelled
from training import findings, network
from training.batches import Reader
from training.findings import FINDINGS
from training.splits import Split

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        size: edge of the pictures.
        weights: where the network starts; see ``network``.
        head_epochs: in which only the new outputs learn.
        epochs: in which everything does.
        head_rate, rate: of learning, in either.
    """

    size: int = 224
    weights: str = network.NONE
    head_epochs: int = 1
    epochs: int = 5
    batch: int = 32
    head_rate: float = 1e-3
    rate: float = 1e-4
    seed: int = 1


@dataclass(frozen=True)
class Told:
    """Whom to tell: a step with its loss, and an epoch's AUROC."""

    step: Callable[[str, float], None]
    epoch: Callable[[str, float], None]


@dataclass(frozen=True)
class Trained:
    """The network, and what it is worth on the test: AUROC by finding, as far as the test can tell."""

    model: Any
    auroc: Mapping[str, float]
    unread: tuple[str, ...]


def steps(plan: Plan, split: Split) -> int:
    """How many there will be."""
    return -(-len(split.training) // plan.batch) * (plan.head_epochs + plan.epochs)


def train(split: Split, plan: Plan, told: Told) -> Trained:
    """Train on the first part, stop by the second, judge by the third."""
    tf.keras.utils.set_random_seed(plan.seed)
    model = network.network(plan.size, plan.weights)
    parts = [Reader(part, plan.size) for part in (split.training, split.validation, split.test)]
    keep = _Best(model, parts[1], plan.batch)
    network.backbone_of(model).trainable = False
    _learn(model, parts[0], plan, plan.head_epochs, plan.head_rate, "outputs", told, keep)
    network.backbone_of(model).trainable = True
    _learn(model, parts[0], plan, plan.epochs, plan.rate, "everything", told, keep)
    keep.restore()
    return Trained(model, keep.judge(parts[2]), tuple(said for part in parts for said in part.unread))


class _Best:
    """The weights that did best so far on the validation part."""

    def __init__(self, model: Any, part: Reader, batch: int) -> None:
        self._model, self._part, self._batch = model, part, batch
        self._answer = _answering(model, part.size)
        self._score, self._weights = -1.0, model.get_weights()

    def look(self) -> float:
        """Judge the weights as they are now; gives their mean AUROC."""
        values = list(self.judge(self._part).values())
        score = float(np.mean(values)) if values else 0.0
        if score > self._score:
            self._score, self._weights = score, self._model.get_weights()
        return score

    def judge(self, part: Reader) -> Mapping[str, float]:
        """AUROC by finding."""
        return _auroc(self._answer, part, self._batch)

    def restore(self) -> None:
        """Put the best back."""
        self._model.set_weights(self._weights)


def _learn(model: Any, part: Reader, plan: Plan, epochs: int, rate: float, phase: str, told: Told, best: _Best) -> None:
    """Some epochs with what is trainable now."""
    model.compile(tf.keras.optimizers.Adam(rate), _weighted(findings.rows(part.questions)))
    for epoch in range(epochs):
        watch = tf.keras.callbacks.LambdaCallback(on_batch_end=lambda _, logs: told.step(phase, float(logs["loss"])))
        # shuffled by itself
        model.fit(part.batches(plan.batch, plan.seed + epoch), shuffle=False, verbose=0, callbacks=[watch])
        told.epoch(phase, best.look())


def _weighted(labels: Array) -> Callable[[Any, Any], Any]:
    """Cross-entropy in which what is there counts, for each finding, as much as what is not (as in CheXNet)."""
    share = np.clip(labels.mean(axis=0), 1 / len(labels), 1 - 1 / len(labels)).astype(np.float32)

    def loss(truth: Any, logits: Any) -> Any:
        each = tf.nn.sigmoid_cross_entropy_with_logits(truth, logits)
        return tf.reduce_mean(each * (truth * (1 - share) + (1 - truth) * share), axis=-1)

    return loss


def _answering(model: Any, size: int) -> Callable[[Any], Any]:
    """Pictures to probabilities, traced once for batches of every length."""
    pictures = tf.TensorSpec((None, size, size, 3), tf.float32)
    traced: Callable[[Any], Any] = tf.function(lambda x: tf.sigmoid(model(x, training=False)), [pictures])
    return traced


def _auroc(answer: Callable[[Any], Any], part: Reader, batch: int) -> Mapping[str, float]:
    ranking, places = Ranking(), iter(part.questions)
    for pictures, truth, weights in part.batches(batch):
        for row, said, weight in zip(truth.numpy(), answer(pictures).numpy(), weights.numpy()):
            question = next(places)
            if weight:
                ranking.add(question, _labelled(row), _labelled(said))
    return ranking.per_class() if len(ranking) else {}


def _labelled(row: Array) -> MultiLabelled:
    rows = zip(range(len(FINDINGS)), FINDINGS, row.tolist())
    return MultiLabelled(tuple(Guess(number, label, score, score >= 0.5) for number, label, score in rows))
