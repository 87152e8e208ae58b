"""The sending half of the load generator's connections: what was prepared is what would have been sent."""

from __future__ import annotations

import socket

import pytest

from clients.loadgen import frames
from clients.loadgen.sending import Question, Sender

HEADERS = ((":method", "POST"), (":scheme", "http"), (":path", "/a/B"), (":authority", "here"), ("te", "trailers"))
WINDOW = 100


@pytest.fixture
def sent():
    """What goes out for so many requests one after the other, each prepared or not; with the windows of a server."""
    ours, theirs = socket.socketpair()

    def send(bodies: list[bytes], is_prepared: bool) -> bytes:
        sender = Sender(Question(HEADERS, bodies))
        ours.setblocking(False)
        sender.obey({frames.INITIAL_WINDOW_SIZE: WINDOW})
        for _ in range(4):
            if is_prepared:
                sender.prepare()
                sender.prepare()
            sender.request(1)
            sender.flush(ours)
        return theirs.recv(2**20)

    with ours, theirs:
        yield send


@pytest.mark.parametrize(
    "bodies",
    [[b"one body"], [b"several", b"that take", b"turns"], [b"x" * (WINDOW + 1)], [b"x" * (WINDOW + 1), b"fits"]],
    ids=["one", "several", "larger than what the server takes", "as an earlier one waits"],
)
def test_a_prepared_request_goes_out_as_any_other(sent, bodies):
    assert sent(bodies, is_prepared=True) == sent(bodies, is_prepared=False)


def test_a_body_waits_for_its_own_window_and_goes_on_with_it():
    sender = Sender(Question(HEADERS, [b"x" * (WINDOW + 1)]))
    sender.obey({frames.INITIAL_WINDOW_SIZE: WINDOW})
    (stream,) = sender.request(1)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender.flush(ours)
        waits = not sender.busy
        begun = theirs.recv(2**20)
        sender.allow(stream, 1)
        sender.flush(ours)

        assert waits
        assert begun.count(b"x") == WINDOW
        assert theirs.recv(2**20)[-1:] == b"x"


def test_what_was_prepared_holds_for_one_request_only():
    sender = Sender(Question(HEADERS, [b"one body"]))
    sender.obey({})
    sender.request(1)
    sender.prepare()

    assert list(sender.request(3)) == [3, 5, 7]
    assert list(sender.request(1)) == [9]
