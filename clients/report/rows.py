"""A comparison as plain objects, for JSON and spreadsheets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from clients import figures
from clients.comparison import Compared, Comparison, Score
from clients.report.columns import all_doubts
from clients.verdict import Verdict


def summary(comparison: Comparison, verdict: Verdict) -> dict[str, Any]:
    """Everything but the examples; a row a version."""
    return {
        "model": comparison.model,
        "reference": comparison.reference,
        "verdict": verdict.to_json(),
        "rows": [row(version, verdict) for version in comparison.versions],
        "unread": list(comparison.unread),
        "environment": dict(comparison.environment),
        "commands": list(comparison.commands),
    }


def row(version: Compared, verdict: Verdict) -> dict[str, Any]:
    """One version; latencies are of the smallest load, throughput of the busiest."""
    small, busy = figures.smallest_load(version) or {}, figures.busiest_load(version) or {}
    bounded = figures.bounded_load(version)
    return {
        "version": version.version,
        "recipe": version.recipe,
        **asdict(version.costs),
        **{key: small.get(key) for key in ("p50_ms", "p90_ms", "p99_ms")},
        "images_per_s": busy.get("images_per_s"),
        "best_load": {"batch": busy["batch"], "concurrency": busy["concurrency"]} if busy else None,
        "images_per_s_at_bound": bounded["images_per_s"] if bounded else None,
        "metric": _score(figures.main_score(version)),
        "agreement": version.accuracy.agreement.value,
        "scores": [_score(score) for score in version.accuracy.scores],
        "per_class": dict(version.accuracy.per_class),
        "drift": [asdict(drift) for drift in version.accuracy.drift],
        "asked": version.accuracy.asked,
        "verified_on": version.verified_on,
        "meets_goals": next(each.meets_all for each in verdict.judged if each.version == version.version),
        "doubts": all_doubts(version),
        "loads": [dict(load) for load in version.speed],
    }


def _score(score: Score) -> dict[str, Any]:
    gap = score.difference
    plain: dict[str, Any] = {"name": score.metric, "value": score.known, "difference": None}
    if gap is not None:
        told: Mapping[str, Any] = {"value": gap.value, "low": gap.low, "high": gap.high, "significant": gap.significant}
        plain["difference"] = told
    return plain
