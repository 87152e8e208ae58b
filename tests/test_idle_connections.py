"""A connection that nobody used for a while, and that something between has forgotten."""

from __future__ import annotations

import time

import numpy as np
import proxies
import pytest
import speaking

from clients import Client, Connection
from clients.client import predict_request
from clients.errors import DeadlineExceeded

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
