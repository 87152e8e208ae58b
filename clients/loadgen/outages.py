"""When the server was away, as far as its clients can tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clients.loadgen.codes import Code
from clients.loadgen.measured import Samples, answered

_SHORTEST_NS = 50_000_000  # no server ends and comes back in less


@dataclass(frozen=True)
class Outage:
    """A time without any good answer in which requests found no server.

    Attributes:
        at_s: since the run began, when the first request failed.
        away_s: until the next good answer, or the end of the run when there was none.
        came_back: there was a good answer afterwards.
    """

    at_s: float
    away_s: float
    came_back: bool


def outages(samples: Samples, start_ns: int, end_ns: int) -> list[Outage]:
    """All of them, in order; one lost connection among others that answer is none.

    Args:
        samples: [requests, 5]: due, sent, done (ns), code, worker.
    """
    good = np.sort(answered(samples)[:, 2])
    gone = np.sort(samples[samples[:, 3] == Code.NO_CONNECTION, 2])
    found: list[Outage] = []
    while len(gone):
        first = int(gone[0])
        later = good[np.searchsorted(good, first, "right") :]
        back = int(later[0]) if len(later) else max(end_ns, first)
        if back - first >= _SHORTEST_NS:
            found.append(Outage((first - start_ns) / 1e9, (back - first) / 1e9, bool(len(later))))
        gone = gone[np.searchsorted(gone, back, "right") :]
    return found
