"""Speed and costs within a comparison: which requests are put to the versions, and what they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from clients import checking, costs, speed
from clients.ask import Expert
from clients.compare.run import Wanted
from clients.comparison import Costs, Row
from clients.loadgen import asked, payload
from clients.loadgen.measure import target_of
from clients.loadgen.payload import Payload
from evaluation.datasets.questions import Content, Dataset
from evaluation.errors import BadPicture

SAMPLES: Final = "samples.jsonl"  # in the folder of results, as bench --from reads it

_QUESTIONS: Final = 16  # to measure with


def loads_of(given: Mapping[str, Any]) -> speed.Loads:
    """What the command line says of the loads."""
    return speed.Loads(
        given["batches"], given["in_flights"], given["slo_ms"], given["requests"], given["warm_up"], given["seconds"]
    )


def possible(loads: speed.Loads, experts: Mapping[int, Expert]) -> speed.Loads:
    """The loads without batches that a version does not take."""
    signatures = [each.client.signature(each.model, each.version) for each in experts.values()]
    batches = tuple(batch for batch in loads.batches if all(checking.takes(each, batch) for each in signatures))
    return replace(loads, batches=batches or (1,))


def measure(
    experts: Mapping[int, Expert],
    wanted: Wanted,
    dataset: Dataset,
    loads: speed.Loads,
    done: Callable[[int, int], None],
) -> Mapping[int, tuple[Row, ...]]:
    """The rows of each version, asked about the first questions that can be read."""
    contents = list(islice(_contents(dataset), _QUESTIONS))
    first = next(iter(experts.values()))

    @lru_cache(maxsize=len(experts))
    def requests(version: int, batch: int) -> Payload:
        made = [experts[version].request(each) for each in asked.batches(contents, batch)]
        experts[version].client.ask(made[0])  # what is wrong with it is told better here
        return payload.of_requests(made)

    target, samples = target_of(first.client.connection), wanted.folder / SAMPLES
    stand = speed.Stand(wanted.model, target, requests, lambda n: _facts(wanted, n), samples, lambda n: done(n, 1))
    return speed.measure(stand, list(experts), loads)


def costs_of(wanted: Wanted, metrics: str) -> Mapping[int, Costs]:
    """What each version takes, as far as the server's metrics, a weighing and the folders tell."""
    built = {number: wanted.built(number) for number in wanted.versions}
    return costs.of(built, wanted.model, metrics, wanted.folder)


def _contents(dataset: Dataset) -> Iterator[Content]:
    for question in dataset.questions:
        with suppress(BadPicture):  # it is told among those that could not be asked
            yield question.read()


def _facts(wanted: Wanted, version: int) -> Mapping[str, Any]:
    built = wanted.built(version)
    made = built.manifest if built else None
    return {"recipe": made.recipe, "manifest": made.key} if made else {}
