"""Measure the points of a sweep one after the other, and keep what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.loadgen import metrics, result, store
from clients.loadgen.measure import Session, Target, Watch
from clients.loadgen.measured import INTERRUPTED, Measured
from clients.loadgen.metrics import Totals
from clients.loadgen.payload import Payload
from clients.loadgen.plan import Point, Rules
from clients.loadgen.result import Row
from clients.loadgen.store import Kept


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
            kept = done.get(point)
            if kept is None:
                kept = self.kept(point)
                self.keep(kept)
            yield row(kept, self.rules)
            if kept.measured.ended == INTERRUPTED:
                return

    def kept(self, point: Point) -> Kept:
        """Measure a point in full, with what else is known about it."""
        with self._session(point, self.rules) as session:
            before = self.totals() if self.totals else None
            measured = session.run(self.watch(point))
            extra = dict(self.facts(point.version))
            if self.totals and before:
                extra["split"] = metrics.split(before, self.totals(), measured)
        return Kept(point, measured, extra)

    def keep(self, kept: Kept) -> None:
        """Write it down, where something is to be written."""
        if self.output:
            store.add(self.output, kept)

    def measured(self, point: Point, rules: Rules) -> Measured:
        """Measure a point by other rules than the bench's."""
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
