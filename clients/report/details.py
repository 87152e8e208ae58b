"""The tables that are folded up on the page: every load, every metric, every class, every output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clients.comparison import Compared, Comparison, Row, Score
from clients.report.columns import difference, load
from clients.report.digits import short, width


@dataclass(frozen=True)
class Detail:
    """One table: the first column holds words, the others numbers."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def details(comparison: Comparison) -> list[Detail]:
    """Those that have anything in them."""
    made = (_loads(comparison), _scores(comparison), _classes(comparison), _drift(comparison))
    return [detail for detail in made if detail.rows]


def _loads(comparison: Comparison) -> Detail:
    header = ("version", "batch × in flight", "images/s", "p50 ms", "p90 ms", "p99 ms", "requests", "verdict")
    rows = [_load(version, row) for version in comparison.versions for row in version.speed]
    return Detail("Every load", header, rows)


def _load(version: Compared, row: Row) -> list[str]:
    latencies = [short(row[f"p{percent}_ms"]) for percent in (50, 90, 99)]
    rate = f"{short(row['images_per_s'])} {width(row['images_per_s'], row['images_per_s_interval'])}"
    what = load(row) if row["concurrency"] else f"{row['batch']} at {row['rate']:g}/s"
    return [version.name, what, rate, *latencies, str(row["requests"]), row["verdict"]]


def _scores(comparison: Comparison) -> Detail:
    names = [score.metric for score in comparison.versions[0].accuracy.scores]
    rows = [[v.name, *map(_score, v.accuracy.scores)] for v in comparison.versions] if names else []
    return Detail("Every metric", ("version", *names), rows)


def _score(score: Score) -> str:
    return "unknown" if score.known is None else f"{score.value:.4f} {difference(score)}"


def _classes(comparison: Comparison) -> Detail:
    """A row a class, as there may be many of them."""
    names = list(comparison.versions[0].accuracy.per_class)
    rows = [[name, *_of_class(comparison, name)] for name in names]
    return Detail("By class", ("class", *(each.name for each in comparison.versions)), rows)


def _of_class(comparison: Comparison, name: str) -> Iterator[str]:
    for version in comparison.versions:
        value = version.accuracy.per_class.get(name)
        yield "" if value is None else f"{value:.3f}"


def _drift(comparison: Comparison) -> Detail:
    others = [version for version in comparison.versions if version.version != comparison.reference]
    rows = [
        [f"{v.name}: {drift.output}", f"{drift.largest:.4g}", f"{drift.mean:.4g}", f"{drift.cosine:.5f}"]
        for v in others
        for drift in v.accuracy.drift
    ]
    header = ("output", "largest difference", "mean difference", "smallest cosine")
    return Detail(f"Drift from version {comparison.reference}", header, rows)
