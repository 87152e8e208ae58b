"""Closed-loop load: so many callers, each asking again as soon as it has its answer."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

# a percentile wants this many samples beyond it before it means much
_ENOUGH = 10


@dataclass(frozen=True)
class Run:
    """What one load test saw; every number is derived from the raw latencies.

    Attributes:
        latencies_ns: one a request, from before sending to after decoding.
        wall_ns: how long the requests took together.
        batch: pictures a request.
    """

    latencies_ns: tuple[int, ...]
    wall_ns: int
    batch: int

    def percentile_ms(self, percent: float) -> float:
        """The latency in milliseconds that ``percent`` of all requests did not exceed."""
        return float(np.percentile(self.latencies_ns, percent, method="inverted_cdf")) / 1e6

    @property
    def images_per_s(self) -> float:
        """Pictures answered a second."""
        return len(self.latencies_ns) * self.batch * 1e9 / self.wall_ns

    @property
    def doubts(self) -> list[str]:
        """Reasons not to lean on the numbers; empty when there is none."""
        beyond = len(self.latencies_ns) // 100
        return [f"p99 rests on {beyond} of {len(self.latencies_ns)} requests"] if beyond < _ENOUGH else []


def closed_loop(ask: Callable[[], object], requests: int, concurrency: int, batch: int) -> Run:
    """Ask ``requests`` times from ``concurrency`` threads; what ``ask`` raises ends the run and is raised."""
    tickets = itertools.count()

    def caller(_: int) -> list[int]:
        taken = []
        while next(tickets) < requests:  # one step of the interpreter, so threads share it safely
            start = time.perf_counter_ns()
            ask()
            taken.append(time.perf_counter_ns() - start)
        return taken

    with ThreadPoolExecutor(concurrency) as pool:
        start = time.perf_counter_ns()
        latencies = [each for taken in pool.map(caller, range(concurrency)) for each in taken]
        return Run(tuple(latencies), time.perf_counter_ns() - start, batch)


def merged(runs: Iterable[Run]) -> Run:
    """Several runs of the same load as one."""
    parts = list(runs)
    latencies = tuple(itertools.chain.from_iterable(part.latencies_ns for part in parts))
    return Run(latencies, sum(part.wall_ns for part in parts), parts[0].batch)
