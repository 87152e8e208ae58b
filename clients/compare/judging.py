"""From files of answers to what each version is worth; nothing is asked here, so that it can be done anywhere."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from clients.compare.store import Record, Store
from clients.comparison import Accuracy, Difference, Drift, Example, Score
from evaluation import truth
from evaluation.datasets.questions import Dataset, Question
from evaluation.errors import BadDataset
from evaluation.metrics import agreement, bootstrap, gathering
from evaluation.metrics.drift import Drifting
from evaluation.metrics.evidence import Evidence
from evaluation.tasks import prepared
from evaluation.tasks.detection import Detected
from evaluation.tasks.encoding import Encoder
from evaluation.tasks.feeding import NOWHERE
from evaluation.tasks.placing import Placement, placed
from evaluation.tasks.prepared import Answer, Prepared
from model_config.errors import SuiteError
from model_config.models import Task

EXAMPLES: Final = 20


@dataclass(frozen=True)
class Judged:
    """What answers are worth.

    Attributes:
        accuracy: by version, the reference first.
        examples: those on which versions differ most, worst first.
        unread: what could not be asked, each with the reason.
    """

    accuracy: Mapping[int, Accuracy]
    examples: tuple[Example, ...]
    unread: tuple[str, ...]


@dataclass
class _Standing:
    """What is known of one version so far."""

    task: Prepared
    evidence: Evidence | None
    drifting: Drifting = field(default_factory=Drifting)
    same: float = 0.0
    total: float = 0.0

    def decode(self, record: Record) -> Answer:
        (answer,) = self.task.decode(record.outputs or {}, [_placed(self.task, record)])
        return answer

    def hold(self, ours: Record, said: Answer, theirs: Record, other: Answer) -> None:
        """One more answer, beside the reference's."""
        if isinstance(said, Detected) and isinstance(other, Detected):
            self.drifting.add_detected(other, said)
        else:
            self.drifting.add(theirs.outputs or {}, ours.outputs or {})
        found = agreement.agreed(other, said)
        self.same, self.total = self.same + found.same, self.total + found.total

    @property
    def agreement(self) -> Score:
        return Score("agreement", self.same / self.total if self.total else 1.0)


def judge(stores: Mapping[int, Store], dataset: Dataset, task: Task) -> Judged:
    """Hold all versions against the labels, and against the first one.

    Args:
        stores: by version, each with every answer.

    Raises:
        BadDataset: labels do not fit the task, or nothing could be asked.
    """
    words = truth.in_words_of(task.type, dataset, prepared.labels_of(task))
    standings = {version: _standing(store, dataset, task) for version, store in stores.items()}
    worst, unread, asked = _Worst(), list(dataset.unread), 0
    for question, records in _together(stores, dataset):
        if records[0].unread:
            unread.append(f"{question.name}: {records[0].unread}")
            continue
        asked += 1
        answers = {version: each.decode(record) for (version, each), record in zip(standings.items(), records)}
        right = None if question.label is None else words(question.label)
        _add(standings, question, right, answers, records)
        worst.add(question, right, answers)
    if not asked:
        raise BadDataset(f"none of the {dataset.words} could be asked: {'; '.join(unread[:3])}")
    return Judged(_accuracies(standings, asked), worst.examples(), tuple(unread))


def _standing(store: Store, dataset: Dataset, task: Task) -> _Standing:
    about = store.about
    if about is None:
        raise SuiteError("a file of answers does not say what was asked; run the comparison again")
    ready = prepared.prepared(gathering.in_full(task), about.signature, tensors=dataset.tensors)
    return _Standing(ready, gathering.evidence(task, dataset))


def _together(stores: Mapping[int, Store], dataset: Dataset) -> Iterator[tuple[Question, Sequence[Record]]]:
    """Every question with all versions' records of it, in the data set's order."""
    counts = {version: len(store) for version, store in stores.items()}
    missing = [version for version, count in counts.items() if count != len(dataset.questions)]
    if missing:
        raise SuiteError(
            f"version {missing[0]} was asked {counts[missing[0]]} of {len(dataset.questions)} questions; "
            "run the comparison again to ask the others"
        )
    for records in zip(*(store.records() for store in stores.values())):
        yield dataset.questions[records[0].place], records


def _add(
    standings: Mapping[int, _Standing],
    question: Question,
    right: Answer | None,
    answers: Mapping[int, Answer],
    records: Sequence[Record],
) -> None:
    reference = next(iter(answers.values()))
    for (version, standing), record in zip(standings.items(), records):
        if right is not None and standing.evidence is not None:
            standing.evidence.add(question, right, answers[version])
        standing.hold(record, answers[version], records[0], reference)


def _placed(task: Prepared, record: Record) -> Placement:
    if isinstance(task.encoder, Encoder) and record.size:
        return placed(record.size, task.encoder.frame, task.encoder.how.fit)
    return NOWHERE


@dataclass
class _Worst:
    """The questions on which any version is farthest from the reference; of equals the earlier ones."""

    _kept: list[tuple[float, int, Example]] = field(default_factory=list)
    _count: int = 0

    def add(self, question: Question, right: Answer | None, answers: Mapping[int, Answer]) -> None:
        reference = next(iter(answers.values()))
        drift = {version: agreement.apart(reference, answer) for version, answer in answers.items()}
        self._count += 1
        example = Example(question.name, question.read, right, answers, drift)
        # the count decides between equals, so that examples themselves are never held against each other
        heapq.heappush(self._kept, (max(drift.values()), -self._count, example))
        if len(self._kept) > EXAMPLES:
            heapq.heappop(self._kept)

    def examples(self) -> tuple[Example, ...]:
        return tuple(example for _, _, example in sorted(self._kept, key=lambda each: each[:2], reverse=True))


def _accuracies(standings: Mapping[int, _Standing], asked: int) -> dict[int, Accuracy]:
    scores = _scores(standings)
    return {
        version: Accuracy(
            asked,
            scores.get(version, ()),
            each.evidence.per_class() if each.evidence else {},
            each.agreement,
            tuple(
                Drift(name, found.largest, found.mean, found.cosine) for name, found in each.drifting.outputs.items()
            ),
        )
        for version, each in standings.items()
    }


def _scores(standings: Mapping[int, _Standing]) -> dict[int, tuple[Score, ...]]:
    evidence = {version: each.evidence for version, each in standings.items() if each.evidence is not None}
    if not evidence:
        return {}
    reference, *others = evidence.values()
    found = bootstrap.differences(reference, others)
    intervals: list[Sequence[Any]] = [(None,) * len(reference.names), *found]
    return {version: tuple(_named(each, given)) for (version, each), given in zip(evidence.items(), intervals)}


def _named(evidence: Evidence, intervals: Sequence[bootstrap.Interval | None]) -> Iterator[Score]:
    for name, value, interval in zip(evidence.names, evidence.values(), intervals):
        yield replace(Score(name, float(value)), difference=None if interval is None else Difference(*interval))
