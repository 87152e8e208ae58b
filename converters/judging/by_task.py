"""Labelled questions put and judged as the model's task says, which is how clients ask and what compare tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from converters.judging import held_out
from converters.judging.answers import Arrays
from converters.judging.metrics import Metric, fewest_tell
from evaluation import truth
from evaluation.datasets import loading
from evaluation.datasets.questions import Dataset
from evaluation.metrics import gathering
from evaluation.metrics.evidence import Evidence
from evaluation.tasks import prepared
from evaluation.tasks.feeding import NOWHERE
from evaluation.tasks.prepared import Prepared
from model_config.errors import SuiteError
from model_config.models import Model, Task
from model_config.signatures import Signature

# detectors have a way of their own, and pairs would come apart when some are chosen
_JUDGED: Final = frozenset({"classification", "multi_label"})
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

    def rows(self, inputs: Any) -> Iterator[Mapping[str, Any]]:
        """One question after the other, encoded as clients do."""
        for question in self.dataset.questions:
            yield self.ready.encode([question.read()])[0]

    def metric(self, wanted: Sequence[Arrays]) -> Metric:
        """The task's first metric, with the value of version 1's answers."""
        name = self._gathered(wanted).names[0]
        return Metric(name, self._value, self._value(wanted), allowed=fewest_tell(_ALLOWED, len(wanted)))

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
    if not dataset.labelled:
        return None
    learnt = held_out.learnt(model)
    unseen = [each for each in dataset.questions if each.path is None or held_out.digest(each.path) not in learnt]
    chosen = unseen[:: max(1, -(-len(unseen) // held_out.MOST))]
    if not chosen:
        raise held_out.NotJudged(f"all pictures of {model.data} are calibration pictures too; name others as data")
    return Asked(dataset.only(chosen), task, ready, f"{len(chosen)} {dataset.words}")


def _in_size(model: Model) -> Task:
    """The task with the size that the model will be asked with, where neither it nor the signature says one."""
    encode = model.task.encode
    if encode.size or not model.input_sizes:
        return model.task
    return model.task.model_copy(update={"encode": encode.model_copy(update={"size": model.input_sizes[0]})})
