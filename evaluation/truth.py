"""Labels in the words of a task, so that they can be held against its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from evaluation.datasets.questions import ClassName, ClassNumber, Dataset, Findings, Flags, Label, Subject
from evaluation.errors import BadDataset
from evaluation.labels import name as label_of
from evaluation.tasks.classification import Classified, Guess
from evaluation.tasks.detection import Detected
from evaluation.tasks.embedding import Shown
from evaluation.tasks.multi_label import MultiLabelled
from evaluation.tasks.prepared import Answer
from model_config.errors import near_miss

InWords = Callable[[Label], Answer]


class _Classes(NamedTuple):
    """The classes of a model: labels by number, and numbers by label as people may spell it."""

    labels: Mapping[int, str]
    numbers: Mapping[str, tuple[int, ...]]

    def number(self, name: str) -> int:
        numbers = self.numbers.get(_spelled(name), ())
        if len(numbers) > 1:
            raise BadDataset(
                f"the data has the class {name!r}, which is the label of the model's classes "
                f"{' and '.join(map(str, numbers))}; call each of them by its number in the data"
            )
        if numbers:
            return numbers[0]
        if name.isascii() and name.isdigit():
            return int(name)
        raise BadDataset(
            f"the data has the class {name!r}, which is no label of the model; "
            f"{near_miss(name, self.labels.values())}; "
            "name the classes in task.labels in the order in which the model gives them"
        )

    def guess(self, number: int, present: bool = True) -> Guess:
        return Guess(number, label_of(self.labels, number), float(present), present)


def in_words_of(task: str, dataset: Dataset, labels: Mapping[int, str]) -> InWords:
    """What turns the data set's labels into answers of a task; BadDataset when its labels are of another kind.

    Args:
        labels: the model's, by number; where it has none, classes count in the order of their names.
    """
    named = labels or dict(enumerate(dataset.classes))
    classes = _Classes(named, _numbers(named))
    if task == "detection" and dataset.index is not None:
        _require_same_numbers(dataset, classes)
    ways: Mapping[str, InWords] = {
        "detection": partial(_boxes, dataset),
        "classification": partial(_class, dataset, classes),
        "multi_label": partial(_several, dataset, classes),
        "embedding": partial(_subject, dataset),
    }
    return ways[task]


def require_fitting(task: str, dataset: Dataset, labels: Mapping[int, str]) -> None:
    """BadDataset when any label is of another kind than the task's, or no class of the model: better told at once."""
    words = in_words_of(task, dataset, labels)
    for question in dataset.questions:
        if question.label is not None:
            words(question.label)


def _require_same_numbers(dataset: Dataset, classes: _Classes) -> None:
    """Boxes are matched by the numbers of their classes, which so have to mean the same on both sides."""
    for number, category in dataset.index.cats.items():
        name = str(category.get("name", ""))
        ours = classes.numbers.get(_spelled(name), ())
        if ours and number not in ours:
            raise BadDataset(
                f"{name!r} is class {number} of the {dataset.words}, but class {ours[0]} of the model; number the "
                "categories as the model does, or say in task.labels what its classes are"
            )


def _numbers(labels: Mapping[int, str]) -> dict[str, tuple[int, ...]]:
    """By whole labels, and by the first word of those that name several, such as ``tench, Tinca tinca``."""
    firsts = {number: label.partition(",")[0] for number, label in labels.items()}
    return {**_by_name(firsts), **_by_name(labels)}


def _by_name(labels: Mapping[int, str]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for number, label in labels.items():
        found[_spelled(label)] = (*found.get(_spelled(label), ()), number)
    return found


def _spelled(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").split())


def _boxes(dataset: Dataset, label: Label) -> Answer:
    if isinstance(label, Detected):
        return label
    raise _unfit(dataset, "boxes", "detection")


def _class(dataset: Dataset, classes: _Classes, label: Label) -> Answer:
    if isinstance(label, ClassName):
        return Classified((classes.guess(classes.number(label.name)),))
    if isinstance(label, ClassNumber):
        return Classified((classes.guess(label.number),))
    raise _unfit(dataset, "one class each", "classification")


def _several(dataset: Dataset, classes: _Classes, label: Label) -> Answer:
    if isinstance(label, Findings):
        there = {classes.number(each) for each in label.names}
        return MultiLabelled(tuple(classes.guess(number, number in there) for number in sorted(classes.labels)))
    if isinstance(label, Flags):
        return MultiLabelled(tuple(classes.guess(number, flag) for number, flag in enumerate(label.present)))
    raise _unfit(dataset, "findings", "multi_label")


def _subject(dataset: Dataset, label: Label) -> Answer:
    if isinstance(label, Subject):
        return Shown(label.name)
    raise _unfit(dataset, "pairs", "embedding")


def _unfit(dataset: Dataset, wanted: str, task: str) -> BadDataset:
    return BadDataset(
        f"the labels of the {dataset.words} are of another kind than {wanted}, which the task {task} is judged by; "
        "name other data, or only compare what versions answer, with --format pictures"
    )
