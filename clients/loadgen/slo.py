"""The highest rate that keeps a promise, by bisection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

TOLERANCE: Final = 0.05
_MOST_DOUBLINGS: Final = 20


@dataclass(frozen=True)
class Found:
    """Where the bisection ended.

    Attributes:
        rate: the highest that kept the promise, in requests a second; None when none did.
        broken: the lowest that did not; None when all did.
        tried: every rate, in order, and whether it kept the promise.
    """

    rate: float | None
    broken: float | None
    tried: tuple[tuple[float, bool], ...]


def search(keeps: Callable[[float], bool], start: float, least: float, tolerance: float = TOLERANCE) -> Found:
    """Double or halve from ``start`` until the answer changes, then bisect to within ``tolerance``.

    Args:
        keeps: whether a rate keeps the promise.
        least: rates below are not tried.
    """
    tried: list[tuple[float, bool]] = []

    def ask(rate: float) -> bool:
        tried.append((rate, keeps(rate)))
        return tried[-1][1]

    low, high = _bracket(ask, start, least)
    while low and high and high / low > 1 + tolerance:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if ask(middle) else (low, middle)
    return Found(low, high, tuple(tried))


def _bracket(ask: Callable[[float], bool], start: float, least: float) -> tuple[float | None, float | None]:
    """A rate that keeps the promise and twice it that does not, as far as there are such."""
    rate = start
    if ask(rate):
        for _ in range(_MOST_DOUBLINGS):
            if not ask(rate * 2):
                return rate, rate * 2
            rate *= 2
        return rate, None
    while rate / 2 >= least:
        rate /= 2
        if ask(rate):
            return rate, rate * 2
    return None, rate
