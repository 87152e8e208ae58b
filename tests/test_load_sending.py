"""The sending half of the load generator's connections: what was prepared is what would have been sent."""

from __future__ import annotations

import socket
import tracemalloc

import pytest

from clients.loadgen import frames
from clients.loadgen.sending import Question, Sender

HEADERS = ((":method", "POST"), (":scheme", "http"), (":path", "/a/B"), (":authority", "here"), ("te", "trailers"))
WINDOW = 100


@pytest.fixture
def sent():
    """What goes out for so many requests one after the other, each prepared or not; with the windows of a server."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    def send(bodies: list[bytes], is_prepared: bool) -> bytes:
        sender = Sender(Question(HEADERS, bodies))
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
        waits = not sender.flush(ours)
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


def test_a_server_that_no_longer_keeps_headers_gets_none_that_point_there():
    def asked(is_prepared: bool) -> bytes:
        sender = Sender(Question(HEADERS, [b"one body"]))
        sender.obey({})
        sender.request(1)
        if is_prepared:
            sender.prepare()
        sender.obey({frames.HEADER_TABLE_SIZE: 0})
        sender.request(1)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            sender.flush(ours)
            return theirs.recv(2**20)

    assert asked(is_prepared=True) == asked(is_prepared=False)


def test_a_body_that_takes_several_frames_is_not_copied_ahead():
    sender = Sender(Question(HEADERS, [bytes(2**22)]))
    sender.obey({frames.INITIAL_WINDOW_SIZE: 2**30})
    sender.request(1)
    tracemalloc.start()
    try:
        sender.prepare()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 2**16
