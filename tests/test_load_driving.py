"""Driving load over real connections: every request is accounted for, whatever the server does."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
from answering import LARGE, REFUSAL, SLOW_S, answering
from test_connection import pem  # noqa: F401 - certificates

from clients.errors import ServerUnavailable
from clients.loadgen import payload, result
from clients.loadgen.codes import Code
from clients.loadgen.measure import Session, Target
from clients.loadgen.measured import COUNTED, LIMIT, SETTLED, Measured, latencies_ns
from clients.loadgen.orders import Tls
from clients.loadgen.plan import Point, Rules
from serving import address as addresses


@pytest.fixture(scope="module")
def server():
    with answering() as address:
        yield address


def asking(model: str, floats: int = 10, version: int | None = 3) -> payload.Payload:
    return payload.of_requests(payload.requests(model, [{"x": np.zeros(floats, np.float32)}], version))


def drive(server: str, what: payload.Payload, point: Point, requests: int | None = None, **rules) -> Measured:
    with Session(Target(server), what, point, Rules(**{"warm_up": 0, "requests": requests, **rules})) as session:
        session.warm_up()
        return session.run()


def codes(measured: Measured) -> dict[str, int]:
    numbers, counts = np.unique(measured.samples[:, 3], return_counts=True)
    return {Code(int(number)).name: int(count) for number, count in zip(numbers, counts)}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("in_flight", [1, 5])
def test_it_asks_exactly_as_often_as_told(server, in_flight, workers):
    measured = drive(server, asking("quick"), Point(3, in_flight=in_flight), 203, warm_up=7, workers=workers)

    assert codes(measured) == {"OK": 203}
    assert len(measured.warm_up) == 7
    assert measured.ended == COUNTED
    assert (np.diff(measured.samples[:, :3], axis=1) >= 0).all()  # due, sent, done
    assert measured.warm_up[:, 2].max() < measured.samples[:, 0].min()


def test_a_closed_loop_keeps_as_many_in_flight_as_told(server):
    measured = drive(server, asking("slow"), Point(3, in_flight=6), 12, connections=2)

    assert measured.seconds < 4 * SLOW_S  # two rounds of six; one by one it would be twelve
    assert measured.seconds >= 2 * SLOW_S


@pytest.mark.parametrize("arrival", ["constant", "poisson"])
def test_an_open_loop_asks_at_its_rate_whatever_the_server_does(server, arrival):
    measured = drive(server, asking("slow"), Point(3, rate=40.0, arrival=arrival, seed=1), 40)
    due = np.sort(measured.samples[:, 0])

    assert codes(measured) == {"OK": 40}
    # eight at a time take 0.4 s each, so the last ones have waited: their latency says so
    assert latencies_ns(measured.samples).max() > 1e9
    assert (due[-1] - due[0]) / 1e9 == pytest.approx(1, rel=0.4 if arrival == "poisson" else 0.03)


@pytest.mark.skipif(not Path("/proc/self/timerslack_ns").exists(), reason="this system has no timer slack to be told")
def test_workers_are_woken_when_a_request_is_due_and_not_later(server):
    with Session(Target(server), asking("quick"), Point(3, rate=10), Rules(warm_up=0, workers=2)):
        children = [Path("/proc", each) for each in Path("/proc/thread-self/children").read_text().split()]
        workers = [each for each in children if b"clients.loadgen.worker" in (each / "cmdline").read_bytes()]
        slack = [(each / "timerslack_ns").read_text() for each in workers]

    assert slack == ["1\n", "1\n"]


def test_requests_beyond_every_window_arrive_whole(server):
    # 6 MB go over a window of 64 kB that the server opens again and again
    measured = drive(server, asking("quick", LARGE), Point(3, in_flight=3), 9, connections=1)

    assert codes(measured) == {"OK": 9}


def test_large_answers_are_read_whole(server):
    measured = drive(server, asking("large"), Point(3, in_flight=3), 9, connections=1)

    assert codes(measured) == {"OK": 9}


def test_no_more_streams_are_opened_than_the_server_allows():
    with answering(max_concurrent_streams=2) as server:
        measured = drive(server, asking("slow"), Point(3, in_flight=4), 4, connections=1)

    assert codes(measured) == {"OK": 4}
    assert measured.seconds >= 2 * SLOW_S


@pytest.mark.parametrize("point", [Point(3, in_flight=2), Point(3, rate=50.0)], ids=["closed", "open"])
def test_a_server_that_ends_its_connections_in_order_is_asked_on_new_ones(point):
    with answering(max_connection_age_ms=300, max_connection_age_grace_ms=5000) as server:
        measured = drive(server, asking("quick"), point, limit_s=1.5, connections=1)

    assert set(codes(measured)) == {"OK"}
    assert measured.done_ns.max() - measured.start_ns > 1.2e9


def test_refusals_are_counted_with_what_the_server_said(server):
    measured = drive(server, asking("refusing"), Point(3, in_flight=2), 10)

    assert codes(measured) == {"INVALID_ARGUMENT": 10}
    assert measured.reports[0].texts["INVALID_ARGUMENT"] == REFUSAL


def test_answers_of_another_version_are_counted_apart(server):
    with Session(Target(server), asking("another"), Point(3, in_flight=1), Rules()) as session:
        measured = session.run(requests=5)

    assert codes(measured) == {"OTHER_VERSION": 5}


def test_where_answers_do_not_tell_their_version_the_figures_say_so(server):
    rules = Rules(warm_up=3, requests=500)
    with Session(Target(server), asking("silent"), Point(3, in_flight=1), rules) as session:
        session.warm_up()
        measured = session.run()

    assert codes(measured) == {"OK": 500}
    assert "which version answered" in " ".join(result.row(Point(3, in_flight=1), measured, rules)["doubts"])


def test_a_request_that_takes_too_long_has_failed(server):
    measured = drive(server, asking("slow"), Point(3, in_flight=2), 4, timeout_s=SLOW_S / 4)

    assert codes(measured) == {"DEADLINE_EXCEEDED": 4}


def test_what_is_under_way_at_the_end_is_waited_for(server):
    measured = drive(server, asking("slow"), Point(3, in_flight=4), limit_s=SLOW_S * 1.5)

    assert measured.ended == LIMIT
    assert codes(measured) == {"OK": 8}
    assert len(measured.done_ns) == 4  # the others came after the end, and are no part of the throughput


def test_a_run_that_ends_before_its_first_answer_says_so(server):
    point, rules = Point(3, in_flight=2), Rules(warm_up=0, limit_s=SLOW_S / 4)
    with Session(Target(server), asking("slow"), point, rules) as session:
        row = result.row(point, session.run(), rules)

    assert row["requests"] == 2
    assert row["requests_per_s"] == 0
    assert "its first answer came after that; allow more with --limit" in row["doubts"][0]


def test_a_steady_server_settles(server):
    measured = drive(server, asking("slow"), Point(3, in_flight=8), percent=50, window_s=SLOW_S, limit_s=30)

    assert measured.ended == SETTLED
    assert measured.seconds < 30


def test_nobody_there_is_one_sentence():
    with pytest.raises(ServerUnavailable, match="no server answers"):
        drive(f"127.0.0.1:{addresses.free_port()}", asking("quick"), Point(3, in_flight=1), 1)


@pytest.mark.parametrize("point", [Point(3, in_flight=2), Point(3, rate=100.0)], ids=["closed", "open"])
def test_a_server_that_restarts_is_asked_on_and_its_absence_told(point):
    port = addresses.free_port()
    rules = Rules(warm_up=0, limit_s=2, percent=99)
    with answering(port) as server:
        session = Session(Target(server), asking("quick"), point, rules)
    with session:
        restarted = threading.Thread(target=_serve_for, args=(port, 0.5, 2.0))
        restarted.start()
        measured = session.run()
        restarted.join()
    row = result.row(point, measured, rules)

    assert set(codes(measured)) == {"OK", "NO_CONNECTION"}
    (outage,) = row["outages"]
    assert 0.3 < outage["away_s"] < 2
    assert outage["came_back"]
    assert row["verdict"] == "INVALID"
    assert "away for" in " ".join(row["doubts"])


@pytest.fixture
def mutual(pem):  # noqa: F811
    """A server that speaks TLS with those it knows only."""
    pair = [((pem / "server.key").read_bytes(), (pem / "server.pem").read_bytes())]
    known = grpc.ssl_server_credentials(pair, (pem / "ca.pem").read_bytes(), require_client_auth=True)
    with answering(credentials=known) as address:
        yield address


@pytest.mark.parametrize("model", ["quick", "large"])
def test_tls_and_a_certificate_of_ones_own(mutual, pem, model):  # noqa: F811
    files = Tls(*(str(pem / name) for name in ("ca.pem", "client.pem", "client.key")))
    with Session(Target(mutual, tls=files), asking(model), Point(3, in_flight=2), Rules(warm_up=0)) as session:
        measured = session.run(requests=6)

    assert codes(measured) == {"OK": 6}


def test_a_certificate_nobody_vouches_for_is_one_sentence(mutual, pem):  # noqa: F811
    with pytest.raises(ServerUnavailable, match="certificate"):
        Session(Target(mutual, tls=Tls(str(pem / "stranger.pem"))), asking("quick"), Point(3, in_flight=1), Rules())


def _serve_for(port: int, after_s: float, seconds: float) -> None:
    time.sleep(after_s)
    with answering(port):
        time.sleep(seconds)
