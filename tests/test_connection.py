"""How a client reaches servers: what is asked again, several servers, TLS, compression, futures and coroutines."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
from concurrent.futures import CancelledError
from itertools import count

import grpc
import numpy as np
import proxies
import pytest
import speaking

from clients import AsyncClient, Client, Connection, Retry, Tls
from clients.client import predict_request
from clients.errors import BadAnswer, ClientError, DeadlineExceeded, ServerBusy, ServerUnavailable, TlsFailed
from model_config.errors import SuiteError
from serving import address

REQUEST = predict_request("m", {"x": np.ones((1, 3), np.float32)})
FULL = "The batch scheduling queue to which this task was submitted is full; currently 1 batches enqueued"


class Refusing:
    """Refuses some times, then answers; the version is how often it was asked."""

    def __init__(self, times, code=grpc.StatusCode.UNAVAILABLE):
        self.times, self.code, self.asked = times, code, count(1)

    def __call__(self, request, context):
        number = next(self.asked)
        if number <= self.times:
            context.abort(self.code, FULL)
        return speaking.prediction(number)


def test_a_busy_server_is_asked_again():
    with speaking.client(Refusing(2)) as client:
        assert client.ask(REQUEST).version == 3


def test_a_request_of_many_megabytes_is_asked_again_too():
    request = predict_request("m", {"x": np.ones((1, 2_000_000), np.float32)})
    with speaking.client(Refusing(1)) as client:
        assert client.ask(request).version == 2


def test_a_server_that_stays_busy_is_given_up():
    retry = Retry(attempts=3, pause_s=0.01)
    words = r"queue .* is full.*; ask fewer things at a time"
    with speaking.client(Refusing(9), retry=retry) as client, pytest.raises(ServerBusy, match=words):
        client.ask(REQUEST)


def test_one_attempt_means_one():
    with speaking.client(Refusing(1), retry=Retry(attempts=1)) as client:
        with pytest.raises(ServerBusy):
            client.ask(REQUEST)
        assert client.ask(REQUEST).version == 2


def test_a_budget_ends_the_repeating():
    retry = Retry(attempts=5, pause_s=0.01, budget=5)
    answer = Refusing(1000)
    with speaking.client(answer, retry=retry) as client:
        for _ in range(20):
            with pytest.raises(ServerBusy):
                client.ask(REQUEST)

    assert next(answer.asked) - 1 < 2 * 20  # not five times twenty


@pytest.mark.parametrize("code", ["INTERNAL", "RESOURCE_EXHAUSTED", "UNKNOWN", "ABORTED", "INVALID_ARGUMENT"])
def test_nothing_but_unavailable_is_asked_again(code):
    with speaking.client(Refusing(1, grpc.StatusCode[code])) as client:
        with pytest.raises(ClientError) as caught:
            client.ask(REQUEST)

        assert caught.value.code == code
        assert client.ask(REQUEST).version == 2


def test_a_new_config_is_sent_once():
    with speaking.client(Refusing(1)) as client:
        with pytest.raises(ServerBusy):
            client.reload("model_config_list {}")

        client.reload("model_config_list {}")


def test_a_server_that_comes_up_in_time_is_found():
    port = address.free_port()
    with Client(Connection(f"localhost:{port}", retry=Retry(attempts=5, pause_s=1))) as client:
        pending = client.ask_future(REQUEST)
        with speaking.server(Refusing(0), port=port):
            assert pending.result(20).version == 1


def test_several_servers_are_asked_in_turn():
    ones, others = Refusing(0), Refusing(0)
    with speaking.server(ones) as one, speaking.server(others) as other, Client(f"{one},{other}") as client:
        while next(ones.asked) < 5 or next(others.asked) < 5:
            client.ask(REQUEST)


def test_when_one_of_several_ends_the_others_answer():
    with speaking.server(Refusing(0)) as one:
        with speaking.server(Refusing(0)) as other, Client(f"{one},{other}") as client:
            client.ask(REQUEST)
        with Client(f"{one},{other}") as client:
            assert [client.ask(REQUEST).version for _ in range(8)]


@pytest.mark.parametrize("server", ["", "a:1,,b:2", "a:1,", "a", "a,b", "a:b", "http://a:1", "a:1,unix:b"])
def test_an_address_that_is_none_is_refused(server):
    with pytest.raises(SuiteError, match="a server is HOST:PORT"):
        Client(server)


@pytest.mark.parametrize(("compression", "least", "most"), [("none", 4e6, 5e6), ("deflate", 1, 4e5), ("gzip", 1, 4e5)])
def test_requests_may_be_compressed(compression, least, most):
    request = predict_request("m", {"x": np.zeros((1, 1_000_000), np.float32)})
    with speaking.server(Refusing(0)) as server, proxies.opened(proxies.Counting, server) as proxy:
        with Client(Connection(proxy.address, compression=compression)) as client:
            client.ask(request)

        assert least <= sum(proxy.sent) <= most


def test_other_targets_that_grpc_knows_are_left_to_it(tmp_path):
    assert Connection("unix:/tmp/socket").addresses == ["unix:/tmp/socket"]
    with speaking.server(Refusing(0)) as server, Client(f"dns:///{server}") as client:
        assert client.ask(REQUEST).version == 1


def test_an_unknown_compression_is_refused():
    with pytest.raises(SuiteError, match="none, deflate, gzip, not 'zip'"):
        Connection("a:1", compression="zip")


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_every_question_has_a_deadline(timeout):
    with Client("localhost:1") as client, pytest.raises(SuiteError, match="a timeout above 0"):
        client.status("m", timeout=timeout)


def test_a_question_may_have_a_deadline_of_its_own():
    with socket.create_server((address.LOCAL, 0)) as silent:
        server = f"localhost:{silent.getsockname()[1]}"
        with Client(server) as client, pytest.raises(DeadlineExceeded, match="allow more time"):
            client.status("m", timeout=0.2)


def test_an_answer_larger_than_grpcs_limit_comes_whole():
    large = speaking.prediction(y=np.zeros((1, 2_000_000), np.float32))
    with speaking.client(lambda request, context: large) as client:
        assert client.ask(REQUEST).outputs["y"].shape == (1, 2_000_000)


@pytest.mark.parametrize("content", [b"\x0a\xff", b"\x0a\x02\x12", b"\x0b\x01", speaking.prediction(y=[1.0, 2.0])[:-1]])
def test_an_answer_that_is_damaged_is_told(content):
    words = "the answer of m cannot be read"
    with speaking.client(lambda request, context: content) as client, pytest.raises(BadAnswer, match=words):
        client.ask(REQUEST)


def test_futures_bring_answers_and_errors():
    with speaking.client(Refusing(0)) as client:
        pending = [client.ask_future(REQUEST) for _ in range(20)]

        assert sorted(each.result(20).version for each in pending) == list(range(1, 21))
    with speaking.client(speaking.refusing(grpc.StatusCode.INTERNAL, "broken")) as client:
        assert client.ask_future(REQUEST).exception(20).code == "INTERNAL"


def test_a_future_that_is_cancelled_ends_its_call():
    started, ended = threading.Event(), threading.Event()

    def answer(request, context):
        context.add_callback(ended.set)
        started.set()
        ended.wait(20)
        return b""

    with speaking.client(answer) as client:
        pending = client.ask_future(REQUEST)
        assert started.wait(20)
        pending.cancel()

        assert ended.wait(20)
        with pytest.raises(CancelledError):
            pending.result(0)


def test_coroutines_bring_answers_and_errors():
    async def ask(server):
        async with AsyncClient(server) as client:
            answers = await asyncio.gather(*(client.ask(REQUEST) for _ in range(20)))
            with pytest.raises(SuiteError, match="HOST"):
                AsyncClient("")
            return sorted(answer.version for answer in answers)

    with speaking.server(Refusing(2)) as server:
        assert asyncio.run(ask(server)) == list(range(3, 23))


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A CA, a server's and a client's certificate for localhost, and another CA that signed nothing here."""
    folder = tmp_path_factory.mktemp("pem")
    for ca in ("ca", "stranger"):
        openssl(folder, "req", "-x509", "-subj", f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.pem")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl(folder, "req", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signing)
    return folder


def openssl(folder, command, *arguments):
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes") if command == "req" else ()
    subprocess.run(["openssl", command, *new, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def secure(pem):
    """A server that speaks TLS."""
    pair = [((pem / "server.key").read_bytes(), (pem / "server.pem").read_bytes())]
    with speaking.server(Refusing(0), grpc.ssl_server_credentials(pair)) as server:
        yield server


@pytest.fixture
def mutual(pem):
    """A server that speaks TLS with those it knows only."""
    pair = [((pem / "server.key").read_bytes(), (pem / "server.pem").read_bytes())]
    known = grpc.ssl_server_credentials(pair, (pem / "ca.pem").read_bytes(), require_client_auth=True)
    with speaking.server(Refusing(0), known) as server:
        yield server


def ask(server, **tls):
    once = Retry(attempts=1)
    with Client(Connection(server, Tls(**tls) if tls else None, retry=once), timeout_s=10) as client:
        return client.ask(REQUEST).version


def test_tls_with_the_right_ca(secure, pem):
    assert ask(secure, ca=pem / "ca.pem") == 1


def test_tls_over_several_servers(secure, pem):
    assert ask(f"{secure},{secure}", ca=pem / "ca.pem") == 1


def test_tls_with_another_ca_is_refused(secure, pem):
    with pytest.raises(TlsFailed, match="--ca"):
        ask(secure, ca=pem / "stranger.pem")


def test_tls_with_a_server_that_speaks_none_says_so(pem):
    with speaking.server(Refusing(0)) as server, pytest.raises(TlsFailed, match="leave --tls away"):
        ask(server, ca=pem / "ca.pem")


def test_without_tls_a_server_that_wants_it_breaks_off(secure):
    with pytest.raises(ServerUnavailable, match="--tls"):
        ask(secure)


def test_mutual_tls_with_a_known_certificate(mutual, pem):
    assert ask(mutual, ca=pem / "ca.pem", cert=pem / "client.pem", key=pem / "client.key") == 1


def test_mutual_tls_without_a_certificate_is_refused(mutual, pem):
    with pytest.raises(ServerUnavailable, match="--cert and --key"):
        ask(mutual, ca=pem / "ca.pem")


def test_a_certificate_wants_its_key(pem):
    with pytest.raises(SuiteError, match="give --cert and --key together"):
        Tls(cert=pem / "client.pem")


@pytest.mark.parametrize(("name", "words"), [("none.pem", "cannot read .*none.pem"), ("names", "is no PEM file")])
def test_a_file_that_is_no_certificate_is_named(pem, name, words):
    with pytest.raises(SuiteError, match=words):
        ask("localhost:1", ca=pem / name)
