"""How far a figure may be from the true one, by resampling what was measured.

Requests that follow each other are alike (a slow moment hits many), so whole blocks of them are drawn, not single
ones: intervals from single requests would be too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from clients.loadgen.percentiles import Numbers

_RESAMPLES: Final = 1000
_MOST_BLOCKS: Final = 100
_MOST_BINS: Final = 2048
_LEVEL: Final = 95.0


class Interval(NamedTuple):
    """Where the true figure is, with a confidence of 95 %."""

    low: float
    high: float


def interval(resampled: Numbers) -> Interval:
    """The middle 95 % of a resampled figure."""
    low, high = np.percentile(resampled, [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2])
    return Interval(float(low), float(high))


def ratio(above: Numbers, below: Numbers) -> Interval:
    """The interval of the ratio of two resampled figures; without a difference it holds 1."""
    return interval(above / below)


def percentiles(values: Numbers, percents: Sequence[float], seed: int = 0) -> list[Numbers]:
    """What each percentile would have been in 1,000 repetitions; ``values`` in the order they were measured."""
    edges = _edges(values)
    blocks = np.array_split(np.searchsorted(edges, values), min(len(values), _MOST_BLOCKS))
    counts = np.stack([np.bincount(block, minlength=len(edges)) for block in blocks]).astype(np.float32)
    # whole numbers below 2**24 are exact in float32
    reached = np.cumsum(_draws(len(blocks), seed) @ counts, axis=1)
    number = reached[:, -1:].astype(np.float64)
    wanted = (np.ceil(number * percent / 100 - 1e-9).astype(np.float32) for percent in percents)
    return [np.asarray(edges[np.argmax(reached >= each, axis=1)]) for each in wanted]


def rates(done_ns: Numbers, start_ns: int, end_ns: int, seed: int = 0) -> Numbers:
    """What the requests a second would have been in 1,000 repetitions, from when each was done."""
    blocks = max(1, min(_MOST_BLOCKS, len(done_ns)))
    counts, _ = np.histogram(done_ns, bins=blocks, range=(start_ns, end_ns))
    return np.asarray(_draws(blocks, seed) @ counts * 1e9 / (end_ns - start_ns))


def _draws(blocks: int, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """How often each block is drawn in each repetition."""
    even = np.full(blocks, 1 / blocks)
    return np.random.default_rng(seed).multinomial(blocks, even, _RESAMPLES).astype(np.float32)


def _edges(values: Numbers) -> Numbers:
    """The values themselves, or so many of them, evenly by rank, that counting up to each stays cheap."""
    unique: Numbers = np.unique(values)
    if len(unique) <= _MOST_BINS:
        return unique
    places = np.linspace(0, len(values) - 1, _MOST_BINS).round().astype(np.int64)
    chosen: Numbers = np.unique(np.sort(values)[places])
    return chosen
