"""Servers started, watched and stopped by the command line."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
from command_line import assert_one_sentence, run, run_here

from clients.client import Client
from clients.errors import ServerUnavailable
from serving import address, process

UP = ("serving", "up", "--model", "tiny", "--backend", "embedded")


@pytest.fixture
def port():
    return address.free_ports()


def states(port):
    with Client(f"127.0.0.1:{port}") as client:
        return {state.version: state.state for state in client.status("tiny")}


@contextlib.contextmanager
def foreground(repository, port, folder):
    """A server in the foreground of a terminal of its own, as soon as it says that it is ready."""
    arguments = (*UP, "--version", 1, "--repository", repository, "--port", port)
    command = [sys.executable, "-m", *map(str, arguments)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)
    try:
        ready = child.stdout.readline()
        assert ready.startswith(f"ready: tiny 1 on 127.0.0.1:{port}"), child.stderr.read()
        yield child
    finally:
        child.kill()
        child.communicate()


def test_free_ports_are_no_two_the_same_and_none_that_the_system_hands_out():
    with socket.socket() as taken:
        taken.bind((address.LOCAL, 0))
        handed_out = taken.getsockname()[1]
    chosen = [address.free_port() for _ in range(50)]

    assert len({*chosen, address.free_ports(3)}) == 51
    assert max(chosen) < handed_out


def test_what_is_listened_on_is_not_free():
    with socket.socket() as taken:
        taken.bind((address.LOCAL, address.free_port() + 1))
        taken.listen()

        assert address.free_port() != taken.getsockname()[1]


def test_in_the_foreground_it_says_one_line_and_stops_with_its_terminal(repository, port, tmp_path):
    with foreground(repository, port, tmp_path) as child:
        child.send_signal(signal.SIGHUP)
        rest, told = child.communicate(timeout=30)

    assert rest == ""
    assert told.strip().splitlines()[-1] == "stopped"
    assert child.returncode == 0
    address.require_free(port)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_a_supervisor_and_a_closing_terminal_stop_alike(stop):
    program = "from serving.signals import stop_signal; stop = stop_signal(); print(flush=True); stop.wait()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        child.send_signal(stop)

        assert child.wait(30) == 0


def test_a_signal_is_heard_while_the_main_thread_runs_no_python():
    # as between its last look for a signal and the wait that follows
    program = (
        "import hashlib, os, threading; from serving.signals import stop_signal; stop = stop_signal(); "
        "threading.Thread(target=lambda: (stop.wait(), os._exit(0))).start(); print(flush=True); "
        "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        child.terminate()
        try:
            assert child.wait(30) == 0
        finally:
            child.kill()


def test_a_server_in_the_foreground_is_stopped_from_elsewhere_too(repository, port, tmp_path):
    with foreground(repository, port, tmp_path) as child:
        stopped = run("serving", "down", "--port", port, cwd=tmp_path)
        _, told = child.communicate(timeout=30)

    assert stopped.returncode == child.returncode == 0
    assert told.strip().splitlines()[-1] == "stopped"


def test_a_version_that_is_not_built_is_one_sentence(repository, port):
    done = run(*UP, "--version", 5, "--repository", repository, "--port", port)

    assert_one_sentence(done, "version 5 of tiny is not built, only 1, 2")


def test_a_port_in_use_is_one_sentence(repository):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(*UP, "--version", 1, "--repository", repository, "--port", port)

    assert_one_sentence(done, f"port {port} is in use", "--port")


@pytest.mark.slow
def test_each_version_may_have_a_server_of_its_own(repository, tmp_path):
    port = address.free_ports(4)
    arguments = ("--version", 1, "--version", 2, "--repository", repository, "--one-server-per-version")
    done = run(*UP, *arguments, "--port", port, "--detach", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    served = [states(port), states(port + 2)]
    stopped = run("serving", "down", "--all", cwd=tmp_path)

    assert served == [{1: "AVAILABLE"}, {2: "AVAILABLE"}]
    assert stopped.stdout == f"stopped: tiny on port {port}\nstopped: tiny on port {port + 2}\n"
    with pytest.raises(ServerUnavailable):
        states(port)
    assert_one_sentence(run("serving", "down", "--port", port, cwd=tmp_path), "nothing to stop")


@pytest.mark.slow
def test_8_bit_arithmetic_is_served_with_onednn_and_refused_where_it_is_off(
    saved_model, pictures, port, tmp_path, monkeypatch
):
    np.save(tmp_path / "pictures.npy", np.stack(pictures))
    models = ("--version", 3, "--repository", tmp_path / "models")
    source = ("--source", saved_model, "--calibration", tmp_path / "pictures.npy")
    assert run_here("converters", "build", "tiny", *source, *models).returncode == 0
    arguments = (*UP, *models, "--port", port, "--detach")

    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert_one_sentence(run(*arguments, cwd=tmp_path), "version 3: it computes with oneDNN", "unset")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    try:
        with Client(f"127.0.0.1:{port}") as client:
            answer = client.predict("tiny", {"inputs": np.stack(pictures)}, version=3)
    finally:
        run("serving", "down", "--port", port, cwd=tmp_path)
    assert np.isfinite(answer.outputs["detection_scores"]).all()


def test_a_version_that_cannot_be_loaded_is_named_at_once_and_nothing_is_left(repository, port, tmp_path):
    graph = shutil.copytree(repository / "tiny", tmp_path / "models" / "tiny") / "1" / "saved_model.pb"
    graph.write_bytes(b"\xff" * graph.stat().st_size)
    arguments = ("--version", 1, "--version", 2, "--repository", tmp_path / "models", "--port", port, "--detach")

    assert_one_sentence(run(*UP, *arguments, cwd=tmp_path), "version 1 of tiny cannot be served", "--replace")
    address.require_free(port)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--port", 65535), "65535 and 65536"),
        (("--rest-port", 8500), "two different numbers"),
        (("--host", "203.0.113.1"), "203.0.113.1 is no address of this machine"),
        (("--batching", "--version", 9), "version 9 of tiny is not built"),
    ],
)
def test_what_cannot_be_is_one_sentence(repository, tmp_path, arguments, words):
    assert_one_sentence(run(*UP, "--version", 1, "--repository", repository, *arguments, cwd=tmp_path), words)


def test_what_is_no_address_is_one_sentence():
    assert_one_sentence(run("serving", "status", "--server", "nonsense"), "a server is HOST:PORT")


def test_half_a_copy_is_not_served(repository, port, tmp_path):
    graph = shutil.copytree(repository / "tiny", tmp_path / "models" / "tiny") / "1" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:1000])
    done = run(*UP, "--version", 1, "--repository", tmp_path / "models", "--port", port, cwd=tmp_path)

    assert_one_sentence(done, "is not whole", "saved_model.pb: 1000 of", "--replace")


def test_a_server_that_ends_at_once_shows_its_last_words(tmp_path):
    log = tmp_path / "log"
    child = process.start((sys.executable, "-c", "raise SystemExit('no such flag')"), log, {})
    child.wait()

    with pytest.raises(process.ServeError, match="exit code 1: no such flag"):
        process.require_alive(child, log)


def test_wait_and_status_ask_any_server(server):
    waited = run("serving", "wait", "--server", server, "--model", "tiny", "--version", 1, "--version", 2)
    told = json.loads(run("serving", "status", "--server", server, "--model", "tiny", "--json").stdout)

    assert waited.stdout == f"ready: tiny 1, 2 on {server}\n"
    (model,) = told["models"]
    assert [each["state"] for each in model["versions"]] == ["AVAILABLE", "AVAILABLE"]


@pytest.mark.slow
def test_waiting_for_what_a_server_was_never_told_of_ends_within_seconds(server):
    done = run("serving", "wait", "--server", server, "--model", "tiny", "--version", 1, "--version", 9)

    assert_one_sentence(done, "was told of no version 9 of tiny, only of 1, 2,", "python -m serving swap")


def test_waiting_for_what_never_comes_ends_in_time(server):
    done = run("serving", "wait", "--server", server, "--model", "tiny", "--version", 9, "--timeout", 1)

    assert_one_sentence(done, "not ready after 1 s", "waiting for version 9")
