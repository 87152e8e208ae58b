"""The highest rate at which latencies surely stay under a bound: searched by short probes, then measured in full."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from clients.loadgen import slo
from clients.loadgen.codes import Code
from clients.loadgen.measured import INTERRUPTED, Measured, latencies_ns
from clients.loadgen.percentiles import needed, percentile, stays_under
from clients.loadgen.plan import Point
from clients.loadgen.result import Row
from clients.loadgen.run import Bench, row
from clients.loadgen.store import Kept

_FIRST = 30  # requests of one caller, to see where to begin
_PROBE_S = 2.0  # at least, so that a queue has time to grow
_PROBE_REQUESTS = 2  # times what the percentile needs at least
_PROBE_TIMEOUT = 3  # times the bound: later answers do not matter
_LEAST_RATE = 0.25
_LAST_TRIES = 4  # lower rates when the found one does not hold over a whole run


class _Interrupted(Exception):
    """Ctrl-C ended a probe, and with it the search."""

    def __init__(self, probe: Kept) -> None:
        super().__init__()
        self.probe = probe


@dataclass(frozen=True)
class Search:
    """A search under one bound, which the rules' percentile has to keep."""

    bench: Bench
    bound_ms: float

    def row(self, point: Point) -> Row:
        """The figures at the highest rate of an open loop otherwise like this one; INVALID when no rate holds."""
        kept = next((kept for kept in self.bench.before if self._is_of(kept, point)), None)
        try:
            if kept is None:
                kept = self._found(point)
                self.bench.keep(kept)
        except _Interrupted as end:
            return row(end.probe, self.bench.rules)
        figures = row(kept, self.bench.rules)
        if kept.extra["slo"]["kept"]:
            return figures
        broken = f"p{self.bench.rules.percent:g} does not surely stay under {self.bound_ms:g} ms at any rate tried"
        return {**figures, "verdict": "INVALID", "doubts": [*figures["doubts"], broken]}

    def _is_of(self, kept: Kept, point: Point) -> bool:
        same = replace(kept.point, in_flight=0, rate=point.rate) == point and kept.measured.ended != INTERRUPTED
        return same and kept.extra.get("slo", {}).get("bound_ms") == self.bound_ms

    def _found(self, point: Point) -> Kept:
        alone = replace(point, in_flight=1, rate=0.0)
        first = self.bench.measured(alone, replace(self.bench.rules, requests=_FIRST))
        found = slo.Found(None, None, ()) if self._is_hopeless(first) else self._searched(point, first)
        kept = Kept(alone, first) if found.rate is None else self._confirmed(point, found.rate)
        told = {
            "bound_ms": self.bound_ms,
            "percent": self.bench.rules.percent,
            "kept": self._keeps(kept.measured),
            "tried": [{"rate": round(rate, 3), "kept": held} for rate, held in found.tried],
        }
        return replace(kept, extra={**kept.extra, "slo": told})

    def _is_hopeless(self, alone: Measured) -> bool:
        """Most requests take longer than the bound even where none waits for another."""
        return bool(percentile(latencies_ns(alone.samples), 50) > self.bound_ms * 1e6)

    def _searched(self, point: Point, alone: Measured) -> slo.Found:
        # one caller keeps a server half busy at this rate
        start = max(_LEAST_RATE, len(alone.done_ns) / alone.seconds / 2)
        return slo.search(lambda rate: self._probe(replace(point, rate=rate)), start, _LEAST_RATE)

    def _confirmed(self, point: Point, rate: float) -> Kept:
        """What held in a probe, measured in full; where it does not hold there, a lower rate."""
        for _ in range(_LAST_TRIES):
            kept = self.bench.kept(replace(point, rate=round(rate, 3)))
            if self._keeps(kept.measured) or kept.measured.ended == INTERRUPTED:
                break
            rate /= 1 + slo.TOLERANCE
        return kept

    def _probe(self, point: Point) -> bool:
        rules = self.bench.rules
        requests = max(_PROBE_REQUESTS * needed(rules.percent), round(point.rate * _PROBE_S))
        timeout = min(rules.timeout_s, max(1.0, _PROBE_TIMEOUT * self.bound_ms / 1e3))
        measured = self.bench.measured(point, replace(rules, requests=requests, timeout_s=timeout))
        if measured.ended == INTERRUPTED:
            raise _Interrupted(Kept(point, measured))
        return self._keeps(measured)

    def _keeps(self, measured: Measured) -> bool:
        """The percentile surely stays under the bound, where a failed request counts as a slow one."""
        samples = measured.samples
        slow = (latencies_ns(samples) > self.bound_ms * 1e6) | (samples[:, 3] != Code.OK)
        return stays_under(int(np.count_nonzero(slow)), len(samples), self.bench.rules.percent)
