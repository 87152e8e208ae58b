"""What the class numbers of a model mean."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from google.protobuf import text_format

from evaluation.label_map_pb2 import StringIntLabelMap
from model_config.errors import SuiteError

# the categories of the COCO data set, whose ids have gaps: empty lines
_BUILT_IN: Final = MappingProxyType({"coco": Path(__file__).with_name("coco.txt")})

Labels = dict[int, str]


def load(labels: tuple[str, ...] | str, first: int = 1) -> Mapping[int, str]:
    """Labels by class number.

    Args:
        labels: a list; ``coco``; or a file: text with one label a line, JSON (a list, or an object with the
            numbers as keys or as values), CSV (number and label, with or without a header), or a label map
            of the Object Detection API (``.pbtxt``).
        first: the number of the first label of lists and of text, which name no numbers.
    """
    if isinstance(labels, tuple):
        return _numbered(labels, first)
    if labels in _BUILT_IN:
        return _numbered(_BUILT_IN[labels].read_text(encoding="utf-8").splitlines(), 1)
    return _read(Path(labels), first)


def name(labels: Mapping[int, str], number: int) -> str:
    """The label of a class, or its number where there is none."""
    return labels.get(number) or str(number)


def _read(path: Path, first: int) -> Labels:
    reader = _READERS.get(path.suffix.lower(), _text)
    try:
        return reader(path.read_text(encoding="utf-8-sig"), first)
    except OSError as error:
        raise SuiteError(f"cannot read labels from {path}; name a text file with one label a line, or coco") from error
    # wrong JSON and text that is not in UTF-8 are ValueErrors too
    except (ValueError, TypeError, IndexError, text_format.ParseError) as error:
        raise SuiteError(f"{path} holds no labels that can be read: {error}") from error


def _numbered(lines: Any, first: int) -> Labels:
    return {number: line.strip() for number, line in enumerate(lines, first) if line.strip()}


def _text(text: str, first: int) -> Labels:
    return _numbered(text.splitlines(), first)


def _json(text: str, first: int) -> Labels:
    document = json.loads(text)
    if isinstance(document, list):
        return _numbered(map(str, document), first)
    if not isinstance(document, dict):
        raise ValueError("it is neither a list nor an object")
    if all(isinstance(value, int) for value in document.values()):
        return {value: key for key, value in document.items()}
    # ImageNet's usual file has the name of a synset beside each label
    return {int(key): str(value[-1] if isinstance(value, list) else value) for key, value in document.items()}


def _csv(text: str, first: int) -> Labels:
    rows = [row for row in csv.reader(text.splitlines()) if row]
    if all(len(row) == 1 for row in rows):
        return _numbered((row[0] for row in rows), first)
    # the number may stand before the label or behind it, and a header above both
    behind = rows[1:] or rows
    place = next((place for place in (0, 1) if all(_is_number(row[place]) for row in behind)), None)
    if place is None:
        raise ValueError("neither the first nor the second column holds the numbers of classes")
    return {int(row[place]): row[1 - place].strip() for row in rows if _is_number(row[place])}


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*-?\d+\s*", text) is not None


def _label_map(text: str, first: int) -> Labels:
    """What the Object Detection API writes; labels for people where it has them, and else the data set's ids."""
    # of the rest, such as key points, nothing is needed
    found = text_format.Parse(text, StringIntLabelMap(), allow_unknown_field=True)
    if not all(item.HasField("id") for item in found.item):
        raise ValueError("it has an item without an id")
    return {item.id: item.display_name or item.name or str(item.id) for item in found.item}


_READERS: Final[Mapping[str, Callable[[str, int], Labels]]] = MappingProxyType(
    {".json": _json, ".csv": _csv, ".pbtxt": _label_map}
)
