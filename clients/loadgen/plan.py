"""What is to be measured: the points of a sweep, and the rules by which each is measured."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from clients.loadgen.schedule import ARRIVALS
from model_config.errors import SuiteError


@dataclass(frozen=True)
class Point:
    """One load on one version: so many callers who wait for their answers, or so many requests a second.

    Attributes:
        version: the latest when None.
        in_flight: of a closed loop; 0 for an open one.
        rate: requests a second of an open loop; 0 for a closed one.
        scenario: MLPerf's name for it, where the user gave one.
    """

    version: int | None
    batch: int = 1
    in_flight: int = 0
    rate: float = 0.0
    arrival: str = "poisson"
    seed: int = 0
    scenario: str = ""

    def __post_init__(self) -> None:
        """Refuse what no load is."""
        if self.batch < 1:
            raise SuiteError(f"batch must be at least 1, not {self.batch}")
        if (self.in_flight > 0) == (self.rate > 0) or min(self.in_flight, self.rate) < 0:
            raise SuiteError(
                f"a load has callers or a rate, not {self.in_flight} callers and {self.rate:g} requests a second; "
                "give --concurrency or --rate, above 0"
            )
        if self.arrival not in ARRIVALS:
            raise SuiteError(f"arrivals are {' or '.join(ARRIVALS)}, not {self.arrival!r}")

    @property
    def load(self) -> str:
        """The load in words."""
        return f"{self.rate:g}/s {self.arrival}" if self.rate else f"{self.in_flight} callers"

    @property
    def title(self) -> str:
        """The point in words."""
        return f"version {self.version or 'latest'}, batch {self.batch}, {self.load}"


@dataclass(frozen=True)
class Rules:
    """How a point is measured.

    Attributes:
        warm_up: requests that do not count.
        percent: the percentile that must settle, and that the verdict is about.
        requests: exactly so many; None: until the run has settled, or ``limit_s``.
        window_s: the least length of a window.
        timeout_s: after which a request counts as failed.
        workers: processes; 0: as many as the load and the machine suggest.
        connections: of all workers together; 0: one a caller, at most 8.
    """

    warm_up: int = 50
    percent: float = 99.0
    requests: int | None = None
    window_s: float = 1.0
    limit_s: float = 60.0
    timeout_s: float = 60.0
    workers: int = 0
    connections: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be followed."""
        for name, least in (("requests", 1), ("warm_up", 0), ("workers", 0), ("connections", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise SuiteError(f"{name.replace('_', '-')} must be at least {least}, not {value}")
        for name in ("window_s", "limit_s", "timeout_s"):
            if getattr(self, name) <= 0:
                raise SuiteError(f"{name[:-2]} must be above 0 seconds, not {getattr(self, name):g}")
        if not 1 <= self.percent < 100:
            raise SuiteError(f"a percentile is from 1 to below 100, not {self.percent:g}")


@dataclass(frozen=True)
class Scenario:
    """One of MLPerf's, as far as it makes sense over a wire.

    Attributes:
        name: as MLPerf spells it.
        percent: the percentile its result is about; the median where that is throughput.
    """

    name: str
    batch: int
    in_flight: int
    arrival: str
    percent: float
    meaning: str


_ALL: Final = (
    Scenario("SingleStream", 1, 1, "", 90.0, "one caller, one picture: its 90th percentile"),
    Scenario("MultiStream", 8, 1, "", 99.0, "one caller, eight pictures: its 99th percentile"),
    Scenario("Server", 1, 0, "poisson", 99.0, "Poisson arrivals: the highest rate under --slo-p99, or at --rate"),
    Scenario("Offline", 32, 8, "", 50.0, "as much at a time as the server takes: pictures a second"),
)
SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType({each.name: each for each in _ALL})


def sweep(
    versions: Sequence[int | None],
    batches: Sequence[int],
    in_flight: Sequence[int],
    rates: Sequence[float],
    arrival: str,
    seed: int,
    scenario: str = "",
) -> Iterator[Point]:
    """All combinations; versions change fastest, so that they are measured close together."""
    for batch, load in itertools.product(batches, [*((n, 0.0) for n in in_flight), *((0, r) for r in rates)]):
        for version in versions:
            yield Point(version, batch, load[0], load[1], arrival, seed, scenario)
