"""Draws pictures that have of a chest X-ray what a small training needs: a finding changes what is seen."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from evaluation import pictures
from training.findings import FINDINGS

Canvas = np.ndarray[Any, np.dtype[np.float32]]  # [height, width], 0 to 1
Rng = np.random.Generator

SIZE: Final = 128
TABLE: Final = "Data_Entry_2017.csv"
_PER_PATIENT: Final = 3
_SHARE: Final = 0.2  # of the pictures, that have a finding


def write_dataset(folder: Path, count: int, seed: int = 1) -> Path:
    """Write so many pictures and their findings in the NIH's layout; gives the folder."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("Image Index", "Finding Labels", "Follow-up #", "Patient ID"))
        for number in range(count):
            patient, follow_up = divmod(number, _PER_PATIENT)
            name = f"{patient + 1:08}_{follow_up:03}.png"
            there = [each for each in FINDINGS if rng.random() < _SHARE]
            pictures.write(draw(there, rng), folder / "images" / name)
            table.writerow((name, "|".join(there) or "No Finding", follow_up, patient + 1))
    return folder


def draw(findings: list[str], rng: Rng) -> pictures.Picture:
    """One picture, uint8 RGB as X-ray files are read."""
    canvas = np.full((SIZE, SIZE), 0.55, np.float32)
    heart = 0.30 if "Cardiomegaly" in findings else 0.18
    for side in (0.3, 0.7):
        _ellipse(canvas, (side, 0.45), (0.16, 0.32), 0.2)
    _ellipse(canvas, (0.55, 0.62), (heart, 0.2), 0.75)
    for name in findings:
        if name in _MARKS:
            _MARKS[name](canvas, rng)
    canvas = cv2.GaussianBlur(canvas, (0, 0), 1.2) + rng.normal(0, 0.02, canvas.shape).astype(np.float32)
    grey = np.asarray(np.clip(canvas * 255, 0, 255), np.uint8)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def _ellipse(canvas: Canvas, middle: tuple[float, float], radii: tuple[float, float], shade: float) -> None:
    x, y, a, b = (round(share * SIZE) for share in (*middle, *radii))
    cv2.ellipse(canvas, (x, y), (max(a, 1), max(b, 1)), 0, 0, 360, shade, -1)


def _spot(radius: float, shade: float, top: float = 0.2, bottom: float = 0.7) -> Callable[[Canvas, Rng], None]:
    """Something round, anywhere in the lungs."""

    def mark(canvas: Canvas, rng: Rng) -> None:
        middle = (float(rng.choice((0.3, 0.7)) + rng.uniform(-0.08, 0.08)), float(rng.uniform(top, bottom)))
        _ellipse(canvas, middle, (radius, radius), shade)

    return mark


def _band(top: float, bottom: float, shade: float) -> Callable[[Canvas, Rng], None]:
    """A part of the height where everything is brighter or darker."""

    def mark(canvas: Canvas, rng: Rng) -> None:
        canvas[round(top * SIZE) : round(bottom * SIZE)] += shade

    return mark


def _speckles(share: float, shade: float) -> Callable[[Canvas, Rng], None]:
    def mark(canvas: Canvas, rng: Rng) -> None:
        canvas[rng.random(canvas.shape) < share] += shade

    return mark


# nothing of these is medicine: each only differs from the others
_MARKS: Final[dict[str, Callable[[Canvas, Rng], None]]] = {
    "Atelectasis": _band(0.66, 0.7, 0.3),
    "Effusion": _band(0.78, 0.95, 0.35),
    "Infiltration": _speckles(0.08, 0.35),
    "Mass": _spot(0.1, 0.8),
    "Nodule": _spot(0.045, 0.95),
    "Pneumonia": _spot(0.14, 0.5, 0.5, 0.6),
    "Pneumothorax": _band(0.0, 0.16, -0.45),
    "Consolidation": _spot(0.18, 0.6, 0.3, 0.4),
    "Edema": _band(0.0, 1.0, 0.12),
    "Emphysema": _band(0.0, 1.0, -0.12),
    "Fibrosis": _speckles(0.05, -0.4),
    "Pleural_Thickening": _band(0.96, 1.0, 0.45),
    "Hernia": _spot(0.12, 0.0, 0.85, 0.9),
}
