"""The few figures that stand for a version among all that were measured of it."""

from __future__ import annotations

from clients.comparison import Compared, Row, Score


def smallest_load(version: Compared) -> Row | None:
    """The fewest callers with the smallest batch: what one user waits for; None when it was not measured."""
    closed = [row for row in version.speed if row["concurrency"]]
    return min(closed, key=lambda row: (row["batch"], row["concurrency"]), default=None)


def busiest_load(version: Compared) -> Row | None:
    """Where it answered most images a second; None when it was not measured."""
    closed = [row for row in version.speed if row["concurrency"]]
    return max(closed, key=lambda row: float(row["images_per_s"]), default=None)


def searched(version: Compared) -> bool:
    """Whether the most under a bound was searched for."""
    return any(row.get("slo") for row in version.speed)


def bounded_load(version: Compared) -> Row | None:
    """Where it answered most images a second with p99 under the bound; None when it never did."""
    kept = [row for row in version.speed if row.get("slo") and row["slo"]["kept"]]
    return max(kept, key=lambda row: float(row["images_per_s"]), default=None)


def deciding_load(version: Compared) -> Row | None:
    """What decides which version is the fastest: under the bound where there is one, else the busiest."""
    return bounded_load(version) if searched(version) else busiest_load(version)


def throughput(version: Compared) -> float | None:
    """Images a second of the load that decides; None when there is none."""
    row = deciding_load(version)
    return None if row is None else float(row["images_per_s"])


def main_score(version: Compared) -> Score:
    """What the goal of accuracy is about: the first metric, or agreement where there are no labels."""
    return version.accuracy.scores[0] if version.accuracy.scores else version.accuracy.agreement


def value(version: Compared, quantity: str) -> float | None:
    """What a goal of this quantity is held against, in the goal's unit; None where it is not known."""
    if quantity == "accuracy":
        return main_score(version).known
    if quantity == "throughput":
        return throughput(version)
    if quantity == "p99":
        row = smallest_load(version)
        return None if row is None else row["p99_ms"]
    return {"size": version.costs.size_bytes, "memory": version.costs.memory_bytes}[quantity]
