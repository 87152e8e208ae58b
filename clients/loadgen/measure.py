"""Run one point: warm up, put the load on, watch it settle, stop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from clients.connection import Connection
from clients.loadgen.codes import Code
from clients.loadgen.fleet import IN_PROCESS, WORKER, Fleet
from clients.loadgen.measured import (
    COLUMNS,
    COUNTED,
    INTERRUPTED,
    LIMIT,
    SETTLED,
    Measured,
    Samples,
    answered,
    latencies_ns,
)
from clients.loadgen.orders import Job, Run, Tls
from clients.loadgen.payload import Payload
from clients.loadgen.percentiles import percentile
from clients.loadgen.plan import Point, Rules
from clients.loadgen.windows import Windows, settled

_POLL_S = 0.1
_MOST_CONNECTIONS = 8
_PATIENCE_S = 5.0  # for workers to say what they saw, beyond the time limit of requests


@dataclass(frozen=True)
class Target:
    """Who is asked: servers at ``HOST:PORT`` (several with commas), or a SavedModel's folder in a process of ours."""

    place: str
    in_process: bool = False
    tls: Tls | None = None


def target_of(connection: Connection) -> Target:
    """The servers of a client's connection; for worker processes, which are told in plain text, import no gRPC."""
    tls, files = connection.tls, None
    if tls:
        ca, certificate, key = (str(path) if path else None for path in (tls.ca, tls.cert, tls.key))
        files = Tls(ca, certificate, key, tls.name)
    return Target(",".join(connection.addresses), tls=files)


@dataclass(frozen=True)
class Now:
    """How far a run is: seconds, requests, failed ones, and the percentile that is to settle, in ms, lately."""

    seconds: float
    requests: int
    failed: int
    percentile_ms: float


Watch = Callable[[Now], None]


def _unwatched(_: Now) -> None:
    """Nobody looks."""


class Session:
    """Workers that stand ready to put one point's load on, as often as wanted; used in a ``with`` block."""

    def __init__(self, target: Target, payload: Payload, point: Point, rules: Rules) -> None:
        """Start workers and connections."""
        self._point, self._rules, self._payload, self._target = point, rules, payload, target
        self._tails = payload.tails
        self._warm_up = np.empty((0, COLUMNS), np.int64)
        self._fleet = self._start()

    def _start(self) -> Fleet:
        point, rules = self._point, self._rules
        connections = rules.connections or min(point.in_flight or _MOST_CONNECTIONS, _MOST_CONNECTIONS)
        workers = 1 if self._target.in_process else min(rules.workers or _workers(), connections)
        job = Job(
            self._target.place, connections, rules.timeout_s, [tail.hex() for tail in self._tails], self._target.tls
        )
        return Fleet(job, self._payload.messages, workers, IN_PROCESS if self._target.in_process else WORKER)

    @property
    def _checked(self) -> bool:
        return self._target.in_process or any(self._tails)

    def warm_up(self) -> None:
        """Ask as the rules say before anything counts."""
        if not self._rules.warm_up:
            return
        warmed = self._run(self._rules.warm_up)
        if warmed.ended == INTERRUPTED:
            raise KeyboardInterrupt  # nothing was measured yet, so there is nothing to be kept
        self._warm_up = warmed.samples
        if any(self._tails) and (self._warm_up[:, 3] == Code.OTHER_VERSION).all():
            # this server ends its answers in another way, so they cannot be told apart
            self._fleet.close()
            self._tails = [b""]
            self._fleet = self._start()
            self._run(self._rules.warm_up)

    def run(self, watch: Watch = _unwatched, requests: int | None = None) -> Measured:
        """Put the load on: so many requests, else as many as the rules say, else until it has settled."""
        return self._run(requests or self._rules.requests, watch)

    def _run(self, requests: int | None, watch: Watch = _unwatched) -> Measured:
        point = self._point
        order = Run(0, point.in_flight, point.rate, point.arrival, point.seed, requests=requests)
        start = self._fleet.begin(order)
        taken: list[Samples] = []
        ended = self._follow(start, requests, taken, watch)
        end = time.monotonic_ns()
        self._drain(taken)
        samples = np.concatenate(taken)
        samples = samples[np.argsort(samples[:, 2], kind="stable")]
        if ended == COUNTED and len(samples):
            end = int(samples[-1, 2])
        return Measured(samples, self._warm_up, start, end, ended, self._fleet.reports, self._checked)

    def _follow(self, start: int, requests: int | None, taken: list[Samples], watch: Watch) -> str:
        """Until the run is to end, and why; ``taken`` gets what came so far."""
        progress = _Progress(start, self._rules, watch)
        try:
            while True:
                time.sleep(_POLL_S)
                over = self._fleet.over
                taken.append(self._fleet.new_samples())
                progress.add(taken[-1])
                if over:
                    return COUNTED
                if requests is None and settled(progress.windows.closed):
                    return SETTLED
                if time.monotonic_ns() - start > self._rules.limit_s * 1e9:
                    return LIMIT
        except KeyboardInterrupt:
            return INTERRUPTED

    def _drain(self, taken: list[Samples]) -> None:
        """Wait for the answers that are under way; one more Ctrl-C ends that too."""
        end = time.monotonic() + self._rules.timeout_s + _PATIENCE_S
        try:
            self._fleet.stop()
            while not self._fleet.over and time.monotonic() < end:
                time.sleep(_POLL_S / 10)
        except KeyboardInterrupt:
            pass
        taken.append(self._fleet.new_samples())

    def __enter__(self) -> Session:
        """Use the workers in a ``with`` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them."""
        self._fleet.close()


class _Progress:
    """What is told and judged while a run goes on."""

    def __init__(self, start: int, rules: Rules, watch: Watch) -> None:
        self.windows = Windows(start, round(rules.window_s * 1e9), rules.percent)
        self._start, self._percent, self._watch = start, rules.percent, watch
        self._requests = self._failed = 0

    def add(self, samples: Samples) -> None:
        good, now = answered(samples), time.monotonic_ns()
        self._requests += len(samples)
        self._failed += len(samples) - len(good)
        latencies = latencies_ns(good)
        self.windows.add(latencies, now)
        lately = self.windows.closed[-1].latency_ns if self.windows.closed else percentile(latencies, self._percent)
        self._watch(Now((now - self._start) / 1e9, self._requests, self._failed, lately / 1e6))


def _workers() -> int:
    """Half of the processors this process may use, as a server on the same machine wants some too; at most four."""
    return max(1, min(4, len(os.sched_getaffinity(0)) // 2))
