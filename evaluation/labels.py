"""What the class numbers of a model mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from model_config.errors import SuiteError

# the categories of the COCO data set, whose ids have gaps: empty lines
_BUILT_IN = {"coco": Path(__file__).with_name("coco.txt")}


def load(labels: tuple[str, ...] | str) -> Mapping[int, str]:
    """Labels by class number from a list (class 1 first), ``coco``, or a text file with one label a line."""
    lines = labels if isinstance(labels, tuple) else _lines(_BUILT_IN.get(labels, Path(labels)))
    return {number: label for number, label in enumerate(lines, start=1) if label}


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"cannot read labels from {path}; name a text file with one label a line, or coco") from error


def name(labels: Mapping[int, str], number: int) -> str:
    """The label of a class, or its number where there is none."""
    return labels.get(number, str(number))
