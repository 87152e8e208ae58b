"""When the requests of an open loop are due, whatever the server does."""

from __future__ import annotations

import random
from collections.abc import Iterator

ARRIVALS = ("poisson", "constant")


def arrivals(rate: float, arrival: str, seed: int, worker: int = 0, workers: int = 1) -> Iterator[int]:
    """Nanoseconds from the start at which one of several workers has to ask, for ever.

    Args:
        rate: requests a second of all workers together.
        arrival: ``poisson`` (independent, as from many users) or ``constant`` (evenly spaced).
        seed: the same seed gives the same Poisson arrivals.
        worker: from 0; a worker's share of Poisson arrivals is Poisson too, of constant ones every n-th.
    """
    if arrival == "constant":
        return _constant(rate, worker, workers)
    return _poisson(rate / workers, random.Random(f"{seed} {worker}"))


def _constant(rate: float, worker: int, workers: int) -> Iterator[int]:
    place = worker
    while True:
        yield round(1e9 * place / rate)  # from the start each time, so that roundings do not add up
        place += workers


def _poisson(rate: float, draw: random.Random) -> Iterator[int]:
    now = 0.0
    while True:
        now += draw.expovariate(rate)
        yield round(1e9 * now)
