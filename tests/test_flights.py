"""Requests under way: never more than allowed, and nobody waits for what cannot come any more."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import pytest

from clients.compare.flights import Flights


def starting(begun, question):
    """A request that notes that it has gone out."""

    def start():
        begun[question] = Future()
        return begun[question]

    return start


def test_the_next_goes_out_when_an_answer_comes():
    begun = {}
    with Flights(2, 8) as flights:
        answers = [flights.ask(starting(begun, each)) for each in range(4)]
        assert sorted(begun) == [0, 1]
        begun[1].set_result("one")

        assert sorted(begun) == [0, 1, 2]
        assert answers[1].result(1) == "one"
        for each in (0, 2, 3):
            begun[each].set_result("")


def test_what_went_wrong_is_the_answer_and_the_others_go_on():
    begun = {}
    with Flights(1, 8) as flights:
        first, second = (flights.ask(starting(begun, each)) for each in range(2))
        begun[0].set_exception(ValueError("no"))
        begun[1].set_result("yes")

        assert str(first.exception(1)) == "no"
        assert second.result(1) == "yes"


def test_closed_it_waits_for_what_is_under_way_and_sends_nothing_more():
    begun, waits = {}, threading.Event()
    with ThreadPoolExecutor() as threads, Flights(1, 1) as flights:
        sent, queued = (flights.ask(starting(begun, each)) for each in range(2))
        full = threads.submit(lambda: waits.set() or flights.ask(starting(begun, 2)))
        waits.wait(1)
        flights.close()
        begun[0].set_result("came")

        assert sent.result(1) == "came"
        for each in (queued, full.result(1)):
            with pytest.raises(CancelledError):
                each.result(1)
    assert list(begun) == [0]
