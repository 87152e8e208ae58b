"""Whether one version is better than another or only luckier: a paired bootstrap over the questions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from evaluation.metrics.evidence import Evidence

Array = np.ndarray[Any, Any]

DRAWS: Final = 400
_SEED: Final = 0  # the same questions are drawn for all, and in every run
_PERCENT: Final = (2.5, 97.5)


class Interval(NamedTuple):
    """Where a difference lies with 95 %."""

    value: float
    low: float
    high: float


def differences(
    reference: Evidence, others: Sequence[Evidence], draws: int = DRAWS
) -> list[tuple[Interval | None, ...]]:
    """For each of the others and each metric, its value less the reference's; None where too little can be drawn.

    Every draw takes as many questions as there are, some of them several times, the same for all versions.
    """
    size, random = len(reference), np.random.default_rng(_SEED)
    drawn: list[list[Array]] = [[] for _ in others]
    for _ in range(draws if size > 1 else 0):
        counts = np.bincount(random.integers(0, size, size), minlength=size)
        start = reference.drawn(counts)
        for found, other in zip(drawn, others):
            found.append(other.drawn(counts) - start)
    return [_intervals(other.values() - reference.values(), found) for other, found in zip(others, drawn)]


def _intervals(values: Array, drawn: Sequence[Array]) -> tuple[Interval | None, ...]:
    if not drawn:
        return (None,) * len(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a metric that no draw could tell
        low, high = np.nanpercentile(np.array(drawn), _PERCENT, axis=0)
    return tuple(
        None if np.isnan(each).any() else Interval(*(float(number) for number in each))
        for each in zip(values, low, high)
    )
