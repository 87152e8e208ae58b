"""What answers are scored by, each with how much worse than version 1 may be where models.yaml names no goal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from converters.judging.answers import Arrays
from converters.judging.held_out import Labelled
from evaluation.datasets.questions import Question
from evaluation.metrics import agreement
from evaluation.metrics.average_precision import average_precision as precision
from evaluation.tasks import detection
from evaluation.tasks.detection import Detection
from evaluation.tasks.encoding import Encoder
from evaluation.tasks.feeding import Feed
from evaluation.tasks.placing import Placement, placed
from evaluation.tasks.prepared import Prepared
from model_config.tasks import Decode

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


def average_precision(name: str, labelled: Labelled, wanted: Answers, detector: Prepared) -> Metric:
    """COCO's mAP or mAP@0.5, on labelled pictures."""
    questions = labelled.dataset.questions
    places = [_placed(question, detector.encoder) for question in questions]

    def value(answers: Answers) -> float:
        found = (detection.decode_placed(each, [place], {}, detector.how)[0] for each, place in zip(answers, places))
        boxes = {question.id: list(each.detections) for question, each in zip(questions, found)}
        return precision(labelled.dataset, boxes, name)

    return Metric(name, value, value(wanted), allowed=0.005)


def _placed(question: Question, encoder: Encoder | Feed) -> Placement:
    """Where a picture lies in the input."""
    assert isinstance(encoder, Encoder)  # as detectors are asked about pictures
    picture = question.read()
    assert isinstance(picture, np.ndarray)
    return placed((picture.shape[0], picture.shape[1]), encoder.frame, encoder.how.fit)


def detection_agreement(wanted: Answers, how: Decode) -> Metric:
    """The share of detections that both show."""
    reference = _detections(wanted, how)
    return _agreement(
        "agreement", lambda answers: agreement.agreement(reference, _detections(answers, how)), wanted, 0.05
    )


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


def _detections(answers: Answers, how: Decode) -> list[list[Detection]]:
    """In boxes of a picture of size 1, which overlap as those in pixels do."""
    return [detection.decode(answer, [(1, 1)], {}, agreement.AGREE_SCORE, how)[0] for answer in answers]


def _classes(answers: Answers) -> Any:
    return np.array([int(output.argmax()) for answer in answers for output in answer.values()])


def _relative_error(name: str, answers: Answers, wanted: Answers) -> float:
    pairs = [(got[name].astype(np.float64), each[name].astype(np.float64)) for got, each in zip(answers, wanted)]
    if any(got.shape != each.shape for got, each in pairs):
        return 1.0
    size = sum(float(np.sum(each**2)) for _, each in pairs)
    off = sum(float(np.sum((got - each) ** 2)) for got, each in pairs)
    if not np.isfinite(off):
        return 1.0  # NaN is neither more nor less than what another output is off
    return float(np.sqrt(off / size)) if size else float(off > 0)
