"""The examples as the page shows them: a picture once, and over it what the labels and every version say."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any, Final

import cv2

from clients.comparison import Comparison, Example
from clients.drawing import colour_of
from evaluation import pictures
from evaluation.metrics.agreement import AGREE_SCORE
from evaluation.pictures import Picture
from evaluation.tasks.classification import Classified, Guess
from evaluation.tasks.detection import Detected, Detection
from evaluation.tasks.embedding import Shown as Subject
from evaluation.tasks.multi_label import MultiLabelled
from evaluation.tasks.prepared import Answer

_MOST_SIDE: Final = 640  # pixels; larger pictures are made smaller
_MOST_GUESSES: Final = 8
_MOST_LETTERS: Final = 240  # of an answer that has no better form
_LINES: Final = 24  # of text that would fill a picture's lesser side


@dataclass(frozen=True)
class Box:
    """A box in the picture's pixels, with its label on a ground of the same colour."""

    left: float
    top: float
    width: float
    height: float
    text: str
    colour: str


@dataclass(frozen=True)
class Bar:
    """A class and its score; ``strong`` for those that the answer says are there."""

    label: str
    score: float
    strong: bool


@dataclass(frozen=True)
class Told:
    """One answer in a form that can be shown: boxes, bars or words, and the whole as a sentence."""

    sentence: str
    boxes: tuple[Box, ...] = ()
    bars: tuple[Bar, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Panel:
    """One side of a card; ``version`` is None for what does not change when another version is chosen."""

    caption: str
    version: int | None
    told: Told


@dataclass(frozen=True)
class Shown:
    """A picture as the page holds it: its data, and its own size in pixels."""

    data: str
    width: int
    height: int

    @property
    def letter(self) -> float:
        """How high text over it is to be, in its own pixels."""
        return max(self.width, self.height) / _LINES


@dataclass(frozen=True)
class Card:
    """One example: a picture where it has one, what is right or usual, and what every version says."""

    name: str
    drift: str
    picture: Shown | None
    left: Panel
    right: tuple[Panel, ...]


def cards(comparison: Comparison) -> Iterator[Card]:
    """The examples in their order, which is worst first."""
    names = {version.version: version.name for version in comparison.versions}
    for example in comparison.examples:
        panels = [Panel(names[n], n, told(answer)) for n, answer in example.answers.items()]
        first = panels[0]
        left = Panel(f"{first.caption}, the reference", None, first.told)
        if example.truth is not None:
            left = Panel("ground truth", None, told(example.truth, truth=True))
        yield Card(example.name, _drift(example, comparison.reference), _shown(example.picture()), left, tuple(panels))


def _drift(example: Example, reference: int) -> str:
    others = {number: drift for number, drift in example.drift.items() if number != reference}
    if len(others) == 1:
        return ", ".join(f"version {number} differs by {drift:.3g}" for number, drift in others.items())
    told = ", ".join(f"{number} by {drift:.3g}" for number, drift in others.items())
    return f"differing from version {reference}: {told}" if told else ""


def _shown(picture: Picture | None) -> Shown | None:
    """A picture for the page, small enough."""
    if picture is None:
        return None
    height, width = picture.shape[:2]
    factor = min(1.0, _MOST_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if factor < 1 else picture
    data = pictures.encode(small.astype("uint8"), ".jpg")
    return Shown(f"data:image/jpeg;base64,{base64.b64encode(data).decode()}", width, height)


@singledispatch
def told(answer: Answer | Any, truth: bool = False) -> Told:
    """An answer in a form that can be shown; a truth has no scores."""
    text = json.dumps(answer.to_json(), ensure_ascii=False)
    text = text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]} …"
    return Told(text, text=text)


@told.register
def _(answer: Detected, truth: bool = False) -> Told:
    found = [each for each in answer.detections if truth or each.score >= AGREE_SCORE]
    # best last, so that it is drawn on top
    boxes = tuple(_box(each, truth) for each in reversed(found))
    return Told(", ".join(_words(each, truth) for each in found) or "nothing", boxes=boxes)


@told.register
def _(answer: Classified, truth: bool = False) -> Told:
    first = [replace(guess, present=not place) for place, guess in enumerate(answer.guesses[:_MOST_GUESSES])]
    return _guessed(first, truth)


@told.register
def _(answer: MultiLabelled, truth: bool = False) -> Told:
    if truth:
        return _guessed(answer.guesses, truth)
    return _guessed(sorted(answer.guesses, key=lambda guess: -guess.score)[:_MOST_GUESSES], truth)


@told.register
def _(answer: Subject, truth: bool = False) -> Told:
    return Told(answer.subject, text=answer.subject)


def _guessed(guesses: Sequence[Guess], truth: bool) -> Told:
    if truth:
        text = ", ".join(guess.label for guess in guesses if guess.present) or "nothing"
        return Told(text, text=text)
    bars = tuple(Bar(each.label, each.score, each.present) for each in guesses)
    return Told(", ".join(f"{bar.label} {bar.score:.2f}" for bar in bars), bars=bars)


def _box(found: Detection, truth: bool) -> Box:
    top, left, bottom, right = found.box
    colour = "#{:02x}{:02x}{:02x}".format(*colour_of(found.number))
    return Box(left, top, max(0.0, right - left), max(0.0, bottom - top), _words(found, truth), colour)


def _words(found: Detection, truth: bool) -> str:
    return found.label if truth else f"{found.label} {found.score:.2f}"
