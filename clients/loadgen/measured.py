"""What a run gave, before anything is derived from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from clients.loadgen.codes import Code
from clients.loadgen.orders import Report

Samples = np.ndarray[Any, np.dtype[np.int64]]

COLUMNS: Final = 5
SETTLED: Final = "settled"
LIMIT: Final = "limit"
COUNTED: Final = "requests"
INTERRUPTED: Final = "interrupted"


@dataclass(frozen=True)
class Measured:
    """Everything a run of one point gave; all figures are derived from it.

    Attributes:
        samples: [requests, 5], in the order they ended: due, sent, done (ns), code, worker.
        warm_up: the same of the requests before.
        start_ns: when the first request was due, on the machine's monotonic clock.
        end_ns: when nothing more was asked, or with a fixed number of requests when the last one ended.
        ended: why: ``settled``, ``limit``, ``requests`` or ``interrupted``.
        reports: what the workers saw of themselves.
        checked: each answer was looked at for the version it came from.
    """

    samples: Samples
    warm_up: Samples
    start_ns: int
    end_ns: int
    ended: str
    reports: Sequence[Report]
    checked: bool

    @property
    def good(self) -> Samples:
        """The samples of requests that were answered well."""
        return answered(self.samples)

    @property
    def seconds(self) -> float:
        """How long it was asked."""
        return max(1, self.end_ns - self.start_ns) / 1e9

    @property
    def done_ns(self) -> Samples:
        """When good answers came, as far as they came while it was asked: what throughput is made of."""
        done: Samples = self.good[:, 2]
        return done[done <= self.end_ns]


def answered(samples: Samples) -> Samples:
    """Those that ended well."""
    chosen: Samples = samples[samples[:, 3] == Code.OK]
    return chosen


def latencies_ns(samples: Samples) -> Samples:
    """From when each request was due until its answer was there."""
    taken: Samples = samples[:, 2] - samples[:, 0]
    return taken


def shifted(samples: Samples, by_ns: int) -> Samples:
    """The same requests at another time."""
    moved: Samples = samples + np.array([by_ns, by_ns, by_ns, 0, 0])
    return moved


def joined(parts: Sequence[Measured]) -> Measured:
    """Several runs of one load as if they had followed each other without a pause."""
    whole = parts[0]
    for part in parts[1:]:
        shift = whole.end_ns - part.start_ns
        moved = shifted(part.samples, shift)
        whole = replace(
            whole,
            samples=np.concatenate([whole.samples, moved]),
            end_ns=part.end_ns + shift,
            ended=part.ended,
            reports=[*whole.reports, *part.reports],
            checked=whole.checked and part.checked,
        )
    return whole
