"""What is trained on, what decides when to stop, and what is kept for the test: no patient is in two of them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evaluation.datasets.questions import Findings, Question
from evaluation.errors import BadDataset

# the NIH's own list of what the test is made of, which papers report on
TEST_LIST: Final = "test_list.txt"

_TEST_PERCENT, _VALIDATION_PERCENT = 20, 10
_HEADER: Final = ("Image Index", "Finding Labels")


@dataclass(frozen=True)
class Split:
    """The questions of a data set in three parts."""

    training: tuple[Question, ...]
    validation: tuple[Question, ...]
    test: tuple[Question, ...]


def split(questions: Sequence[Question], folder: Path) -> Split:
    """Split by patients; what ``test_list.txt`` in the folder names is the test, where there is one.

    Raises:
        BadDataset: a part would be empty.
    """
    is_test = _is_test(folder / TEST_LIST)
    test = tuple(each for each in questions if is_test(each.name))
    rest = [each for each in questions if not is_test(each.name)]
    validation = tuple(each for each in rest if _percent(f"validation {_patient(each.name)}") < _VALIDATION_PERCENT)
    chosen = {each.id for each in validation}
    found = Split(tuple(each for each in rest if each.id not in chosen), validation, test)
    if not (found.training and found.validation and found.test):
        raise BadDataset(
            f"{folder} has too few patients: {len(found.training)} pictures to train on, {len(validation)} to stop by, "
            f"{len(test)} to test; add more"
        )
    return found


def write(questions: Sequence[Question], path: Path) -> None:
    """List pictures with their findings, in the NIH's layout."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(_HEADER)
        for each in questions:
            names = each.label.names if isinstance(each.label, Findings) else ()
            table.writerow((each.name, "|".join(names) or "No Finding"))


def _is_test(path: Path) -> Callable[[str], bool]:
    if not path.is_file():
        return lambda name: _percent(f"test {_patient(name)}") < _TEST_PERCENT
    listed = frozenset(path.read_text(encoding="utf-8-sig").split())
    return lambda name: _file(name) in listed


def _patient(name: str) -> str:
    """File names are 00000013_004.png: the patient, and a number for each picture."""
    return _file(name).partition("_")[0]


def _file(name: str) -> str:
    """A picture's own name, where the table names its folder too."""
    return name.rpartition("/")[2]


def _percent(text: str) -> int:
    """A number from 0 to 99 that is the same for the same text, on every machine."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 100
