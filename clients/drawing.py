"""Answers drawn into pictures: boxes with labels and scores, or lines of text in the corner."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence
from functools import singledispatch
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from clients import fonts
from evaluation.pictures import Picture
from evaluation.tasks.classification import Classified, Guess
from evaluation.tasks.detection import Detected, Detection
from evaluation.tasks.multi_label import MultiLabelled

_LETTERS = 13  # pixels high in a picture of usual size
_MARGIN = 3

Colour = tuple[int, int, int]


@singledispatch
def annotated(answer: Any, picture: Picture) -> Picture:
    """A copy of a picture with what was answered about it; of a vector there is nothing to be seen."""
    return picture.copy()


@annotated.register
def _(answer: Detected, picture: Picture) -> Picture:
    return draw(picture, answer.detections)


@annotated.register
def _(answer: Classified, picture: Picture) -> Picture:
    return _listed(picture, answer.guesses)


@annotated.register
def _(answer: MultiLabelled, picture: Picture) -> Picture:
    return _listed(picture, [guess for guess in answer.guesses if guess.present])


def draw(picture: Picture, detections: Sequence[Detection], *, least_side: int = 0, scores: bool = True) -> Picture:
    """A copy of the picture with its detections, best on top; enlarged when a side is below ``least_side``."""
    factor = max(1, round(least_side / min(picture.shape[:2])))
    canvas = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    weight = _weight(canvas)
    image = Image.fromarray(canvas)
    for detection in sorted(detections, key=lambda each: each.score):
        text = f"{detection.label} {detection.score:.2f}" if scores else detection.label
        _draw_one(image, detection, text, factor, weight)
    return np.asarray(image, np.uint8)


def _weight(canvas: Picture) -> int:
    """How strong lines are, in pixels: visible in large pictures, and not all there is in small ones."""
    return max(1, round(min(canvas.shape[:2]) / 400))


def _draw_one(image: Image.Image, detection: Detection, text: str, factor: int, weight: int) -> None:
    ymin, xmin, ymax, xmax = (round(edge * factor) for edge in detection.box)
    colour = _colour(detection.number)
    edges = (min(xmin, xmax), min(ymin, ymax), max(xmin, xmax), max(ymin, ymax))
    ImageDraw.Draw(image).rectangle(edges, outline=colour, width=2 * weight)
    font, text = _font(text, detection.number, _LETTERS * weight)
    height = _LETTERS * weight + 2 * _MARGIN
    # inside the picture, above the box where there is room
    _label(image, text, font, (xmin, ymin - height if ymin > height else ymin), colour)


def _listed(picture: Picture, guesses: Iterable[Guess]) -> Picture:
    image, weight = Image.fromarray(picture), _weight(picture)
    top = 0
    for guess in guesses:
        font, text = _font(str(guess), guess.number, _LETTERS * weight)
        top = _label(image, text, font, (0, top), _colour(guess.number))
    return np.asarray(image, np.uint8)


def _font(text: str, number: int, size: int) -> tuple[fonts.Font, str]:
    """A font and a text it can draw: where no font here knows the label's letters, the number of its class."""
    found = fonts.font_for(text, size)
    if found is not None:
        return found, text
    plain = f"class {number} {text.rpartition(' ')[2]}"
    return fonts.font_for(plain if plain.isascii() else f"class {number}", size) or _font("?", number, size)[0], plain


def _label(image: Image.Image, text: str, font: fonts.Font, corner: tuple[int, int], colour: Colour) -> int:
    """Write on a coloured ground, moved into the picture; gives where the next line may start."""
    pen = ImageDraw.Draw(image)
    left, top, right, bottom = (round(edge) for edge in pen.textbbox((0, 0), text, font=font))
    width, height = right - left + 2 * _MARGIN, bottom - top + 2 * _MARGIN
    x, y = max(0, min(corner[0], image.width - width)), max(0, min(corner[1], image.height - height))
    pen.rectangle((x, y, x + width, y + height), fill=colour)
    pen.text((x + _MARGIN - left, y + _MARGIN - top), text, font=font, fill=(0, 0, 0))
    return y + height


def _colour(number: int) -> Colour:
    """A bright colour of its own for each class: steps of the golden angle around the colour wheel."""
    red, green, blue = colorsys.hsv_to_rgb(number * 0.381966 % 1, 0.65, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def titled(picture: Picture, title: str) -> Picture:
    """The picture below a line of text."""
    weight = _weight(picture)
    height = _LETTERS * weight + 4 * _MARGIN
    image = Image.fromarray(np.vstack([np.full((height, picture.shape[1], 3), 255, np.uint8), picture]))
    font, text = _font(title, 0, _LETTERS * weight)
    ImageDraw.Draw(image).text((_MARGIN, _MARGIN), text, font=font, fill=(0, 0, 0))
    return np.asarray(image, np.uint8)
