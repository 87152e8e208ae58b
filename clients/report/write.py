"""A comparison as summary.json and as one page that opens from disk."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from clients import drawing
from clients.compare import Comparison
from clients.report import table
from evaluation import accuracy, pictures
from evaluation.datasets import LabelledPicture
from evaluation.tasks.detection import Detection

_PICTURES = 12
_LEAST_SIDE = 384  # pixels; smaller pictures are enlarged before boxes are drawn


@dataclass(frozen=True)
class _Cell:
    """One drawing of a picture, ready for the page."""

    caption: str
    alt: str
    data: str


def write(comparison: Comparison, folder: Path, commands: Sequence[str]) -> tuple[Path, Path]:
    """Write both files and return their paths; ``commands`` are what the reader runs to see the same."""
    folder.mkdir(parents=True, exist_ok=True)
    summary = {
        "model": comparison.model,
        "rows": list(comparison.rows),
        "environment": dict(comparison.environment),
        "commands": list(commands),
    }
    page = _page(comparison, commands)
    return (
        _replace(folder / "summary.json", json.dumps(summary, indent=2) + "\n"),
        _replace(folder / "report.html", page),
    )


def _replace(path: Path, text: str) -> Path:
    """All or nothing: a reader never sees half a file."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
    return path


def _page(comparison: Comparison, commands: Sequence[str]) -> str:
    loader = jinja2.PackageLoader("clients.report", "")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("page.html.j2").render(
        comparison=comparison,
        sentences=table.sentences(comparison.rows),
        header=table.header(comparison.rows),
        cells=[table.cells(row) for row in comparison.rows],
        doubts=table.doubts(comparison.rows),
        gallery=[(picture.path.name, _drawings(comparison, picture)) for picture in _most_different(comparison)],
        score=accuracy.AGREE_SCORE,
        commands=commands,
    )


def _most_different(comparison: Comparison) -> list[LabelledPicture]:
    """The pictures on which the versions differ most from the first one, then in the data set's order."""
    reference, *others = comparison.found.values()

    def alike(picture: LabelledPicture) -> float:
        return sum(accuracy.agreement([reference[picture.id]], [other[picture.id]]) for other in others)

    return sorted(comparison.pictures, key=alike)[:_PICTURES]


def _drawings(comparison: Comparison, picture: LabelledPicture) -> list[_Cell]:
    pixels = pictures.read(picture.path)
    recipes = {row["version"]: row["recipe"] for row in comparison.rows}
    versions = [
        _cell(f"{number} {recipes[number]}", pixels, accuracy.shown(found[picture.id]), scores=True)
        for number, found in comparison.found.items()
    ]
    return [_cell("ground truth", pixels, picture.truth, scores=False), *versions]


def _cell(caption: str, pixels: pictures.Picture, detections: Sequence[Detection], *, scores: bool) -> _Cell:
    drawn = drawing.draw(pixels, detections, least_side=_LEAST_SIDE, scores=scores)
    data = base64.b64encode(pictures.encode(drawn, ".jpg")).decode()
    words = [f"{each.label} {each.score:.2f}" if scores else each.label for each in detections]
    return _Cell(caption, f"{caption}: {', '.join(words) or 'nothing'}", f"data:image/jpeg;base64,{data}")
