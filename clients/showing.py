"""Answers as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any, NamedTuple

from evaluation.tasks.classification import Classified
from evaluation.tasks.detection import Detected
from evaluation.tasks.embedding import Embedded
from evaluation.tasks.multi_label import MultiLabelled

_FIRST = 4  # numbers of a vector that are shown


class Table(NamedTuple):
    """A header and rows; the first column holds words."""

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@singledispatch
def table(answer: Any) -> Table:
    """What was answered about one picture."""
    raise TypeError(f"no table for {type(answer).__name__}")


@table.register
def _(answer: Detected) -> Table:
    rows = [(d.label, f"{d.score:.3f}", *(f"{edge:.0f}" for edge in d.box)) for d in answer.detections]
    return Table(("label", "score", "ymin", "xmin", "ymax", "xmax"), rows)


@table.register
def _(answer: Classified) -> Table:
    return Table(("label", "class", "score"), [(g.label, str(g.number), f"{g.score:.4f}") for g in answer.guesses])


@table.register
def _(answer: MultiLabelled) -> Table:
    rows = [(g.label, str(g.number), f"{g.score:.4f}", "yes" if g.present else "") for g in answer.guesses]
    return Table(("label", "class", "probability", "present"), rows)


@table.register
def _(answer: Embedded) -> Table:
    start = ", ".join(f"{each:.4f}" for each in answer.vector[:_FIRST])
    more = ", …" if len(answer.vector) > _FIRST else ""
    return Table(("vector", "dimensions"), [(f"{start}{more}", str(len(answer.vector)))])
