"""A comparison as summary.json and as one page that opens from disk."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from clients import drawing
from clients.comparison import Compared, Comparison, Example
from clients.report import table
from evaluation import pictures
from evaluation.metrics import agreement
from evaluation.tasks.detection import Detected, Detection

_PICTURES = 12
_UNMEASURED = {"p50_ms": None, "p90_ms": None, "p99_ms": None, "images_per_s": None, "requests": 0, "doubts": ()}
_LEAST_SIDE = 384  # pixels; smaller pictures are enlarged before boxes are drawn


@dataclass(frozen=True)
class _Cell:
    """One drawing of a picture, ready for the page."""

    caption: str
    alt: str
    data: str


def write(comparison: Comparison, folder: Path) -> tuple[Path, Path]:
    """Write both files and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    summary = {
        "model": comparison.model,
        "rows": rows(comparison),
        "environment": dict(comparison.environment),
        "commands": list(comparison.commands),
    }
    page = _page(comparison)
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


def _page(comparison: Comparison) -> str:
    loader = jinja2.PackageLoader("clients.report", "")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    found = rows(comparison)
    return environment.get_template("page.html.j2").render(
        comparison=comparison,
        rows=found,
        sentences=table.sentences(found),
        header=table.header(found),
        cells=[table.cells(row) for row in found],
        doubts=table.doubts(found),
        gallery=[(each.name, _drawings(comparison, each)) for each in comparison.examples[:_PICTURES] if each.picture],
        score=agreement.AGREE_SCORE,
        commands=comparison.commands,
    )


def rows(comparison: Comparison) -> list[dict[str, Any]]:
    """One row a version: its figures under the first load, and what its answers are worth."""
    return [_row(each) for each in comparison.versions]


def _row(compared: Compared) -> dict[str, Any]:
    score = next(iter(compared.accuracy.scores), compared.accuracy.agreement)
    return {
        **next(iter(compared.speed), _UNMEASURED),
        "version": compared.version,
        "recipe": compared.recipe,
        "size_bytes": compared.costs.size_bytes,
        "metric": {"name": score.metric, "value": round(score.value, 4)},
        "agreement": round(compared.accuracy.agreement.value, 4),
    }


def _drawings(comparison: Comparison, example: Example) -> list[_Cell]:
    assert example.picture is not None
    pixels = pictures.read(example.picture)
    recipes = {each.version: each.recipe for each in comparison.versions}
    versions = [
        _cell(f"{number} {recipes[number]}", pixels, agreement.shown(_detections(answer)), scores=True)
        for number, answer in example.answers.items()
    ]
    return [_cell("ground truth", pixels, _detections(example.truth), scores=False), *versions]


def _detections(answer: Any) -> Sequence[Detection]:
    return answer.detections if isinstance(answer, Detected) else ()


def _cell(caption: str, pixels: pictures.Picture, detections: Sequence[Detection], *, scores: bool) -> _Cell:
    drawn = drawing.draw(pixels, detections, least_side=_LEAST_SIDE, scores=scores)
    data = base64.b64encode(pictures.encode(drawn, ".jpg")).decode()
    words = [f"{each.label} {each.score:.2f}" if scores else each.label for each in detections]
    return _Cell(caption, f"{caption}: {', '.join(words) or 'nothing'}", f"data:image/jpeg;base64,{data}")
