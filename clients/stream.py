"""Frames of pictures and videos, asked about in batches, with their answers in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clients.ask import Expert
from clients.footage import Footage
from evaluation.errors import BadPicture
from evaluation.pictures import Picture
from evaluation.tasks.prepared import Answer


@dataclass(frozen=True)
class Frame:
    """One picture of what is asked about.

    Attributes:
        place: which of the pictures and videos it belongs to.
        number: its number in there, from 0.
    """

    place: int
    number: int
    picture: Picture


@dataclass(frozen=True)
class Answered:
    """A frame, what was said about it, and which version said it."""

    frame: Frame
    version: int
    answer: Answer


def frames(footage: Sequence[Footage], unreadable: list[BadPicture]) -> Iterator[Frame]:
    """Every frame; among several a picture that cannot be read is noted, and the others go on."""
    for place, each in enumerate(footage):
        try:
            for number, picture in enumerate(each.frames()):
                yield Frame(place, number, picture)
        except BadPicture as error:
            if len(footage) == 1:
                raise
            unreadable.append(error)


def answers(expert: Expert, shown: Iterable[Frame], batch: int) -> Iterator[Answered]:
    """Ask about frames of one size together, ``batch`` at most."""
    for group in _groups(shown, batch):
        version, found = expert.ask([frame.picture for frame in group])
        yield from (Answered(frame, version, answer) for frame, answer in zip(group, found))


def _groups(shown: Iterable[Frame], batch: int) -> Iterator[list[Frame]]:
    waiting: list[Frame] = []
    for frame in shown:
        if waiting and (len(waiting) == batch or frame.picture.shape != waiting[0].picture.shape):
            yield waiting
            waiting = []
        waiting.append(frame)
        if len(waiting) == batch:  # a camera's next frame may be long in coming
            yield waiting
            waiting = []
    if waiting:
        yield waiting
