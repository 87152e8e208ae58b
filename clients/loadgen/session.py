"""From what the user typed to measured rows: connect, make the payload, measure the points in turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Optional

from rich.progress import Progress

from clients import environment
from clients.client import Client
from clients.connection import Connection
from clients.loadgen import metrics, store
from clients.loadgen.asked import Asked
from clients.loadgen.bound import Search
from clients.loadgen.measure import Now, Target, Watch, target_of
from clients.loadgen.measured import INTERRUPTED
from clients.loadgen.payload import Payload
from clients.loadgen.plan import Point, Rules
from clients.loadgen.result import Row
from clients.loadgen.run import Bench, row
from clients.loadgen.wishes import Given, Plan, plan
from model_config import manifest, models
from model_config.console import progress, stderr
from model_config.errors import SuiteError

Requests = Callable[[Optional[int], int], Payload]  # of a version and a batch


@dataclass(frozen=True)
class Outcome:
    """What came of it: rows to show, and whether Ctrl-C ended it before all points were measured."""

    title: str
    rows: Sequence[Row]
    interrupted: bool


def outcome(given: Given) -> Outcome:
    """Measure as the command line says, or make the figures again from a file."""
    if given["source"]:
        subject, points = store.read(given["source"])
        return Outcome(subject.model, [row(kept, subject.rules) for kept in points], False)
    if not given["model"] and not given["in_process"]:
        raise SuiteError("name the model with --model, or a version's folder with --in-process")
    return (_in_process if given["in_process"] else _on_server)(given, plan(given))


def _on_server(given: Given, wanted: Plan) -> Outcome:
    model, asked, connection = given["model"], _asked(given), Connection(given["server"], given["tls"])
    with Client(connection) as client:

        @lru_cache(maxsize=1)
        def requests(version: int | None, batch: int) -> Payload:
            return asked.of_server(client, model, version, batch)

        return _measured(given, wanted, model, target_of(connection), requests)


def _in_process(given: Given, wanted: Plan) -> Outcome:
    folder, asked = given["in_process"], _asked(given)
    if given["versions"]:
        raise SuiteError("--in-process measures the one version whose folder it names; leave --version out")
    number = int(folder.name) if folder.name.isdigit() else None
    wanted = replace(wanted, points=[replace(point, version=number) for point in wanted.points])

    @lru_cache(maxsize=1)
    def requests(_: int | None, batch: int) -> Payload:
        return asked.of_folder(folder, batch)

    return _measured(given, wanted, f"{folder} in process", Target(str(folder), in_process=True), requests)


def _asked(given: Given) -> Asked:
    known = models.load(given["file"]).get(given["model"])
    task = known.task if known else models.Task()
    return Asked(given["images"], task, given["data"], given["sizes"] or (), given["signature"], given["seed"])


def _measured(given: Given, wanted: Plan, title: str, target: Target, requests: Requests) -> Outcome:
    rows: list[Row] = []
    facts = partial(_facts, given)
    before = _before(given, title, target, wanted.rules)
    with _bars(wanted.rules) as watch:
        bench = Bench(target, wanted.rules, requests, watch, facts, _totals(given, target), given["output"], before)
        try:
            for found in _rows(bench, wanted):
                rows.append(found)
        except KeyboardInterrupt:
            if not rows:
                raise
            return Outcome(title, rows, True)
    return Outcome(title, rows, bool(rows) and rows[-1]["ended"] == INTERRUPTED)


def _rows(bench: Bench, wanted: Plan) -> Iterator[Row]:
    if wanted.slo_ms is None:
        yield from bench.rows(wanted.points)
    else:
        search = Search(bench, wanted.slo_ms)
        for point in wanted.points:
            found = search.row(point)
            yield found
            if found["ended"] == INTERRUPTED:
                return


def _before(given: Given, title: str, target: Target, rules: Rules) -> Sequence[store.Kept]:
    """Open the file for the samples, if there is to be one; what it holds already."""
    if not given["output"]:
        return ()
    before = store.begin(given["output"], store.Subject(title, target.place, rules, environment.describe()))
    if before:
        stderr().print(f"{given['output']} holds {len(before)} points, which are not measured again")
    return before


def _totals(given: Given, target: Target) -> Callable[[], metrics.Totals] | None:
    url, model = given["metrics_url"], given["model"]
    if not url:
        return None
    if given["in_process"]:
        raise SuiteError("--metrics-url is a server's; with --in-process there is none, leave it out")
    metrics.read(url, model, target.tls)  # better told now than after the first run
    return lambda: metrics.read(url, model, target.tls)


def _facts(given: Given, version: int | None) -> Mapping[str, Any]:
    """The recipe and the manifest's key of a version, where its folder is on this machine."""
    folder = given["in_process"] or given["repository"] / given["model"] / str(version)
    made = manifest.read(folder)
    return {"recipe": made.recipe, "manifest": made.key} if made else {}


@contextmanager
def _bars(rules: Rules) -> Iterator[Callable[[Point], Watch]]:
    """A line a point on the terminal: how far it is, and its percentile so far."""
    with progress("{task.fields[told]}") as bars:

        def watch(point: Point) -> Watch:
            total = rules.requests or rules.limit_s
            task = bars.add_task(point.title, total=total, told="warming up")
            return lambda now: _tell(bars, task, now, rules)

        yield watch


def _tell(bars: Progress, task: Any, now: Now, rules: Rules) -> None:
    failed = f", {now.failed} failed" if now.failed else ""
    so_far = "" if math.isnan(now.percentile_ms) else f", p{rules.percent:g} {now.percentile_ms:.2f} ms"
    told = f"{now.requests} requests{failed}{so_far}"
    bars.update(task, completed=now.requests if rules.requests else now.seconds, told=told)
