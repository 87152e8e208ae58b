"""How fast versions are, side by side: a sweep of loads on each in turns, and the most that each answers in time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from clients import environment
from clients.loadgen import run, store
from clients.loadgen.bound import Search
from clients.loadgen.measure import Now, Session, Target, Watch
from clients.loadgen.measured import INTERRUPTED, Measured, joined, latencies_ns
from clients.loadgen.payload import Payload
from clients.loadgen.plan import Point, Rules, sweep
from clients.loadgen.result import Row
from clients.loadgen.store import Kept

TURNS: Final = 5

_THROUGHPUT: Final = 50.0  # the percentile that has to rest on enough where throughput is what matters
_LIMITS: Final = 2  # times the seconds of another load, for one at a rate to settle
_STEPS: Final = 8  # bins of latencies while they double


@dataclass(frozen=True)
class Loads:
    """What every version is put under.

    Attributes:
        batches, in_flight: every pair of them is a load; the smallest pair is what latency is told of.
        slo_ms: search the highest rate with p99 below.
        requests: of the smallest load, which percentiles need; of the others at most.
        seconds: how long any other load is put on one version at most, about.
    """

    batches: Sequence[int] = (1, 8)
    in_flight: Sequence[int] = (1, 4)
    slo_ms: float | None = None
    requests: int = 1000
    warm_up: int = 50
    seconds: float = 10.0

    @property
    def rules(self) -> Rules:
        """For the smallest load."""
        return Rules(self.warm_up, requests=self.requests)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Batch and callers of every load, the smallest first."""
        return sorted(itertools.product(self.batches, self.in_flight))

    @property
    def steps(self) -> int:
        """How many steps of progress a version makes."""
        return TURNS * len(self.pairs) + (len(self.batches) if self.slo_ms else 0)


@dataclass(frozen=True)
class Stand:
    """Where and by which requests versions are measured.

    Attributes:
        payload: the requests for a version and a batch.
        facts: what else is known about a version, such as its recipe.
        samples: the file that keeps every request, as ``bench --output`` does.
        done: told the version whenever it has made a step.
    """

    model: str
    target: Target
    payload: Callable[[int, int], Payload]
    facts: Callable[[int], Mapping[str, Any]]
    samples: Path
    done: Callable[[int], None]


def measure(stand: Stand, versions: Sequence[int], loads: Loads) -> dict[int, tuple[Row, ...]]:
    """A row for every load on every version, in the order of the loads, those under a bound last.

    Raises:
        KeyboardInterrupt: Ctrl-C, after what was measured so far is kept.
    """
    stand.samples.unlink(missing_ok=True)  # what a former run measured is not this one's
    subject = store.Subject(stand.model, stand.target.place, loads.rules, environment.describe())
    store.begin(stand.samples, subject)
    rows: dict[int, list[Row]] = {number: [] for number in versions}
    for place, (batch, in_flight) in enumerate(loads.pairs):
        for number, row in _in_turns(stand, versions, Point(None, batch, in_flight), loads, smallest=not place):
            rows[number].append(row)
    for row in _bounded(stand, versions, loads) if loads.slo_ms else ():
        rows[row["version"]].append(row)
        stand.done(row["version"])
    return {number: tuple(found) for number, found in rows.items()}


def _in_turns(
    stand: Stand, versions: Sequence[int], load: Point, loads: Loads, *, smallest: bool
) -> Iterator[tuple[int, Row]]:
    """One load on all versions: when the machine slows down, it does so for all of them."""
    rules = loads.rules if smallest else replace(loads.rules, percent=_THROUGHPUT)
    points = {number: replace(load, version=number) for number in versions}
    parts: dict[int, list[Measured]] = {number: [] for number in versions}
    with ExitStack() as stack:
        payloads = {number: stand.payload(number, load.batch) for number in versions}
        sessions = {n: stack.enter_context(Session(stand.target, payloads[n], points[n], rules)) for n in versions}
        wanted = {n: _requests(each, rules, None if smallest else loads.seconds) for n, each in sessions.items()}
        for turn in range(TURNS):
            for number, session in sessions.items():
                parts[number] += _turn(session, wanted[number], turn)
                stand.done(number)
    for number, point in points.items():
        kept = Kept(point, joined(parts[number]), dict(stand.facts(number)))
        store.add(stand.samples, kept)
        yield number, {**run.row(kept, rules), "latencies": _bins(kept.measured)}


def _requests(session: Session, rules: Rules, seconds: float | None) -> int:
    """Warm up, and say how many requests to make: those that the rules want, but for about so long at most."""
    start = time.monotonic()
    session.warm_up()
    wanted = rules.requests or 1
    if seconds is None or not rules.warm_up:
        return wanted
    return min(wanted, max(TURNS, round(rules.warm_up / (time.monotonic() - start) * seconds)))


def _turn(session: Session, requests: int, turn: int) -> list[Measured]:
    """A version's share of its requests; nothing where they are fewer than the turns."""
    share = requests // TURNS + (turn < requests % TURNS)
    if not share:
        return []
    measured = session.run(requests=share)
    if measured.ended == INTERRUPTED:
        raise KeyboardInterrupt
    return [measured]


def _bounded(stand: Stand, versions: Sequence[int], loads: Loads) -> Iterator[Row]:
    """The highest rate of every version and batch that keeps the bound."""
    rules = Rules(loads.warm_up, limit_s=_LIMITS * loads.seconds)
    bench = run.Bench(
        stand.target,
        rules,
        lambda version, batch: stand.payload(version or 0, batch),
        _unwatched,
        lambda version: stand.facts(version or 0),
        output=stand.samples,
    )
    search = Search(bench, loads.slo_ms or 0.0)
    for point in sweep(versions, loads.batches, (), (1.0,), "poisson", 0):
        row = search.row(point)
        if row["ended"] == INTERRUPTED:
            raise KeyboardInterrupt
        yield row


def _unwatched(_: Point) -> Watch:
    def watch(_: Now) -> None:
        """The step that it makes is told at its end."""

    return watch


def _bins(measured: Measured) -> list[tuple[float, float, int]]:
    """How many latencies lie between two, in ms; the edges are the same for whatever is compared."""
    octaves = np.log2(latencies_ns(measured.good) / 1e6)
    places, counts = np.unique(np.floor(octaves * _STEPS).astype(int), return_counts=True)
    edges = [(2 ** (place / _STEPS), 2 ** ((place + 1) / _STEPS)) for place in places.tolist()]
    return [(round(low, 4), round(high, 4), count) for (low, high), count in zip(edges, counts.tolist())]
