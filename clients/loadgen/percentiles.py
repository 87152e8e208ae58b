"""Percentiles, and how many requests it takes before one means something (MLPerf LoadGen's rule)."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

Numbers = np.ndarray[Any, np.dtype[Any]]

CONFIDENCE: Final = 0.99


def needed(percent: float) -> int:
    """The fewest requests that can show a percentile: 44 for p90, 90 for p95, 459 for p99, 4,603 for p99.9.

    With fewer it is too likely (more than 1 in 100) that all of them were faster than the true percentile.
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(percent / 100))


def percentile(values: Numbers, percent: float) -> float:
    """The smallest value seen that ``percent`` of all do not exceed; NaN when there is none."""
    if not len(values):
        return math.nan
    place = max(0, math.ceil(len(values) * percent / 100 - 1e-9) - 1)
    return float(np.partition(values, place)[place])


def stays_under(over: int, requests: int, percent: float) -> bool:
    """Whether it is sure (99 %) that ``percent`` of all requests stay under a bound that ``over`` of them exceeded.

    A true share of 1 % or more of slow requests would have shown more of them, but for 1 case in 100.
    """
    return _chance_of_at_most(over, requests, 1 - percent / 100) <= 1 - CONFIDENCE


def _chance_of_at_most(few: int, number: int, chance: float) -> float:
    """The binomial distribution's lower tail, from the logarithms, as its terms are too small for floats."""
    if few >= number:
        return 1.0
    first = number * math.log1p(-chance)
    steps = np.arange(few, dtype=np.float64)
    ratios = np.log((number - steps) / (steps + 1)) + math.log(chance) - math.log1p(-chance)
    terms = first + np.concatenate([[0.0], np.cumsum(ratios)])
    return float(min(1.0, np.exp(terms).sum()))
