"""One data set as every format gives it: questions in a fixed order, each read when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Union

import numpy as np

from evaluation.pictures import Picture
from evaluation.tasks.detection import Detected

Tensors = Mapping[str, "np.ndarray[Any, Any]"]  # one example by input; "" for the only one
Content = Union[Picture, Tensors]


@dataclass(frozen=True)
class ClassName:
    """The label is a class, by its name."""

    name: str


@dataclass(frozen=True)
class ClassNumber:
    """The label is a class, by its number as the model counts."""

    number: int


@dataclass(frozen=True)
class Findings:
    """The labels are what is there, by name; all else is not."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Flags:
    """The labels say of every class of the model, in its order, whether it is there."""

    present: tuple[bool, ...]


@dataclass(frozen=True)
class Subject:
    """The label is whom or what the picture shows, which no model names but two pictures may share."""

    name: str


Label = Union[Detected, ClassName, ClassNumber, Findings, Flags, Subject]


@dataclass(frozen=True)
class Question:
    """One thing to ask about.

    Attributes:
        id: the data set's own number of it.
        name: what people call it, such as the file's name.
        path: its file, where it has one of its own.
        label: None where nothing is known.
        read: its picture or tensors, from disk; BadPicture where that fails.
    """

    id: int
    name: str
    path: Path | None
    label: Label | None
    read: Callable[[], Content]


@dataclass(frozen=True)
class Pair:
    """Two questions, by their places, and whether they show the same; ``fold`` is the tenth it belongs to."""

    left: int
    right: int
    same: bool
    fold: int


@dataclass(frozen=True)
class Dataset:
    """Questions in a fixed order.

    Attributes:
        words: such as ``61 pictures of held_out``.
        sha256: over names, sizes and labels of all questions, and the arrays' content.
        tensors: questions are tensors as a model takes them, not pictures.
        classes: the classes' names, where labels are such.
        index: pycocotools' own, where labels are boxes.
        pairs: for verification.
        unread: lines and files that are none of the questions, each with the reason.
    """

    words: str
    questions: Sequence[Question]
    sha256: str
    tensors: bool = False
    classes: tuple[str, ...] = ()
    index: Any = None
    pairs: tuple[Pair, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether anything is known to judge by."""
        return any(question.label is not None for question in self.questions)

    def only(self, questions: Sequence[Question]) -> Dataset:
        """The same with some of the questions."""
        return replace(self, questions=tuple(questions))
