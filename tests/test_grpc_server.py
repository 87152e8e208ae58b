"""The embedded server's gRPC port, over methods that need no model, asked by gRPC's own clients and by others."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from model_config.errors import ServeError
from serving import address
from serving.conformance import certificates
from serving.embedded import refusals, ssl_files
from serving.embedded.grpc_server import Ports, Server

THREADS = 3
REFUSAL = "größer als 100 %\nund mehr"
RELEASE_S = 20


class Methods:
    """What the test server does, and what it saw."""

    def __init__(self):
        self.waiting = threading.Semaphore(0)
        self.go_on = threading.Event()

    def echo(self, raw, timeout_s):
        return raw

    def time(self, raw, timeout_s):
        return str(round(timeout_s)).encode()

    def wait(self, raw, timeout_s):
        self.waiting.release()
        assert self.go_on.wait(RELEASE_S)
        return b"waited"

    def refuse(self, raw, timeout_s):
        raise refusals.invalid(REFUSAL)

    def fail(self, raw, timeout_s):
        raise RuntimeError("a bug")

    @property
    def by_name(self):
        return {name: getattr(self, name.lower()) for name in ("Echo", "Time", "Wait", "Refuse", "Fail")}


@pytest.fixture
def methods():
    return Methods()


class Servers:
    """Opens servers, and stops those that a test has not stopped."""

    def __init__(self, methods):
        self._methods = methods
        self._running = []

    def __call__(self, listen=None, **options):
        """A server, and where it listens."""
        listen = listen or f"127.0.0.1:{address.free_port()}"
        ports = Ports([listen], **{"credentials": None, "threads": THREADS, "health": True, **options})
        self._running.append(Server({"test.Service": self._methods.by_name}, ports))
        return self._running[-1], listen

    def stop(self, server, grace_s=RELEASE_S):
        self._running.remove(server)
        return server.stop(grace_s)

    def stop_all(self):
        self._methods.go_on.set()
        for server in list(self._running):
            assert self.stop(server)


@pytest.fixture
def opened(methods):
    servers = Servers(methods)
    yield servers
    servers.stop_all()


@pytest.fixture
def channel(opened):
    _, listen = opened()
    with connected(listen) as channel:
        yield channel


def connected(listen, **options):
    limits = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
    return grpc.insecure_channel(listen, options=limits, **options)


def ask(channel, method, content=b"", **how):
    return channel.unary_unary(f"/test.Service/{method}")(content, **{"timeout": RELEASE_S, **how})


def refused(channel, method, content=b"", **how):
    with pytest.raises(grpc.RpcError) as caught:
        ask(channel, method, content, **how)
    return caught.value.code().name, caught.value.details()


def answers(channel):
    """Whether the server takes another call."""
    try:
        return ask(channel, "Echo", b"x", timeout=1) == b"x"
    except grpc.RpcError:
        return False


def test_messages_of_any_size_come_and_go_whole(channel):
    for size in (0, 1, 70_000, 100_000_000):
        content = bytes(range(256)) * (size // 256) + bytes(size % 256)
        assert ask(channel, "Echo", content) == content


def test_a_compressed_request_is_read(opened):
    _, listen = opened()
    with connected(listen, compression=grpc.Compression.Gzip) as channel:
        assert ask(channel, "Echo", b"again and " * 5000) == b"again and " * 5000


def test_a_method_is_told_how_long_its_caller_waits(channel):
    assert ask(channel, "Time", timeout=77) == b"77"
    assert int(ask(channel, "Time", timeout=None)) > 1e6


def test_refusals_keep_their_letters(channel):
    assert refused(channel, "Refuse") == ("INVALID_ARGUMENT", REFUSAL)
    assert refused(channel, "Foretell") == ("UNIMPLEMENTED", "")


def test_an_error_of_our_own_is_told_and_logged_and_the_next_is_answered(channel, caplog):
    assert refused(channel, "Fail") == ("UNKNOWN", "a bug")
    assert "RuntimeError: a bug" in caplog.text
    assert ask(channel, "Echo", b"x") == b"x"


def test_a_call_without_a_message_is_refused(channel):
    silent = channel.stream_unary("/test.Service/Echo")
    with pytest.raises(grpc.RpcError, match="exactly one request message"):
        silent(iter(()), timeout=RELEASE_S)


def test_as_many_as_there_may_be_are_answered_together_and_more_are_refused(channel, methods):
    with ThreadPoolExecutor(THREADS) as pool:
        waiting = [pool.submit(ask, channel, "Wait") for _ in range(THREADS)]
        for _ in waiting:
            assert methods.waiting.acquire(timeout=RELEASE_S)
        assert refused(channel, "Echo") == ("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted")
        methods.go_on.set()

        assert [each.result() for each in waiting] == [b"waited"] * THREADS
    assert ask(channel, "Echo", b"x") == b"x"


def test_who_has_gone_keeps_no_place(channel, methods):
    gone = [channel.unary_unary("/test.Service/Wait").future(b"") for _ in range(THREADS)]
    for each in gone:
        assert methods.waiting.acquire(timeout=RELEASE_S)
        each.cancel()
    methods.go_on.set()
    while not answers(channel):  # until their threads have seen it
        time.sleep(0.01)

    assert [ask(channel, "Wait") for _ in range(2 * THREADS)] == [b"waited"] * 2 * THREADS


def test_stopping_lets_calls_end_and_takes_no_more(opened, methods):
    server, listen = opened()
    with connected(listen) as channel, connected(listen) as late, ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(ask, channel, "Wait")
        assert methods.waiting.acquire(timeout=RELEASE_S)
        stopping = pool.submit(opened.stop, server)
        while answers(late):
            time.sleep(0.01)
        methods.go_on.set()

        assert waiting.result() == b"waited"
        assert stopping.result(RELEASE_S)
    assert {thread.name for thread in threading.enumerate() if thread.name.startswith("call ")} == set()


def test_who_does_not_end_in_time_is_ended(opened, methods):
    server, listen = opened()
    with connected(listen) as channel:
        waiting = channel.unary_unary("/test.Service/Wait").future(b"")
        assert methods.waiting.acquire(timeout=RELEASE_S)

        assert not opened.stop(server, 0.1)
        assert waiting.exception(RELEASE_S).code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)


def test_health_is_told_once_and_to_who_watches(opened):
    server, listen = opened()
    with connected(listen) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        with pytest.raises(grpc.RpcError, match="service name unknown"):
            check(b"\x0a\x01x", timeout=RELEASE_S)
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
        gone, watched = (watch(b"", timeout=RELEASE_S) for _ in range(2))
        assert [check(b"", timeout=RELEASE_S), next(gone), next(watched)] == [b"\x08\x01"] * 3
        assert next(watch(b"\x0a\x01x", timeout=RELEASE_S)) == b"\x08\x03"
        gone.cancel()
        assert opened.stop(server)

        with pytest.raises(grpc.RpcError, match="the server is stopped"):
            next(watched)


def test_a_unix_socket_and_grpcs_own_settings(opened, tmp_path):
    _, listen = opened(f"unix:{tmp_path / 'socket'}", options=[("grpc.max_receive_message_length", 10)])
    with connected(listen) as channel:
        assert ask(channel, "Echo", b"x") == b"x"
        assert refused(channel, "Echo", bytes(11))[0] == "RESOURCE_EXHAUSTED"


def test_a_taken_port_is_one_sentence(opened):
    _, listen = opened()

    with pytest.raises(ServeError, match=re.escape(f"cannot listen on {listen}: the port is in use")):
        opened(listen)


def test_only_who_is_trusted_is_answered(opened, tmp_path):
    certificates.make(tmp_path)
    listen = f"localhost:{address.free_port()}"
    opened(listen, credentials=ssl_files.credentials(tmp_path / "ssl.config"))
    with grpc.secure_channel(listen, certificates.credentials(tmp_path, with_client=True)) as trusted:
        assert ask(trusted, "Echo", b"x") == b"x"
    with grpc.secure_channel(listen, certificates.credentials(tmp_path, with_client=False)) as unknown:
        assert refused(unknown, "Echo")[0] == "UNAVAILABLE"


def test_noise_and_half_a_request_disturb_nobody(opened):
    _, listen = opened()
    host, port = listen.split(":")
    noisy = [socket.create_connection((host, int(port))) for _ in range(2 * THREADS + 8)]
    for place, each in enumerate(noisy):
        each.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(place) if place % 2 else b"GET / HTTP/1.1\r\n\r\n")
    held = threading.Event()
    with connected(listen) as channel:
        half = channel.stream_unary("/test.Service/Echo").future(held.wait() for _ in range(1))
        assert [ask(channel, "Echo", b"x") for _ in range(3)] == [b"x"] * 3
        half.cancel()
        held.set()
    for each in noisy:
        each.close()


def test_asyncios_client_is_answered(opened):
    _, listen = opened()

    async def ask_many():
        async with grpc.aio.insecure_channel(listen) as channel:
            echo = channel.unary_unary("/test.Service/Echo")
            return [await echo(str(number).encode()) for number in range(50)]

    assert asyncio.run(ask_many()) == [str(number).encode() for number in range(50)]


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl here")
def test_a_client_that_knows_only_http_2_is_answered(opened, tmp_path):
    _, listen = opened()
    (tmp_path / "body").write_bytes(b"\0\0\0\0\3abc")
    command = ["curl", "--silent", "--show-error", "--include", "--http2-prior-knowledge", "--data-binary", "@body"]
    command += ["--header", "content-type: application/grpc", "--header", "te: trailers"]
    done = subprocess.run([*command, f"http://{listen}/test.Service/Echo"], cwd=tmp_path, capture_output=True)

    assert done.returncode == 0, done.stderr
    assert b"HTTP/2 200" in done.stdout
    assert b"\0\0\0\0\3abc" in done.stdout
    assert b"grpc-status: 0" in done.stdout
