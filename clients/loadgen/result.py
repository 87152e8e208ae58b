"""A measured point as figures, with intervals, doubts and a verdict on whether they may be used."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from clients.loadgen import bootstrap
from clients.loadgen.codes import Code
from clients.loadgen.measured import INTERRUPTED, LIMIT, Measured, Samples, answered, latencies_ns
from clients.loadgen.orders import Report
from clients.loadgen.outages import outages
from clients.loadgen.percentiles import Numbers, needed, percentile
from clients.loadgen.plan import Point, Rules

PERCENTS: Final = (50.0, 90.0, 95.0, 99.0, 99.9)

Row = dict[str, Any]

_BUSY = 0.9  # of its processor, beyond which a worker is as fast as it can be
_WAITING = 0.1  # of its time, beyond which other processes slow a worker down
_LATE_SHARE = 0.1  # of the latency, beyond which late requests are seen in it
_LATE_NS = 500_000
_BEHIND = 0.05  # of all requests, beyond which a server does not keep up


def row(point: Point, measured: Measured, rules: Rules) -> Row:
    """Everything to be told about a point; latencies in ms, throughput over the time that requests were asked."""
    found: Row = {
        "version": point.version,
        "batch": point.batch,
        "concurrency": point.in_flight or None,
        "rate": point.rate or None,
        "arrival": point.arrival if point.rate else None,
        "scenario": point.scenario or None,
        "requests": len(measured.samples),
        "seconds": round(measured.seconds, 3),
        **_throughput(point, measured),
        **_latencies(latencies_ns(measured.good)),
        "errors": _errors(measured),
        "outages": _outages(measured),
        "ended": measured.ended,
        "warm_up": _warm_up(measured.warm_up),
        "client": _client(measured),
    }
    reasons = _reasons(point, measured, rules, found)
    return {**found, "verdict": "INVALID" if reasons else "VALID", "doubts": reasons}


def _throughput(point: Point, measured: Measured) -> Row:
    done = measured.done_ns
    rate = len(done) / measured.seconds
    drawn = bootstrap.rates(done, measured.start_ns, measured.end_ns) if len(done) > 1 else None
    return {
        "requests_per_s": _short(rate),
        "images_per_s": _short(rate * point.batch),
        "images_per_s_interval": None if drawn is None else _edges(drawn * point.batch),
    }


def _latencies(latencies: Samples) -> Row:
    """Each percentile that so many requests can show, None where they are too few."""
    found: Row = {}
    shown = [percent for percent in PERCENTS if len(latencies) >= needed(percent)]
    drawn = dict(zip(shown, bootstrap.percentiles(latencies, shown) if shown else ()))
    for percent in PERCENTS:
        key = f"p{percent:g}_ms"
        found[key] = _short(percentile(latencies, percent) / 1e6) if percent in drawn else None
        found[f"{key}_interval"] = _edges(drawn[percent] / 1e6) if percent in drawn else None
    found["mean_ms"] = _short(float(latencies.mean()) / 1e6) if len(latencies) else None
    found["max_ms"] = _short(float(latencies.max()) / 1e6) if len(latencies) else None
    return found


def _edges(drawn: Numbers) -> list[float]:
    return [_short(edge) for edge in bootstrap.interval(drawn)]


def _errors(measured: Measured) -> Row:
    """By code: how many, and what the server said the first time."""
    numbers, counts = np.unique(measured.samples[:, 3], return_counts=True)
    texts = {name: text for report in measured.reports for name, text in report.texts.items()}
    names = {Code(int(number)).name: int(count) for number, count in zip(numbers, counts) if number != Code.OK}
    return {name: {"requests": count, "text": texts.get(name, "")} for name, count in names.items()}


def _outages(measured: Measured) -> list[Row]:
    found = outages(measured.samples, measured.start_ns, measured.end_ns)
    return [{"at_s": round(o.at_s, 3), "away_s": round(o.away_s, 3), "came_back": o.came_back} for o in found]


def _warm_up(samples: Samples) -> Row:
    latencies = latencies_ns(answered(samples))
    middle = _short(percentile(latencies, 50) / 1e6) if len(latencies) else None
    slowest = _short(float(latencies.max()) / 1e6) if len(latencies) else None
    return {"requests": len(samples), "p50_ms": middle, "max_ms": slowest}


def _client(measured: Measured) -> Row:
    """What the measuring side cost, worker by worker, and how late it sent."""
    late = measured.samples[:, 1] - measured.samples[:, 0]
    places = measured.samples[:, 4]
    workers = [_worker(report, late[places == place]) for place, report in enumerate(measured.reports)]
    return {"workers": workers, "bottleneck": _bottleneck(measured, late)}


def _worker(report: Report, late: Numbers) -> Row:
    """Shares of the time it ran, and how late it sent."""
    return {
        "cpu": round(report.cpu_s / report.wall_s, 3),
        "waited": round(report.waited_s / report.wall_s, 3),
        "send_lag_p50_ms": _short(percentile(late, 50) / 1e6),
        "send_lag_p99_ms": _short(percentile(late, 99) / 1e6),
    }


def _bottleneck(measured: Measured, late: Numbers) -> str | None:
    """Why the client, not the server, may be what was measured; None when there is no sign of it."""
    if any(report.in_process for report in measured.reports):
        return None
    busiest = max((report.cpu_s / report.wall_s for report in measured.reports), default=0.0)
    waiting = max((report.waited_s / report.wall_s for report in measured.reports), default=0.0)
    if busiest > _BUSY:
        return f"a worker process used {busiest:.0%} of its processor; give --workers more"
    if waiting > _WAITING:
        return f"a worker process waited for a processor {waiting:.0%} of the time; leave it one of its own"
    lag = percentile(late, 99) if len(late) else 0.0
    if lag > max(_LATE_NS, _LATE_SHARE * percentile(latencies_ns(measured.samples), 99)):
        return f"1 % of the requests went out {lag / 1e6:.1f} ms late or more; lower the rate or give --workers more"
    return None


def _reasons(point: Point, measured: Measured, rules: Rules, found: Row) -> list[str]:
    """Why the figures may not be used; empty when they may."""
    failed = sum(each["requests"] for each in found["errors"].values())
    answered = found["requests"] - failed
    reasons = []
    if measured.ended == INTERRUPTED:
        reasons.append("it was interrupted")
    if measured.ended == LIMIT:
        reasons.append(f"it did not settle within {rules.limit_s:g} s{_silence(measured)}")
    if failed:
        codes = ", ".join(f"{name} {each['requests']}" for name, each in found["errors"].items())
        reasons.append(f"{failed} of {found['requests']} requests failed: {codes}")
    if answered < needed(rules.percent):
        reasons.append(f"p{rules.percent:g} rests on {answered} requests and wants {needed(rules.percent)}")
    if found["client"]["bottleneck"]:
        reasons.append(f"the client was the bottleneck: {found['client']['bottleneck']}")
    if point.rate and not _keeps_up(measured):
        reasons.append(f"the server answered {found['requests_per_s']:g} of {point.rate:g} requests a second")
    if not measured.checked and point.version is not None:
        reasons.append("which version answered could not be seen in the answers")
    return reasons + [_outage(each) for each in found["outages"]]


def _silence(measured: Measured) -> str:
    """A throughput of nothing is explained: answers that came when nothing more was asked are not in it."""
    late = len(measured.good) and not len(measured.done_ns)
    return ", and its first answer came after that; allow more with --limit" if late else ""


def _keeps_up(measured: Measured) -> bool:
    """What is unanswered when the asking ends is no more than what is always under way."""
    samples = measured.samples
    asked = np.count_nonzero(samples[:, 0] <= measured.end_ns)
    open_ones = asked - np.count_nonzero(samples[:, 2] <= measured.end_ns)
    usual = asked / measured.seconds * percentile(latencies_ns(samples), 10) / 1e9 if asked else 0.0
    return bool(open_ones <= usual + _BEHIND * asked)


def _outage(each: Row) -> str:
    end = "" if each["came_back"] else " and did not come back"
    return f"the server was away for {each['away_s']:.1f} s from second {each['at_s']:.1f} on{end}"


def _short(number: float) -> float:
    """Five digits that matter: more are noise, and fewer would hide small differences."""
    if not number or not math.isfinite(number):
        return 0.0
    return round(number, max(0, 4 - math.floor(math.log10(abs(number)))))
