"""Labelled questions put and judged as the model's task says, which is how clients ask and what compare tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from converters.graphs import Graph
from converters.judging import held_out
from converters.judging.answers import Arrays
from converters.judging.metrics import Metric, fewest_tell
from evaluation import truth
from evaluation.datasets import loading
from evaluation.datasets.questions import Dataset, Question
from evaluation.metrics import gathering
from evaluation.metrics.evidence import Evidence
from evaluation.tasks import prepared
from evaluation.tasks.feeding import NOWHERE
from evaluation.tasks.prepared import Prepared
from model_config.errors import SuiteError
from model_config.models import Model, Task
from model_config.signatures import Signature

# detectors have a way of their own
_JUDGED: Final = frozenset({"classification", "multi_label", "embedding"})
_ALLOWED: Final = 0.01


@dataclass(frozen=True)
class Asked:
    """Questions whose labels fit the task, as examples to judge by.

    Attributes:
        words: such as ``300 rows of mnist``.
    """

    dataset: Dataset
    task: Task
    ready: Prepared
    words: str

    def rows(self, graph: Graph) -> Iterator[Mapping[str, Any]]:
        """One question after the other, encoded as clients do."""
        for question in self.dataset.questions:
            yield self.ready.encode([question.read()])[0]

    def metric(self, wanted: Sequence[Arrays]) -> Metric:
        """The task's first metric, with the value of version 1's answers."""
        name = self._gathered(wanted).names[0]
        return Metric(
            name, self._value, self._value(wanted), allowed=fewest_tell(_ALLOWED, len(self.dataset.pairs or wanted))
        )

    def _value(self, answers: Sequence[Arrays]) -> float:
        return float(self._gathered(answers).values()[0])

    def _gathered(self, answers: Sequence[Arrays]) -> Evidence:
        evidence = gathering.evidence(self.task, self.dataset)
        assert evidence is not None
        words = truth.in_words_of(self.task.type, self.dataset, self.ready.labels)
        for question, outputs in zip(self.dataset.questions, answers):
            assert question.label is not None
            (said,) = self.ready.decode(outputs, [NOWHERE])
            evidence.add(question, words(question.label), said)
        return evidence


def of(model: Model, signature: Signature) -> Asked | None:
    """What a model's labelled data asks; None where it has none, or where its task does not fit it."""
    if model.data is None or model.task.type not in _JUDGED:
        return None
    dataset = loading.load(model.data)
    task = gathering.in_full(_in_size(model))
    try:
        ready = prepared.prepared(task, signature, tensors=dataset.tensors)
    except SuiteError:
        return None
    if not dataset.labelled or (model.task.type == "embedding" and not dataset.pairs):
        return None
    chosen = _chosen(model, dataset)
    count = f"{len(chosen.pairs)} pairs among {len(chosen.questions)}" if chosen.pairs else f"{len(chosen.questions)}"
    return Asked(chosen, task, ready, f"{count} {dataset.words}")


def _chosen(model: Model, dataset: Dataset) -> Dataset:
    """Questions of which nothing was learnt, spread over the whole data set; NotJudged where there are none."""
    learnt = held_out.learnt(model)
    unseen = [each for each in dataset.questions if each.path is None or held_out.digest(each.path) not in learnt]
    chosen = _paired(dataset, unseen) if dataset.pairs else dataset.only(unseen[:: _stride(len(unseen))])
    if not chosen.questions:
        raise held_out.NotJudged(f"all pictures of {model.data} are calibration pictures too; name others as data")
    return chosen


def _paired(dataset: Dataset, unseen: Sequence[Question]) -> Dataset:
    """Pairs of which both pictures may be asked, with these pictures."""
    known = {each.id for each in unseen}
    whole = [pair for pair in dataset.pairs if {pair.left, pair.right} <= known]
    pairs = whole[:: _stride(len({place for pair in whole for place in (pair.left, pair.right)}))]
    shown = {place for pair in pairs for place in (pair.left, pair.right)}
    return replace(dataset.only([each for each in unseen if each.id in shown]), pairs=tuple(pairs))


def _stride(count: int) -> int:
    """Which of so many are taken: all, every second one, every third."""
    return max(1, -(-count // held_out.MOST))


def _in_size(model: Model) -> Task:
    """The task with the size that the model will be asked with, where neither it nor the signature says one."""
    encode = model.task.encode
    if encode.size or not model.input_sizes:
        return model.task
    return model.task.model_copy(update={"encode": encode.model_copy(update={"size": model.input_sizes[0]})})
