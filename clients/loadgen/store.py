"""Raw samples in a file of JSON lines, so that figures can be made again and a sweep can go on where it ended.

The first line says what was measured where. Each point is a line, lines with its samples, and a line that ends it:
a point without its end was broken off and counts as not measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from clients.loadgen.measured import Measured, Samples, shifted
from clients.loadgen.orders import Report
from clients.loadgen.plan import Point, Rules
from model_config.errors import SuiteError

_FORMAT: Final = 1
_A_LINE: Final = 1000  # samples
_COLUMNS: Final = ("due_ns", "sent_ns", "done_ns", "code", "worker")


@dataclass(frozen=True)
class Subject:
    """What a file is about.

    Attributes:
        place: the server's address, or the folder of an in-process run.
        environment: the machine and its tools.
    """

    model: str
    place: str
    rules: Rules
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Kept:
    """One measured point, with what cannot be told from its samples (``extra``: manifest, split of the time)."""

    point: Point
    measured: Measured
    extra: Mapping[str, Any] = field(default_factory=dict)


def read(path: Path) -> tuple[Subject, list[Kept]]:
    """A file's subject and its finished points; SuiteError when it is none of ours."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = filter(None, map(_parsed, file))
            subject = _subject(next(lines, {}), path)
            return subject, list(_points(lines))
    except OSError as error:
        raise SuiteError(f"cannot read {path}: {(error.strerror or 'no such file').lower()}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise SuiteError(f"{path} is damaged ({error}); measure again into another file") from error


def begin(path: Path, subject: Subject) -> list[Kept]:
    """Start a file, or go on with one of the same subject, whose finished points come back."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        header = {"bench": _FORMAT, **asdict(subject)}
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")
        return []
    before, points = read(path)
    if (before.model, before.place, before.rules) != (subject.model, subject.place, subject.rules):
        raise SuiteError(f"{path} holds another measurement (other model, server or rules); give another --output")
    return points


def add(path: Path, kept: Kept) -> None:
    """Append a point."""
    with path.open("a", encoding="utf-8") as file:
        for content in _lines(kept):
            # a line of its own even behind one that was broken off
            file.write(("\n" if "point" in content else "") + json.dumps(content) + "\n")


def _lines(kept: Kept) -> Iterator[dict[str, Any]]:
    measured = kept.measured
    yield {"point": asdict(kept.point)}
    for name in ("warm_up", "samples"):
        for place in range(0, len(getattr(measured, name)), _A_LINE):
            part = getattr(measured, name)[place : place + _A_LINE]
            yield {name: dict(zip(_COLUMNS, shifted(part, -measured.start_ns).T.tolist()))}
    yield {
        "end": {
            "end_ns": measured.end_ns - measured.start_ns,
            "ended": measured.ended,
            "checked": measured.checked,
            "reports": [asdict(report) for report in measured.reports],
            "extra": dict(kept.extra),
        }
    }


def _parsed(text: str) -> dict[str, Any]:
    """A line; nothing for one that was broken off."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _subject(header: Mapping[str, Any], path: Path) -> Subject:
    if header.get("bench") != _FORMAT:
        raise SuiteError(f"{path} was not written by bench --output (of this release); name another file")
    return Subject(header["model"], header["place"], Rules(**header["rules"]), header["environment"])


def _points(lines: Iterator[dict[str, Any]]) -> Iterator[Kept]:
    point, samples = Point(None, in_flight=1), _nothing()
    for line in lines:
        if "point" in line:
            point, samples = Point(**line["point"]), _nothing()
        elif "end" in line:
            yield _kept(point, samples, line["end"])
        else:
            for name, columns in line.items():
                samples[name].append(np.array([columns[column] for column in _COLUMNS], np.int64).T)


def _nothing() -> dict[str, list[Samples]]:
    return {name: [np.empty((0, len(_COLUMNS)), np.int64)] for name in ("warm_up", "samples")}


def _kept(point: Point, samples: Mapping[str, Sequence[Samples]], end: Mapping[str, Any]) -> Kept:
    measured = Measured(
        np.concatenate(samples["samples"]),
        np.concatenate(samples["warm_up"]),
        0,
        end["end_ns"],
        end["ended"],
        [Report(**report) for report in end["reports"]],
        end["checked"],
    )
    return Kept(point, measured, end["extra"])
