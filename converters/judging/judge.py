"""One judge a model: any SavedModel made from it is scored against version 1 and held against the accuracy goal."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from converters import calibration, graphs
from converters.graphs import Graph
from converters.judging import answers, by_task, held_out, metrics
from converters.judging.held_out import HeldOut, Labelled, NotJudged, OneSize
from converters.judging.metrics import Answers, Metric
from converters.picture_inputs import Way
from evaluation.tasks import prepared
from evaluation.tasks.encoding import Encoder
from evaluation.tasks.prepared import Prepared
from model_config import goals
from model_config.errors import SuiteError
from model_config.goals import Goal
from model_config.models import Model

_AS_IT_IS = "uint8"  # pixels of 8 bits, which need no range


@dataclass(frozen=True)
class Score:
    """What a SavedModel is worth.

    Attributes:
        metric: such as ``mAP`` or ``top-1 agreement``; higher is better.
        reference: version 1's.
        met: whether the goal is reached.
        words: all of it in one sentence.
    """

    metric: str
    value: float
    reference: float
    met: bool
    words: str


class Judge:
    """Asks every candidate the same and compares what it answers.

    Attributes:
        goal: what a candidate has to reach.
        examples: what it is asked, such as ``61 pictures of held_out``.
        words: both in one phrase.
    """

    def __init__(self, metric: Metric, examples: HeldOut, key: str, goal: Goal | None = None) -> None:
        """Judge by one metric, and by its own goal where none is given."""
        self._metric, self._held_out, self._key = metric, examples, key
        self.examples = examples.words
        self.goal = goal or Goal(max_degradation=metric.allowed)
        self.words = f"{examples.words}, {self.goal}{'' if goal else ' as models.yaml names no goal'}"

    def score(self, folder: Path) -> Score:
        """Ask a SavedModel and hold its answers against the goal; SuiteError where it does not answer."""
        value = self._metric.value(list(answers.ask(folder, self._key, self._held_out)))
        verdict = goals.meets("accuracy", self.goal, value, self._metric.reference)
        words = f"{self._metric.name} {verdict.words}"
        return Score(self._metric.name, value, self._metric.reference, verdict.met, words)


def judge_for(model: Model, source: Path, key: str) -> Judge:
    """The judge of everything that is made from a source.

    Args:
        source: version 1, a SavedModel; it is asked at once.
        key: its signature that is asked.

    Raises:
        NotJudged: there is nothing to judge by.
        SuiteError: what the model declares cannot be used, or the source does not answer.
    """
    by_labels = by_task.of(model, graphs.signatures(source)[key])
    if by_labels:
        wanted = list(answers.ask(source, key, by_labels))
        return _judge(by_labels.metric(wanted), by_labels, key, model)
    asked = examples_for(model, source, key)
    wanted = list(answers.ask(source, key, asked))
    detector = _detector(model, graphs.outlined(source, key))
    return _judge(_metric(model, asked, wanted, detector), asked, key, model)


def _judge(metric: Metric, asked: HeldOut, key: str, model: Model) -> Judge:
    if math.isnan(metric.reference):
        raise NotJudged(f"the labels of {asked.words} cannot tell {metric.name}; name others as data in models.yaml")
    return Judge(metric, asked, key, model.goals.accuracy)


def require_usable(model: Model, source: Path, key: str) -> None:
    """Read all that is learnt from and judged by once, so that nothing of it stops a build that took minutes.

    Raises:
        SuiteError: an example cannot be read, or does not fit the signature ``key`` of the source.
    """
    graph = graphs.outlined(source, key)
    parts: list[HeldOut | calibration.Calibration] = [calibration.of(model)]
    with suppress(NotJudged):  # which the gate says when it comes to that
        parts.append(examples_for(model, source, key))
    for part in parts:
        for _ in part.rows(graph):
            pass


def examples_for(model: Model, source: Path, key: str) -> HeldOut:
    """What versions made from a source are asked, in the size that they will be asked with; NotJudged without any."""
    detects = _detector(model, graphs.outlined(source, key)) is not None
    examples = held_out.of(model, labelled=detects)
    return held_out.OneSize(examples, model.input_sizes[0]) if model.input_sizes else examples


def _detector(model: Model, graph: Graph) -> Prepared | None:
    """How pictures go into a detector and boxes come out; None where the model is none that takes pictures.

    Whether floats take pictures, and in which range, only models.yaml can say.
    """
    closed = graph.of_size(model.input_sizes[0]) if model.input_sizes else graph
    task = model.task.model_copy(update={"type": "detection"})
    try:
        ready = prepared.prepared(task, graphs.plain(closed.signature), known={})
    except SuiteError:
        return None
    if not isinstance(ready.encoder, Encoder):
        return None
    return ready if ready.encoder.dtype == _AS_IT_IS or Way.of(model).encode else None


def _metric(model: Model, asked: HeldOut, wanted: Answers, detector: Prepared | None) -> Metric:
    examples = asked.examples if isinstance(asked, OneSize) else asked
    if detector and isinstance(examples, Labelled):
        return metrics.average_precision(model.task.metric, examples, wanted, detector)
    if detector:
        return metrics.detection_agreement(wanted, detector.how)
    if metrics.is_classifier(wanted[0]):
        return metrics.top_one_agreement(wanted)
    if metrics.numeric(wanted[0]):
        return metrics.closeness(wanted)
    raise NotJudged(f"{model.name} answers no numbers that could be compared with those of version 1")
