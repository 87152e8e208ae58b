"""Measure versions of a model side by side under the same load, in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from clients.ask import Expert
from clients.loadgen import asked, payload, result
from clients.loadgen.measure import Session, target_of
from clients.loadgen.measured import Measured, joined
from clients.loadgen.plan import Point, Rules
from evaluation.datasets.questions import Content

_TURNS = 5


def measure(
    experts: Mapping[int, Expert],
    pictures: Sequence[Content],
    load: Point,
    rules: Rules,
    done: Callable[[int, int], None],
) -> dict[int, result.Row]:
    """The figures of every version under one load, of ``rules.requests`` requests each.

    Versions take turns: when the machine slows down, it does so for all of them.

    Args:
        experts: by version number, all on one server.
        pictures: asked about in turn, repeated where there are fewer than a batch.
        load: of each version.
        done: told the version and the number of requests that ended.
    """
    runs: dict[int, list[Measured]] = {number: [] for number in experts}
    with ExitStack() as stack:
        sessions = {n: stack.enter_context(_session(each, pictures, load, rules)) for n, each in experts.items()}
        for session in sessions.values():
            session.warm_up()
        for share in _shares(rules.requests or 1):
            for number, session in sessions.items():
                runs[number].append(session.run(requests=share))
                done(number, share)
    return {n: result.row(replace(load, version=n), joined(parts), rules) for n, parts in runs.items()}


def _session(expert: Expert, pictures: Sequence[Content], load: Point, rules: Rules) -> Session:
    requests = [expert.request(batch) for batch in asked.batches(pictures, load.batch)]
    expert.client.ask(requests[0])  # what is wrong with it is told better here
    target = target_of(expert.client.connection)
    return Session(target, payload.of_requests(requests), replace(load, version=expert.version), rules)


def _shares(requests: int) -> list[int]:
    """The requests split over the turns, as evenly as can be."""
    turns = min(_TURNS, requests)
    return [requests // turns + (place < requests % turns) for place in range(turns)]
