"""The questions on which versions differ most, as pictures side by side."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from clients import drawing
from clients.comparison import Example
from evaluation import pictures
from evaluation.metrics import agreement
from evaluation.pictures import Picture
from evaluation.tasks.detection import Detected
from evaluation.tasks.prepared import Answer

Box = tuple[float, float, float, float]

_HEIGHT: Final = 480  # pixels of each picture
_MOST_WIDTH: Final = 1920
_GAP: Final = 8


def write(examples: Sequence[Example], folder: Path) -> None:
    """Draw the answers of all examples on which versions differ; what was there before goes away."""
    shutil.rmtree(folder, ignore_errors=True)
    for number, example in enumerate(examples, start=1):
        picture = example.picture() if max(example.drift.values()) > 0 else None
        if picture is not None:
            name = f"{number:02}-{_spelled(Path(example.name).stem)}.jpg"
            pictures.write(beside(example, picture), folder / name)


def beside(example: Example, picture: Picture) -> Picture:
    """What the labels say and what each version answers, drawn into copies of a picture from left to right."""
    height, width = picture.shape[:2]
    factor = min(_HEIGHT / height, _MOST_WIDTH / width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    large = np.asarray(
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC), np.uint8
    )
    shown = {f"version {version}": answer for version, answer in example.answers.items()}
    told = shown if example.truth is None else {"truth": example.truth, **shown}
    drawn = [drawing.titled(drawing.annotated(_seen(each, factor), large), title) for title, each in told.items()]
    gap = np.full((drawn[0].shape[0], _GAP, 3), 255, np.uint8)
    return np.hstack([part for each in drawn for part in (each, gap)][:-1])


def _seen(answer: Answer, factor: float) -> Answer:
    """What is drawn of an answer, in pixels of the picture as it is drawn."""
    if not isinstance(answer, Detected):
        return answer
    shown = agreement.shown(answer.detections)
    return Detected(tuple(each._replace(box=_larger(each.box, factor)) for each in shown))


def _larger(box: Box, factor: float) -> Box:
    ymin, xmin, ymax, xmax = box
    return factor * ymin, factor * xmin, factor * ymax, factor * xmax


def _spelled(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)
