"""Multi-label: a picture in, a probability of its own for every class out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation import labels
from evaluation.tasks import scoring
from evaluation.tasks.classification import Guess
from evaluation.tasks.placing import Placement
from evaluation.tasks.scoring import Arrays
from model_config.signatures import Signature
from model_config.tasks import Decode

FIRST_CLASS = 0


@dataclass(frozen=True)
class MultiLabelled:
    """Every class of one picture in the model's order, and whether it is there."""

    guesses: tuple[Guess, ...]

    def to_json(self) -> dict[str, Any]:
        """As a plain object."""
        classes = [{**guess.to_json(), "present": guess.present} for guess in self.guesses]
        return {"classes": classes}


def outputs(signature: Signature, how: Decode) -> tuple[str, ...]:
    """The output that is needed."""
    return (scoring.output_name(signature, how, "scores"),)


def decode(
    arrays: Arrays, names: tuple[str, ...], places: Sequence[Placement], known: Mapping[int, str], how: Decode
) -> list[MultiLabelled]:
    """The probability of every class for each picture of a batch; present from ``how.threshold`` on."""
    found = scoring.probabilities(scoring.rows(arrays, names[0], len(places)), how.activation)
    return [MultiLabelled(tuple(_guesses(row, known, how.threshold))) for row in found]


def _guesses(row: scoring.Array, known: Mapping[int, str], threshold: float) -> list[Guess]:
    return [
        Guess(number, labels.name(known, number), score, present=score >= threshold)
        for number, score in enumerate(row.tolist())
    ]
