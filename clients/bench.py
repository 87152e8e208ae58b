"""Measure versions of a model side by side under the same load."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clients import load
from clients.ask import Detector
from evaluation.pictures import Picture
from model_config.errors import SuiteError

_ROUNDS = 5


@dataclass(frozen=True)
class Load:
    """How to ask: ``requests`` a version after ``warm_up`` more that do not count."""

    requests: int = 1000
    warm_up: int = 50
    batch: int = 1
    concurrency: int = 1

    def __post_init__(self) -> None:
        for name in ("requests", "batch", "concurrency"):
            if getattr(self, name) < 1:
                raise SuiteError(f"{name} must be at least 1, not {getattr(self, name)}")


def measure(
    detectors: Mapping[int, Detector], pictures: Sequence[Picture], plan: Load, done: Callable[[int, int], None]
) -> dict[int, load.Run]:
    """Latencies of every version under one load.

    Versions take turns in short rounds: when the machine slows down, it does so for all of them.

    Args:
        detectors: by version number.
        pictures: asked about in turn, repeated where there are fewer than a batch.
        done: told the version and the number of requests that ended.
    """
    asks = {number: _ask(detector, _batch(pictures, plan.batch)) for number, detector in detectors.items()}
    for ask in asks.values():
        load.closed_loop(ask, plan.warm_up, plan.concurrency, plan.batch)
    runs: dict[int, list[load.Run]] = {number: [] for number in asks}
    for share in _shares(plan.requests):
        for number, ask in asks.items():
            runs[number].append(load.closed_loop(ask, share, plan.concurrency, plan.batch))
            done(number, share)
    return {number: load.merged(parts) for number, parts in runs.items()}


def row(run: load.Run) -> dict[str, Any]:
    """The numbers of a run as they stand in tables and JSON files."""
    return {
        "p50_ms": round(run.percentile_ms(50), 3),
        "p90_ms": round(run.percentile_ms(90), 3),
        "p99_ms": round(run.percentile_ms(99), 3),
        "images_per_s": round(run.images_per_s, 2),
        "requests": len(run.latencies_ns),
        "doubts": run.doubts,
    }


def _ask(detector: Detector, batch: Sequence[Picture]) -> Callable[[], object]:
    request = detector.request(batch)  # made once, before any clock starts
    return lambda: detector.client.ask(request)


def _batch(pictures: Sequence[Picture], size: int) -> list[Picture]:
    """The first pictures that can share a batch, repeated until it is full."""
    same = [picture for picture in pictures if picture.shape == pictures[0].shape]
    return [same[place % len(same)] for place in range(size)]


def _shares(requests: int) -> list[int]:
    """The requests split over the rounds, as evenly as can be."""
    rounds = min(_ROUNDS, requests)
    return [requests // rounds + (place < requests % rounds) for place in range(rounds)]
