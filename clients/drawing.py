"""Boxes, labels and scores drawn into pictures."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np

from evaluation.pictures import Picture
from evaluation.tasks.detection import Detection

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(picture: Picture, detections: Sequence[Detection], *, least_side: int = 0, scores: bool = True) -> Picture:
    """A copy of the picture with its detections, best on top; enlarged when a side is below ``least_side``."""
    factor = max(1, round(least_side / min(picture.shape[:2])))
    canvas = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    weight = max(1, round(min(canvas.shape[:2]) / 400))
    for detection in sorted(detections, key=lambda each: each.score):
        text = f"{detection.label} {detection.score:.2f}" if scores else detection.label
        _draw_one(canvas, detection, text, factor, weight)
    return np.asarray(canvas, np.uint8)


def _draw_one(canvas: Picture, detection: Detection, text: str, factor: int, weight: int) -> None:
    ymin, xmin, ymax, xmax = (round(edge * factor) for edge in detection.box)
    colour = _colour(detection.number)
    cv2.rectangle(canvas, (xmin, ymin), (xmax, ymax), colour, 2 * weight, cv2.LINE_AA)
    scale = 0.45 * weight
    (width, height), _ = cv2.getTextSize(text, _FONT, scale, weight)
    # inside the picture, above the box where there is room
    left = max(0, min(xmin, canvas.shape[1] - width - 4))
    foot = ymin - 3 if ymin > height + 6 else ymin + height + 5
    cv2.rectangle(canvas, (left, foot - height - 3), (left + width + 4, foot + 4), colour, cv2.FILLED)
    cv2.putText(canvas, text, (left + 2, foot), _FONT, scale, (0, 0, 0), weight, cv2.LINE_AA)


def _colour(number: int) -> tuple[int, int, int]:
    """A bright colour of its own for each class: steps of the golden angle around the colour wheel."""
    red, green, blue = colorsys.hsv_to_rgb(number * 0.381966 % 1, 0.65, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
