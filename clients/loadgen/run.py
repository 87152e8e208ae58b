"""Measure the points of a sweep one after the other, or search for the highest rate, and keep what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from clients.loadgen import metrics, result, slo, store
from clients.loadgen.codes import Code
from clients.loadgen.measure import Session, Target, Watch
from clients.loadgen.measured import INTERRUPTED, Measured, latencies_ns
from clients.loadgen.metrics import Totals
from clients.loadgen.payload import Payload
from clients.loadgen.percentiles import needed, stays_under
from clients.loadgen.plan import Point, Rules
from clients.loadgen.result import Row
from clients.loadgen.store import Kept

_FIRST = 30  # requests of one caller, to see where to begin
_PROBE_S = 2.0  # at least, so that a queue has time to grow
_PROBE_REQUESTS = 2  # times what the percentile needs at least
_PROBE_TIMEOUT = 3  # times the bound: later answers do not matter
_LEAST_RATE = 0.25
_LAST_TRIES = 4  # lower rates when the found one does not hold over a whole run


@dataclass(frozen=True)
class Bench:
    """How points are measured, whatever they are.

    Attributes:
        payload: the requests for a version and a batch.
        watch: gives for a point whom to tell about its progress.
        facts: what else is known about a version, such as its manifest.
        totals: what the server has counted so far; None where nobody can ask it.
        output: where to keep the samples; nowhere when None.
        before: what is kept there already.
    """

    target: Target
    rules: Rules
    payload: Callable[[int | None, int], Payload]
    watch: Callable[[Point], Watch]
    facts: Callable[[int | None], Mapping[str, Any]]
    totals: Callable[[], Totals] | None = None
    output: Path | None = None
    before: Sequence[Kept] = field(default=())

    def rows(self, points: Sequence[Point]) -> Iterator[Row]:
        """The figures of each point; those that were measured before are not measured again."""
        done = {kept.point: kept for kept in self.before if kept.measured.ended != INTERRUPTED}
        for point in points:
            kept = done.get(point) or self._kept(point)
            yield row(kept, self.rules)
            if kept.measured.ended == INTERRUPTED:
                return

    def highest(self, point: Point, bound_ms: float) -> Row:
        """The figures at the highest rate at which the rules' percentile surely stays under the bound.

        A rate that holds in a probe is measured in full; when it does not hold there, a lower one is.
        """
        start = self._likely_rate(point)
        found = slo.search(lambda rate: self._probe(replace(point, rate=rate), bound_ms), start, _LEAST_RATE)
        rate = found.rate or _LEAST_RATE
        for _ in range(_LAST_TRIES):
            kept = self._kept(replace(point, rate=round(rate, 3)))
            figures = row(kept, self.rules)
            holds = keeps(kept.measured, bound_ms, self.rules.percent)
            if holds or found.rate is None or kept.measured.ended == INTERRUPTED:
                break
            rate /= 1 + slo.TOLERANCE
        if not holds:
            broken = f"p{self.rules.percent:g} does not surely stay under {bound_ms:g} ms at any rate tried"
            figures = {**figures, "verdict": "INVALID", "doubts": [*figures["doubts"], broken]}
        tried = [{"rate": round(tried, 3), "kept": kept} for tried, kept in found.tried]
        return {**figures, "slo": {"bound_ms": bound_ms, "percent": self.rules.percent, "kept": holds, "tried": tried}}

    def _likely_rate(self, point: Point) -> float:
        """Where to begin: half of what one caller gets through."""
        alone = self._measured(replace(point, in_flight=1, rate=0.0), replace(self.rules, requests=_FIRST))
        return max(_LEAST_RATE, len(alone.done_ns) / alone.seconds / 2)

    def _probe(self, point: Point, bound_ms: float) -> bool:
        requests = max(_PROBE_REQUESTS * needed(self.rules.percent), round(point.rate * _PROBE_S))
        timeout = min(self.rules.timeout_s, max(1.0, _PROBE_TIMEOUT * bound_ms / 1e3))
        measured = self._measured(point, replace(self.rules, requests=requests, timeout_s=timeout))
        if measured.ended == INTERRUPTED:
            raise KeyboardInterrupt
        return keeps(measured, bound_ms, self.rules.percent)

    def _kept(self, point: Point) -> Kept:
        with self._session(point, self.rules) as session:
            before = self.totals() if self.totals else None
            measured = session.run(self.watch(point))
            extra = dict(self.facts(point.version))
            if self.totals and before:
                extra["split"] = metrics.split(before, self.totals(), measured)
        kept = Kept(point, measured, extra)
        if self.output:
            store.add(self.output, kept)
        return kept

    def _measured(self, point: Point, rules: Rules) -> Measured:
        with self._session(point, rules) as session:
            return session.run(self.watch(point))

    @contextmanager
    def _session(self, point: Point, rules: Rules) -> Iterator[Session]:
        """Workers that have warmed up."""
        with Session(self.target, self.payload(point.version, point.batch), point, rules) as session:
            session.warm_up()
            yield session


def row(kept: Kept, rules: Rules) -> Row:
    """The figures of a point, and what else is known about it."""
    return {**result.row(kept.point, kept.measured, rules), **kept.extra}


def keeps(measured: Measured, bound_ms: float, percent: float) -> bool:
    """The percentile surely stays under the bound, where a failed request counts as a slow one."""
    samples = measured.samples
    slow = (latencies_ns(samples) > bound_ms * 1e6) | (samples[:, 3] != Code.OK)
    return stays_under(int(np.count_nonzero(slow)), len(samples), percent)
