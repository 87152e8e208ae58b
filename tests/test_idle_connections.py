"""A connection that nobody used for a while, or that waits for its answer, and that something between has forgotten."""

from __future__ import annotations

import time

import numpy as np
import proxies
import pytest
import speaking

from clients import Client, Connection, Retry, connection
from clients.client import predict_request
from clients.errors import DeadlineExceeded, ServerUnavailable

REQUEST = predict_request("m", {"x": np.ones((1, 3), np.float32)})
LONGER_S = 2 * proxies.Forgetting.IDLE_S


@pytest.fixture
def server():
    answer = speaking.prediction()
    with speaking.server(lambda *_: answer) as server, proxies.opened(proxies.Forgetting, server) as proxy:
        yield proxy.address


def test_the_next_question_is_answered_over_a_new_one(server):
    with Client(Connection(server, idle_s=1.0)) as client:
        client.ask(REQUEST)
        time.sleep(LONGER_S)

        assert client.ask(REQUEST, timeout=5.0).version == 1


def test_a_client_that_kept_it_for_longer_would_wait_in_vain(server):
    with Client(Connection(server, idle_s=60.0)) as client:
        client.ask(REQUEST)
        time.sleep(LONGER_S)
        with pytest.raises(DeadlineExceeded):
            client.ask(REQUEST, timeout=1.0)


@pytest.fixture
def slow_at_first():
    """Through a proxy, a server whose first answer takes longer than the proxy remembers the connection."""
    waits = iter([LONGER_S])

    def answer(*_):
        time.sleep(next(waits, 0))
        return speaking.prediction()

    with speaking.server(answer) as server, proxies.opened(proxies.Forgetting, server) as proxy:
        yield proxy.address


@pytest.fixture
def impatience(monkeypatch):
    """After two seconds without data the server is asked for a sign of life, and given another half."""
    monkeypatch.setattr(connection, "_KEEP_ALIVE_MS", 2000)
    monkeypatch.setattr(connection, "_PING_TIMEOUT_MS", 500)


def test_a_question_whose_connection_is_forgotten_meanwhile_is_asked_over_another(slow_at_first, impatience):
    with Client(Connection(slow_at_first)) as client:
        assert client.ask(REQUEST, timeout=9.0).version == 1


def test_where_nothing_is_repeated_a_forgotten_connection_is_an_absent_server(slow_at_first, impatience):
    with Client(Connection(slow_at_first, retry=Retry(attempts=1))) as client, pytest.raises(ServerUnavailable):
        client.ask(REQUEST, timeout=9.0)
