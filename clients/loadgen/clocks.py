"""What a worker costs itself: time, processor time, and time it had to wait for a processor."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from clients.loadgen.orders import Report


class Clocks:
    """Started when it is made."""

    def __init__(self) -> None:
        """Look at all clocks."""
        self._wall, self._cpu, self._waited = time.monotonic(), time.process_time(), _waited_s()

    def report(self, texts: Mapping[str, str]) -> Report:
        """What passed since then."""
        wall, cpu = time.monotonic() - self._wall, time.process_time() - self._cpu
        return Report(cpu, wall, _waited_s() - self._waited, dict(texts))


def _waited_s() -> float:
    """How long this process was ready to run and did not; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
