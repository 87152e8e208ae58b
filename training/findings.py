"""The 14 findings of the NIH's chest X-rays, and the rows of zeros and ones that labels become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from evaluation.datasets.questions import Findings, Question
from evaluation.errors import BadDataset
from model_config.errors import near_miss

Array = np.ndarray[Any, Any]

FINDINGS: Final = (
    *("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia"),
    *("Pneumothorax", "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia"),
)


def rows(questions: Sequence[Question]) -> Array:
    """What is there, [pictures, findings] of 0 and 1; BadDataset for a finding that is none of the 14."""
    found = np.zeros((len(questions), len(FINDINGS)), np.float32)
    for place, question in enumerate(questions):
        for name in _names(question):
            found[place, _number(question, name)] = 1
    return found


def _names(question: Question) -> tuple[str, ...]:
    return question.label.names if isinstance(question.label, Findings) else ()


def _number(question: Question, name: str) -> int:
    if name not in FINDINGS:
        raise BadDataset(
            f"{question.name} has the finding {name!r}, which is none of the 14; {near_miss(name, FINDINGS)}"
        )
    return FINDINGS.index(name)
