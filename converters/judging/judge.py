"""One judge a model: any SavedModel made from it is scored against version 1 and held against the accuracy goal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from converters import graphs
from converters.judging import answers, by_task, held_out, metrics
from converters.judging.held_out import HeldOut, Labelled, NotJudged
from converters.judging.metrics import Answers, Metric
from evaluation.tasks import prepared
from evaluation.tasks.encoding import Encoder
from model_config import goals
from model_config.errors import SuiteError
from model_config.goals import Goal
from model_config.models import Model, Task

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
        return Judge(by_labels.metric(wanted), by_labels, key, model.goals.accuracy)
    detects = _is_detector(source, key)
    examples = held_out.of(model, labelled=detects)
    asked = held_out.OneSize(examples, model.input_sizes[0]) if model.input_sizes else examples
    wanted = list(answers.ask(source, key, asked))
    return Judge(_metric(model, examples, wanted, detects), asked, key, model.goals.accuracy)


def _is_detector(source: Path, key: str) -> bool:
    try:
        ready = prepared.prepared(Task(), graphs.signatures(source)[key])
    except SuiteError:
        return False
    return isinstance(ready.encoder, Encoder) and ready.encoder.dtype == _AS_IT_IS


def _metric(model: Model, examples: HeldOut, wanted: Answers, detects: bool) -> Metric:
    if isinstance(examples, Labelled):
        return metrics.average_precision(model.task.metric, examples, wanted)
    if detects:
        return metrics.detection_agreement(wanted)
    if metrics.is_classifier(wanted[0]):
        return metrics.top_one_agreement(wanted)
    if metrics.numeric(wanted[0]):
        return metrics.closeness(wanted)
    raise NotJudged(f"{model.name} answers no numbers that could be compared with those of version 1")
