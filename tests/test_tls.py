"""Certificates to try TLS with, and a server and its commands that speak it."""

from __future__ import annotations

import functools
import http.server
import ssl
import stat
import threading

import pytest
from command_line import assert_one_sentence, run

from clients.loadgen import metrics
from clients.loadgen.orders import Tls
from model_config.errors import SuiteError
from serving import address


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with certificates."""
    folder = tmp_path_factory.mktemp("home")
    assert run("serving", "certs", cwd=folder).returncode == 0
    return folder


def test_nobody_else_may_read_a_key_and_the_cas_is_nowhere(home):
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home / "certs").iterdir()}

    assert {name for name, mode in files.items() if mode == 0o600} == {"server.key", "client.key"}
    assert set(files) == {"server.key", "client.key", "ca.pem", "server.pem", "client.pem"}


def test_certificates_in_use_are_not_replaced_unasked(home):
    before = (home / "certs" / "ca.pem").read_bytes()

    assert_one_sentence(run("serving", "certs", cwd=home), "holds certificates already", "--replace")
    assert (home / "certs" / "ca.pem").read_bytes() == before


def test_a_server_lets_in_whom_it_trusts_and_our_own_commands_know_how(home, repository, tmp_path):
    port = address.free_port()
    asked = ("--server", f"127.0.0.1:{port}", "--model", "tiny")
    up = ("serving", "up", "--model", "tiny", "--version", 1, "--repository", repository, "--backend", "embedded")
    done = run(*up, "--mutual", "--port", port, "--rest-port", address.free_port(), "--detach", cwd=home)
    assert done.returncode == 0, done.stderr
    key = home / ".serving" / str(port) / "bundle" / "tls.config"
    try:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        for command in (("status", *asked), ("swap", *asked, "--version", 2), ("wait", *asked, "--version", 2)):
            done = run("serving", *command, cwd=home)
            assert done.returncode == 0, done.stderr
        secure = ("--ca", home / "certs" / "ca.pem")
        own = ("--cert", home / "certs" / "client.pem", "--key", home / "certs" / "client.key")
        elsewhere = run("serving", "status", *asked, *secure, *own, cwd=tmp_path)
        assert elsewhere.returncode == 0, elsewhere.stderr
        assert_one_sentence(run("serving", "status", *asked, *secure, cwd=tmp_path), f"127.0.0.1:{port}")
        assert_one_sentence(run("serving", "status", *asked, cwd=tmp_path), f"127.0.0.1:{port}")
    finally:
        run("serving", "down", "--port", port, cwd=home)
    assert not key.exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda certs: (certs / "server.key").write_bytes((certs / "client.key").read_bytes()), "cannot be used"),
        (lambda certs: (certs / "server.pem").write_text("nothing"), "holds no certificate"),
        (lambda certs: (certs / "server.key").unlink(), "cannot read"),
    ],
    ids=["of another pair", "no certificate", "missing"],
)
def test_certificates_that_cannot_be_used_are_one_sentence(repository, tmp_path, damage, words):
    assert run("serving", "certs", cwd=tmp_path).returncode == 0
    damage(tmp_path / "certs")
    up = ("serving", "up", "--model", "tiny", "--version", 1, "--repository", repository, "--backend", "embedded")

    assert_one_sentence(run(*up, "--tls", "--port", address.free_port(), cwd=tmp_path), words, "make certs")


@pytest.fixture
def metrics_url(home, tmp_path):
    """Where a web server that lets in only whom it trusts tells a server's metrics."""
    told = ':tensorflow:serving:runtime_latency_count{model_name="m",API="Predict",runtime="TF1"} 7\n'
    (tmp_path / "metrics").write_text(told)
    trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=home / "certs" / "ca.pem")
    trusting.verify_mode = ssl.CERT_REQUIRED
    trusting.load_cert_chain(home / "certs" / "server.pem", home / "certs" / "server.key")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = trusting.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()


def test_metrics_are_asked_for_with_the_connections_certificates(home, metrics_url):
    ca, cert, key = (str(home / "certs" / name) for name in ("ca.pem", "client.pem", "client.key"))

    assert metrics.read(metrics_url, "m", Tls(ca, cert, key)).runs == 7
    with pytest.raises(SuiteError, match="cannot read Prometheus metrics"):
        metrics.read(metrics_url, "m", Tls(ca))
