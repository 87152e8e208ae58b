"""Embedding: a picture in, a vector out that is near those of pictures of the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.errors import BadAnswer
from evaluation.tasks import scoring
from evaluation.tasks.placing import Placement
from evaluation.tasks.scoring import Array, Arrays
from model_config.signatures import Signature
from model_config.tasks import Decode

FIRST_CLASS = 0


@dataclass(frozen=True, eq=False)
class Embedded:
    """The vector of one picture, [dimensions]."""

    vector: Array

    def to_json(self) -> dict[str, Any]:
        """As a plain object: numbers to 6 decimals."""
        return {"vector": [round(each, 6) for each in self.vector.tolist()]}

    def distance(self, other: Embedded) -> float:
        """How far two vectors are apart (Euclidean); small for two pictures of the same."""
        return float(np.linalg.norm(self.vector - other.vector))


@dataclass(frozen=True)
class Shown:
    """Whom or what a picture shows, as labels tell; a model only says how near two pictures are."""

    subject: str

    def to_json(self) -> dict[str, Any]:
        """As a plain object."""
        return {"subject": self.subject}


def outputs(signature: Signature, how: Decode) -> tuple[str, ...]:
    """The output that is needed."""
    return (scoring.output_name(signature, how, "vector"),)


def decode(
    arrays: Arrays, names: tuple[str, ...], places: Sequence[Placement], known: Mapping[int, str], how: Decode
) -> list[Embedded]:
    """The vector of each picture of a batch, of length 1 unless ``how`` leaves it as it is."""
    vectors = scoring.rows(arrays, names[0], len(places))
    if how.normalise:
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not lengths.all():
            raise BadAnswer(f"output {names[0]} holds a vector of zeros, which has no direction")
        vectors = vectors / lengths
    return [Embedded(vector) for vector in vectors]
