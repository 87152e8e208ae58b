"""From what the user typed to measured rows: connect, make the payload, measure the points in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rich.progress import Progress

from clients import environment
from clients.client import Client
from clients.loadgen import store
from clients.loadgen.asked import Asked
from clients.loadgen.measure import Now, Target, Watch
from clients.loadgen.measured import INTERRUPTED
from clients.loadgen.plan import Point, Rules
from clients.loadgen.result import Row
from clients.loadgen.run import Bench, row
from clients.loadgen.wishes import Given, Plan, plan
from model_config import base_path
from model_config.console import progress, stderr
from model_config.errors import SuiteError


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
    return _on_server(given, plan(given))


def _on_server(given: Given, wanted: Plan) -> Outcome:
    asked = Asked(given["images"], given["data"], given["sizes"] or (), given["signature"], given["seed"])
    model = given["model"]
    with Client(given["server"]) as client, _bars(wanted.rules) as watch:
        bench = Bench(
            Target(given["server"]),
            wanted.rules,
            lru_cache(maxsize=1)(lambda version, batch: asked.of_server(client, model, version, batch)),
            watch,
            lambda version: _facts(given["repository"], model, version),
            given["output"],
            _before(given, wanted.rules),
        )
        return _measured(bench, wanted, model)


def _measured(bench: Bench, wanted: Plan, title: str) -> Outcome:
    rows: list[Row] = []
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
        for point in wanted.points:
            yield bench.highest(point, wanted.slo_ms)


def _before(given: Given, rules: Rules) -> Sequence[store.Kept]:
    """Open the file for the samples, if there is to be one; what it holds already."""
    if not given["output"]:
        return ()
    subject = store.Subject(given["model"], given["server"], rules, environment.describe())
    before = store.begin(given["output"], subject)
    if before:
        stderr().print(f"{given['output']} holds {len(before)} points, which are not measured again")
    return before


def _facts(repository: Path, model: str, version: int | None) -> Mapping[str, Any]:
    """The recipe and the manifest's key of a version, where its folder is on this machine."""
    built = base_path.scan(repository, model).get(version) if version else None
    made = built.manifest if built else None
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
    told = f"{now.requests} requests{failed}, p{rules.percent:g} {now.percentile_ms:.2f} ms"
    bars.update(task, completed=now.requests if rules.requests else now.seconds, told=told)
