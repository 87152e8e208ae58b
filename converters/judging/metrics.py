"""What answers are scored by, each with how much worse than version 1 may be where models.yaml names no goal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from converters.judging.answers import Arrays
from converters.judging.held_out import Labelled
from evaluation import pictures
from evaluation.metrics import agreement
from evaluation.metrics.average_precision import average_precision as precision
from evaluation.tasks import detection
from evaluation.tasks.detection import Detection

Answers = Sequence[Arrays]

_FEWEST_CLASSES: Final = 2
_ROUNDING: Final = 0.01


@dataclass(frozen=True)
class Metric:
    """A number for a list of answers, one an example; higher for better ones.

    Attributes:
        name: such as ``mAP``.
        reference: the number of version 1.
        allowed: how much less a version may have where nobody says otherwise.
    """

    name: str
    value: Callable[[Answers], float]
    reference: float
    allowed: float


def average_precision(name: str, labelled: Labelled, wanted: Answers) -> Metric:
    """COCO's mAP or mAP@0.5, on labelled pictures."""
    questions = labelled.dataset.questions
    sizes = [pictures.read(path).shape[:2] for path in labelled.files]

    def value(answers: Answers) -> float:
        found = (detection.decode(each, [(size[0], size[1])], {}, 0.0)[0] for each, size in zip(answers, sizes))
        return precision(labelled.dataset, {question.id: each for question, each in zip(questions, found)}, name)

    return Metric(name, value, value(wanted), allowed=0.005)


def detection_agreement(wanted: Answers) -> Metric:
    """The share of detections that both show."""
    reference = _detections(wanted)
    return _agreement("agreement", lambda answers: agreement.agreement(reference, _detections(answers)), wanted, 0.05)


def top_one_agreement(wanted: Answers) -> Metric:
    """The share of examples whose likeliest class is the same."""
    reference = _classes(wanted)
    return _agreement("top-1 agreement", lambda each: float((_classes(each) == reference).mean()), wanted, 0.03)


def closeness(wanted: Answers) -> Metric:
    """One less the relative error, of the output where it is largest; 0 or less where nothing is left."""
    names = numeric(wanted[0])
    return Metric(
        "1 - relative error",
        lambda answers: 1 - max(_relative_error(name, answers, wanted) for name in names),
        reference=1.0,
        allowed=0.1,
    )


def is_classifier(answer: Arrays) -> bool:
    """One output, and that gives every class its probability."""
    outputs = list(answer.values())
    if len(outputs) != 1 or outputs[0].ndim != 2 or outputs[0].shape[1] < _FEWEST_CLASSES:
        return False
    return bool(outputs[0].dtype.kind == "f" and outputs[0].min() >= 0 and abs(outputs[0].sum() - 1) < _ROUNDING)


def numeric(answer: Arrays) -> list[str]:
    """The outputs that have something to subtract."""
    return [name for name, array in answer.items() if array.dtype.kind == "f"]


def _agreement(name: str, value: Callable[[Answers], float], wanted: Answers, allowed: float) -> Metric:
    return Metric(name, value, reference=1.0, allowed=fewest_tell(allowed, len(wanted)))


def fewest_tell(allowed: float, examples: int) -> float:
    """What is allowed where there are few examples: one may differ in any case, as so few could not tell less."""
    return max(allowed, math.ceil(1e4 / examples) / 1e4)


def _detections(answers: Answers) -> list[list[Detection]]:
    """In boxes of a picture of size 1, which overlap as those in pixels do."""
    return [detection.decode(answer, [(1, 1)], {}, agreement.AGREE_SCORE)[0] for answer in answers]


def _classes(answers: Answers) -> Any:
    return np.array([int(output.argmax()) for answer in answers for output in answer.values()])


def _relative_error(name: str, answers: Answers, wanted: Answers) -> float:
    pairs = [(got[name].astype(np.float64), each[name].astype(np.float64)) for got, each in zip(answers, wanted)]
    if any(got.shape != each.shape for got, each in pairs):
        return 1.0
    size = sum(float(np.sum(each**2)) for _, each in pairs)
    off = sum(float(np.sum((got - each) ** 2)) for got, each in pairs)
    return float(np.sqrt(off / size)) if size else float(off > 0)
