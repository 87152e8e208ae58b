"""How long SavedModels take to answer, in one process and in turns, as a program: SUBJECT BATCH SECONDS FOLDER...

Prints the median milliseconds a call by folder as JSON; null for one that does not answer.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # a program, not a package
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import graphs
import tensorflow as tf

_WARM_UPS = 3
_TURN_S = 0.25


def medians(folders: Sequence[str], batch: Any, seconds: float) -> dict[str, float | None]:
    """Median milliseconds a call, folders taking short turns, so that a slow moment hits all alike."""
    ready = {folder: _ready(Path(folder), batch) for folder in folders}
    taken: dict[str, list[float]] = {folder: [] for folder, call in ready.items() if call}
    end = time.perf_counter() + seconds
    while taken and time.perf_counter() < end:
        for folder, times in taken.items():
            times += _turn(ready[folder], batch)
    return {folder: statistics.median(taken[folder]) if folder in taken else None for folder in folders}


def _turn(call: Callable[[Any], Any] | None, batch: Any) -> list[float]:
    """Milliseconds of some calls, as a server makes them that is asked for one version."""
    assert call
    taken, end = list[float](), time.perf_counter() + _TURN_S
    while not taken or time.perf_counter() < end:
        start = time.perf_counter()
        call(batch)
        taken.append(1e3 * (time.perf_counter() - start))
    # the first of short ones brings back what the others pushed out of the caches
    return taken[1:] or taken


def _ready(folder: Path, batch: Any) -> Callable[[Any], Any] | None:
    """A call that has been made a few times; None where it fails."""
    session, fed, fetched = graphs.session(folder)
    call: Callable[[Any], Any] = session.make_callable(fetched, feed_list=[fed])
    try:
        for _ in range(_WARM_UPS):
            call(batch)
    except tf.errors.OpError:
        return None
    return call


def main(subject: str, batch: str, seconds: str, *folders: str) -> None:
    """Print what was measured."""
    print(json.dumps(medians(folders, graphs.SUBJECTS[subject].feed(int(batch)), float(seconds))))


if __name__ == "__main__":
    main(*sys.argv[1:])
