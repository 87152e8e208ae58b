"""Pictures with several findings each, in the CSV layout of the NIH's chest X-rays."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from evaluation import pictures
from evaluation.datasets import fingerprints
from evaluation.datasets.questions import Dataset, Findings, Question
from evaluation.errors import BadDataset, BadPicture
from evaluation.pictures import Picture
from model_config.data import Data

NOTHING: Final = "No Finding"
_SEPARATOR: Final = "|"
# the NIH's headers of the two columns that matter; without such headers they are the first two
_FILE, _LABELS = "image index", "finding labels"


class _Row(NamedTuple):
    line: int
    file: str
    labels: str


def fits(path: Path) -> bool:
    """A CSV file, or a folder with one that has the NIH's header."""
    return path.suffix.lower() == ".csv" or (path.is_dir() and len(_tables(path)) == 1)


def load(data: Data) -> Dataset:
    """Line by line; BadDataset when the file is no such table."""
    table = _table(data.path)
    folder = data.pictures or table.parent
    files = _files(folder)
    rows, wrong = _rows(table)
    questions = tuple(_question(place, row, files.get(row.file, ())) for place, row in enumerate(rows))
    if not questions:
        raise BadDataset(f"{table} lists no pictures; each line names a file and its labels, separated by |")
    return Dataset(f"pictures of {data}", questions, fingerprints.of(questions), unread=tuple(wrong))


def _files(folder: Path) -> dict[str, list[Path]]:
    """The pictures that a line may mean: by their place in the folder, or by their file's name alone."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in pictures.ENDINGS]
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(path.name, []).append(path)
    return {**found, **{path.relative_to(folder).as_posix(): [path] for path in paths}}


def _table(path: Path) -> Path:
    found = [path] if path.is_file() else _tables(path) or sorted(path.glob("*.csv"))
    if len(found) != 1:
        raise BadDataset(f"{path} holds {len(found)} CSV files; name the one with the findings with --data")
    return found[0]


def _tables(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.csv")) if _LABELS in _header(path)]


def _header(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.readline().lower()


def _rows(table: Path) -> tuple[list[_Row], list[str]]:
    """The lines that name a file and labels, and what is wrong with the others."""
    try:
        lines = list(csv.reader(io.StringIO(table.read_text(encoding="utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadDataset(f"{table} is no CSV that can be read ({error})") from error
    header = [name.strip().lower() for name in lines[0]] if lines else []
    named = _FILE in header and _LABELS in header
    file, labels = (header.index(_FILE), header.index(_LABELS)) if named else (0, 1)
    rows, wrong = [], []
    for number, line in enumerate(lines, start=1):
        if (number == 1 and named) or not any(line):
            continue
        if len(line) > max(file, labels) and line[file].strip():
            rows.append(_Row(number, line[file].strip(), line[labels]))
        else:
            wrong.append(f"{table.name}, line {number}: it does not name a file and labels")
    return rows, wrong


def _question(place: int, row: _Row, paths: Sequence[Path]) -> Question:
    names = tuple(sorted(_names(row.labels.split(_SEPARATOR))))
    if len(paths) != 1:
        return Question(place, row.file, None, Findings(names), partial(_missing, row, len(paths)))
    return Question(place, row.file, paths[0], Findings(names), partial(pictures.read, paths[0], upright=False))


def _names(labels: Sequence[str]) -> Iterator[str]:
    for label in labels:
        if label.strip() and label.strip() != NOTHING:
            yield label.strip()


def _missing(row: _Row, found: int) -> Picture:
    where = f"{found} times in the folder of the pictures; name it with its own folder" if found else ""
    raise BadPicture(f"line {row.line} names {row.file}, which is {where or 'nowhere in the folder of the pictures'}")
