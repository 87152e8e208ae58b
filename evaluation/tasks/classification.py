"""Classification: a picture in, the likeliest classes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation import labels
from evaluation.tasks import scoring
from evaluation.tasks.placing import Placement
from evaluation.tasks.scoring import Arrays
from model_config.signatures import Signature
from model_config.tasks import Decode

FIRST_CLASS = 0


@dataclass(frozen=True)
class Guess:
    """One class and how likely it is; ``present`` where classes do not exclude each other."""

    number: int
    label: str
    score: float
    present: bool = True

    def __str__(self) -> str:
        return f"{self.label} {self.score:.3f}"

    def to_json(self) -> dict[str, Any]:
        """As a plain object: score to 6 decimals."""
        return {"class": self.number, "label": self.label, "score": round(self.score, 6)}


@dataclass(frozen=True)
class Classified:
    """The likeliest classes of one picture, likeliest first."""

    guesses: tuple[Guess, ...]

    def to_json(self) -> dict[str, Any]:
        """As a plain object."""
        return {"classes": [guess.to_json() for guess in self.guesses]}


def outputs(signature: Signature, how: Decode) -> tuple[str, ...]:
    """The output that is needed."""
    return (scoring.output_name(signature, how, "scores"),)


def decode(
    arrays: Arrays, names: tuple[str, ...], places: Sequence[Placement], known: Mapping[int, str], how: Decode
) -> list[Classified]:
    """The likeliest ``how.top`` classes of each picture of a batch."""
    found = scoring.probabilities(scoring.rows(arrays, names[0], len(places)), how.activation)
    return [Classified(tuple(_guess(row, place, known) for place in _best(row, how.top))) for row in found]


def _best(row: scoring.Array, top: int) -> list[int]:
    # stable, so that of equals the first comes first
    return [int(place) for place in np.argsort(-row, kind="stable")[:top]]


def _guess(row: scoring.Array, number: int, known: Mapping[int, str]) -> Guess:
    return Guess(number, labels.name(known, number), float(row[number]))
