"""The load test: as many requests as asked for, every latency kept, numbers derived from them."""

from __future__ import annotations

import threading

import pytest

from clients import bench
from clients.load import Run, closed_loop, merged
from model_config.errors import SuiteError


@pytest.mark.parametrize("concurrency", [1, 4])
def test_it_asks_exactly_as_often_as_told(concurrency):
    asked = []
    run = closed_loop(lambda: asked.append(threading.get_ident()), 200, concurrency, batch=3)

    assert len(asked) == len(run.latencies_ns) == 200
    assert run.batch == 3


def test_it_keeps_as_many_in_flight_as_told():
    # each waits for two others: with fewer callers at a time this would never end
    together = threading.Barrier(3, timeout=20)
    run = closed_loop(together.wait, 9, 3, batch=1)

    assert len(run.latencies_ns) == 9


def test_an_error_ends_the_run():
    def fail() -> None:
        raise RuntimeError("no answer")

    with pytest.raises(RuntimeError, match="no answer"):
        closed_loop(fail, 10, 2, batch=1)


def test_percentiles_are_latencies_that_were_seen():
    run = Run(tuple(range(1_000_000, 101_000_000, 1_000_000)), wall_ns=10**9, batch=2)

    assert [run.percentile_ms(percent) for percent in (50, 90, 99, 100)] == [50, 90, 99, 100]
    assert run.images_per_s == 200


def test_few_requests_raise_a_doubt():
    assert Run((1,) * 999, 1, 1).doubts == ["p99 rests on 9 of 999 requests"]
    assert Run((1,) * 1000, 1, 1).doubts == []


def test_runs_add_up():
    both = merged([Run((1, 2), 10, 4), Run((3,), 5, 4)])

    assert both == Run((1, 2, 3), 15, 4)


@pytest.mark.parametrize("fields", [{"requests": 0}, {"batch": 0}, {"concurrency": -1}])
def test_a_load_of_nothing_is_refused(fields):
    with pytest.raises(SuiteError, match="must be at least 1"):
        bench.Load(**fields)


@pytest.mark.parametrize("requests", [1, 4, 5, 1003])
def test_rounds_add_up_to_the_requests(requests):
    assert sum(bench._shares(requests)) == requests
