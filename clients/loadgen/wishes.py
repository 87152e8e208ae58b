"""What the user typed as a plan: points, rules, and perhaps a bound to search under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from clients.loadgen.plan import SCENARIOS, Point, Rules, Scenario, sweep
from model_config.errors import SuiteError, near_miss

Given = Mapping[str, Any]
T = TypeVar("T")

_SLO_PERCENT = 99.0


@dataclass(frozen=True)
class Plan:
    """What to measure, and how.

    Attributes:
        points: with a bound, each stands for a search over its rates.
        slo_ms: the bound, or None.
    """

    points: Sequence[Point]
    rules: Rules
    slo_ms: float | None


def plan(given: Given) -> Plan:
    """Fill in what was left out; SuiteError when the wishes contradict each other."""
    scenario = _scenario(given["scenario"])
    slo_ms = given["slo_ms"]
    batches = given["batches"] or (scenario.batch if scenario else 1,)
    in_flight, rates = given["in_flight"] or (), given["rates"] or ()
    _refuse_contradictions(given, scenario)
    if slo_ms:
        in_flight, rates = (), (1.0,)
    elif not in_flight and not rates:
        in_flight = (scenario.in_flight if scenario else 1,)
    versions: Sequence[int | None] = tuple(dict.fromkeys(n for each in given["versions"] for n in each)) or (None,)
    name = scenario.name if scenario else ""
    points = sweep(versions, batches, in_flight, rates, given["arrival"], given["seed"], name)
    return Plan(tuple(points), _rules(given, scenario), slo_ms)


def _rules(given: Given, scenario: Scenario | None) -> Rules:
    usual = _SLO_PERCENT if given["slo_ms"] or not scenario else scenario.percent
    kept = ("warm_up", "requests", "window_s", "limit_s", "timeout_s", "workers", "connections")
    return Rules(percent=given["percent"] or usual, **{name: given[name] for name in kept})


def _scenario(name: str | None) -> Scenario | None:
    if name is None:
        return None
    by_word = {each.lower(): scenario for each, scenario in SCENARIOS.items()}
    if name.lower() not in by_word:
        raise SuiteError(f"MLPerf has no scenario {name!r}; {near_miss(name, SCENARIOS)}")
    return by_word[name.lower()]


def _refuse_contradictions(given: Given, scenario: Scenario | None) -> None:
    closed, opened, bound = given["in_flight"], given["rates"], given["slo_ms"]
    if bound and (closed or opened):
        raise SuiteError("--slo-p99 searches the rate itself; leave --rate and --concurrency out")
    if bound and given["requests"]:
        raise SuiteError("--slo-p99 needs as many requests as each rate takes; leave --requests out")
    if bound and given["percent"] not in (None, _SLO_PERCENT):
        raise SuiteError("--slo-p99 is about the 99th percentile; leave --percentile out")
    if scenario and not scenario.in_flight and not (opened or bound):
        raise SuiteError("the Server scenario wants --slo-p99, such as 7ms, or --rate")
    if scenario and scenario.in_flight and (opened or bound):
        raise SuiteError(f"this scenario is a closed loop ({scenario.meaning}); leave --rate and --slo-p99 out")
