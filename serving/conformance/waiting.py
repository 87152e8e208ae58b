"""Waiting for something that a server does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable

from serving.conformance.asking import Mismatch


def until(fact: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Return when the fact holds; Mismatch when it does not come."""
    deadline = time.monotonic() + timeout_s
    while not fact():
        if time.monotonic() > deadline:
            raise Mismatch(f"waited {timeout_s:.0f} s for something that did not come")
        time.sleep(0.05)
