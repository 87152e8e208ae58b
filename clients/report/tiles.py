"""The few figures on top of the page: what the chosen version gives and costs against the reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clients import figures
from clients.comparison import Compared, Comparison
from clients.report.digits import short, signed
from clients.verdict import Verdict


@dataclass(frozen=True)
class Tile:
    """One figure, what it is, and what it is held against."""

    figure: str
    name: str
    note: str


def tiles(comparison: Comparison, verdict: Verdict) -> list[Tile]:
    """Those that are known, of the version to ship; of the reference where there is none."""
    by_number = {each.version: each for each in comparison.versions}
    reference = by_number[comparison.reference]
    chosen = by_number.get(verdict.winner or comparison.reference, reference)
    return [*_speed(chosen, reference), *_latency(chosen, reference), *_score(chosen), *_size(chosen, reference)]


def _speed(chosen: Compared, reference: Compared) -> Iterator[Tile]:
    ours, usual = figures.throughput(chosen), figures.throughput(reference)
    row = figures.deciding_load(chosen)
    if ours and row:
        note = f"batch {row['batch']}, {row['concurrency'] or 'open loop'}{' in flight' if row['concurrency'] else ''}"
        times = f"{ours / usual:.2f} × version {reference.version}; " if usual and chosen is not reference else ""
        yield Tile(short(ours), "images a second", f"{times}{note}")


def _latency(chosen: Compared, reference: Compared) -> Iterator[Tile]:
    ours, usual = figures.smallest_load(chosen), figures.smallest_load(reference)
    if ours and ours["p50_ms"]:
        against = f"; version {reference.version}: {short(usual['p50_ms'])} ms" if usual and ours is not usual else ""
        p99 = f"p99 {short(ours['p99_ms'])} ms" if ours["p99_ms"] else f"{ours['requests']} requests"
        yield Tile(f"{short(ours['p50_ms'])} ms", "median latency", f"{p99}{against}")


def _score(chosen: Compared) -> Iterator[Tile]:
    score = figures.main_score(chosen)
    if score.known is None:
        return
    gap = score.difference
    note = f"from {chosen.accuracy.asked} questions"
    if gap:
        note = f"{signed(gap.value)} [{signed(gap.low)}, {signed(gap.high)}]; {note}"
    yield Tile(f"{score.value:.3f}", score.metric, note)


def _size(chosen: Compared, reference: Compared) -> Iterator[Tile]:
    ours, usual = chosen.costs.size_bytes, reference.costs.size_bytes
    if ours is not None:
        share = (
            f"{ours / usual:.0%} of version {reference.version}" if usual and chosen is not reference else chosen.recipe
        )
        yield Tile(f"{short(ours / 1e6)} MB", "size", share)
