"""Whether a run has settled: three windows in a row that tell the same."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clients.loadgen.percentiles import Numbers, needed, percentile

IN_A_ROW = 3
WITHIN = 0.10


@dataclass(frozen=True)
class Window:
    """One stretch of a run: answers a second, and the chosen percentile of their latencies in ns."""

    rate: float
    latency_ns: float


def settled(windows: list[Window]) -> bool:
    """The last three windows lie within 10 % of their mean, in throughput and in latency."""
    last = windows[-IN_A_ROW:]
    if len(last) < IN_A_ROW:
        return False
    return _alike([w.rate for w in last]) and _alike([w.latency_ns for w in last])


def _alike(numbers: list[float]) -> bool:
    middle = sum(numbers) / len(numbers)
    return all(abs(number - middle) <= WITHIN * middle for number in numbers)


@dataclass
class Windows:
    """A run cut into windows as it goes; each lasts ``length_ns``, and until it supports its percentile.

    Attributes:
        start_ns: when the first one begins.
        closed: the windows that are over.
    """

    start_ns: int
    length_ns: int
    percent: float
    closed: list[Window] = field(default_factory=list)
    _latencies: list[Numbers] = field(default_factory=list)

    def add(self, latencies_ns: Numbers, now_ns: int) -> None:
        """The latencies of good answers that came since the last time, and what time it is."""
        self._latencies.append(latencies_ns)
        waiting = sum(map(len, self._latencies))
        if now_ns - self.start_ns >= self.length_ns and waiting >= needed(self.percent):
            latencies = np.concatenate(self._latencies)
            seconds = (now_ns - self.start_ns) / 1e9
            self.closed.append(Window(waiting / seconds, percentile(latencies, self.percent)))
            self.start_ns = now_ns
            self._latencies = []
