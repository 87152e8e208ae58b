"""Ask about every frame, print what was answered, draw it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from clients import drawing, showing, stream
from clients.ask import Expert
from clients.footage import Footage, Still
from clients.stream import Answered
from clients.writing import Album
from evaluation.errors import BadPicture
from evaluation.tasks.detection import Detected
from evaluation.tasks.prepared import Answer
from model_config.console import print_json, print_table, progress, stderr
from model_config.errors import SuiteError


@dataclass(frozen=True)
class Wishes:
    """What is to become of the answers.

    Attributes:
        output: a file or folder to draw into.
        batch: frames a request at most.
        limit: frames at most.
        min_score: detections that score less are left out.
        as_json: one object a frame instead of tables.
    """

    output: Path | None = None
    batch: int = 1
    limit: int | None = None
    min_score: float = 0.3
    as_json: bool = False


def run(expert: Expert, footage: Sequence[Footage], wishes: Wishes) -> None:
    """Ask about everything in its order.

    Raises:
        SuiteError: some pictures could not be read; all others were asked about.
    """
    unreadable: list[BadPicture] = []
    with Album(footage, wishes.output) as album, progress() as bars:
        # before the first frame, as a camera can be asked nothing while it gives frames
        bar = bars.add_task(f"asking {expert.model}", total=_total(footage, wishes.limit))
        for answered in _answers(expert, footage, wishes, unreadable):
            answer = _above(answered.answer, wishes.min_score)
            frame = answered.frame
            album.write(frame.place, partial(drawing.annotated, answer, frame.picture))
            _print(expert.model, footage[answered.frame.place], answered, answer, wishes.as_json)
            bars.advance(bar)
    for error in unreadable:
        stderr().print(f"skipped: {error}")
    if unreadable:
        raise SuiteError(f"{len(unreadable)} of {len(footage)} could not be read; all others were asked about")


def _answers(
    expert: Expert, footage: Sequence[Footage], wishes: Wishes, unreadable: list[BadPicture]
) -> Iterator[Answered]:
    shown = islice(stream.frames(footage, unreadable), wishes.limit)
    return stream.answers(expert, shown, wishes.batch)


def _total(footage: Sequence[Footage], limit: int | None) -> int | None:
    """How many frames there will be, as far as that is known."""
    counts = [_count(each) for each in footage]
    total = None if None in counts else sum(count or 0 for count in counts)
    return limit if total is None or (limit is not None and limit < total) else total


def _count(footage: Footage) -> int | None:
    try:
        return footage.total
    except BadPicture:
        return 0  # told when its turn comes


def _above(answer: Answer, score: float) -> Answer:
    return answer.above(score) if isinstance(answer, Detected) else answer


def _print(model: str, footage: Footage, answered: Answered, answer: Answer, as_json: bool) -> None:
    frame, version = answered.frame, answered.version
    if as_json:
        print_json({"model": model, "version": version, **_source(footage, frame.number), **answer.to_json()})
        return
    header, rows = showing.table(answer)
    where = footage.path if isinstance(footage, Still) else f"{footage.source} frame {frame.number}"
    print_table(f"{where}: {model} {version}", header, rows)


def _source(footage: Footage, number: int) -> dict[str, Any]:
    if isinstance(footage, Still):
        return {"image": str(footage.path)}
    return {"video": str(footage.source), "frame": number}
