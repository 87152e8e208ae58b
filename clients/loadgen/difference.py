"""Two measurements of the same loads against each other: how many times as fast, where that is sure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clients.loadgen import bootstrap, store
from clients.loadgen.bootstrap import Interval
from clients.loadgen.measured import Measured, latencies_ns
from clients.loadgen.percentiles import Numbers, needed, percentile
from clients.loadgen.plan import Point
from clients.loadgen.store import Kept
from model_config.errors import SuiteError

Found = dict[str, Any]

_PERCENTS = (50.0, 99.0)
_NAMES = ("throughput", *(f"p{percent:g}" for percent in _PERCENTS))
# two samples drawn with one seed would be drawn alike
_SEEDS = (1, 2)


def between(first: Path, second: Path) -> list[Found]:
    """A comparison for every load that both files have; of the second file's speed to the first's.

    Points belong together by version and load; where each file has one point only, these do.
    """
    before, after = (store.read(path)[1] for path in (first, second))
    pairs = _pairs(before, after)
    if not pairs:
        raise SuiteError(f"{first} and {second} have no load on the same version in common; measure the same points")
    return [_compare(one, other) for one, other in pairs]


def sentence(found: Found) -> str:
    """One comparison in words."""
    return f"{found['point']}: " + ", ".join(f"{name} {verdict(found[name])}" for name in _NAMES)


def verdict(ratio: Found | None) -> str:
    """``1.23 times as fast``, or that nothing is sure."""
    if ratio is None:
        return "n too small"
    if not ratio["significant"]:
        return "no significant difference"
    low, high = ratio["interval"]
    return f"{ratio['ratio']:.3g} times as fast ({low:.3g} to {high:.3g})"


def _pairs(before: Sequence[Kept], after: Sequence[Kept]) -> list[tuple[Kept, Kept]]:
    if len(before) == len(after) == 1:
        return [(before[0], after[0])]
    later = {kept.point: kept for kept in after}
    return [(kept, later[kept.point]) for kept in before if kept.point in later]


def _compare(one: Kept, other: Kept) -> Found:
    found: Found = {"point": _title(one.point, other.point), "throughput": _throughput(one.measured, other.measured)}
    slow, fast = (latencies_ns(kept.measured.good) for kept in (one, other))
    for percent in _PERCENTS:
        found[f"p{percent:g}"] = _latency(slow, fast, percent)
    return found


def _title(one: Point, other: Point) -> str:
    return one.title if one == other else f"{other.title} against {one.title}"


def _throughput(one: Measured, other: Measured) -> Found | None:
    runs = (one, other)
    if min(len(run.done_ns) for run in runs) < needed(50):
        return None
    before, after = (len(run.done_ns) / run.seconds for run in runs)
    drawn = [bootstrap.rates(run.done_ns, run.start_ns, run.end_ns, seed) for run, seed in zip(runs, _SEEDS)]
    return _judged(after / before, bootstrap.ratio(drawn[1], drawn[0]))


def _latency(slow: Numbers, fast: Numbers, percent: float) -> Found | None:
    """A latency half as long is twice as fast."""
    if min(len(slow), len(fast)) < needed(percent):
        return None
    drawn = [bootstrap.percentiles(each, [percent], seed)[0] for each, seed in zip((slow, fast), _SEEDS)]
    return _judged(percentile(slow, percent) / percentile(fast, percent), bootstrap.ratio(*drawn))


def _judged(ratio: float, between: Interval) -> Found:
    sure = not between.low <= 1 <= between.high
    return {"ratio": round(ratio, 4), "interval": [round(edge, 4) for edge in between], "significant": sure}
