"""What every backend does alike, on each that can run here: with real servers, real folders, a real engine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import stock_image
from command_line import assert_one_sentence, make, run

from clients.client import Client
from serving import address, backends
from serving.backends.launch import Launch

NAMES = ["embedded", "binary", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture(scope="session")
def stock_program(tmp_path_factory):
    """The PATH with a tensorflow_model_server on it."""
    folder = tmp_path_factory.mktemp("bin")
    stock_image.program(folder)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="module")
def models(repository, tmp_path_factory):
    """Versions 1 and 2 that are good, and a version 3 that no server can load."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(repository / "tiny", folder / "tiny")
    shutil.copytree(repository / "tiny" / "1", folder / "tiny" / "3")
    graph = folder / "tiny" / "3" / "saved_model.pb"
    graph.write_bytes(b"\xff" * graph.stat().st_size)
    return folder


class Served:
    """A detached server, as a user has it: a folder to type commands in, and a port."""

    def __init__(self, backend, models, folder, variables, options):
        self.backend, self.folder, self.port = backend, folder, address.free_port()
        self.server = f"{address.LOCAL}:{self.port}"
        self._environment = {**os.environ, **variables}
        up = ("up", "--model", "tiny", "--version", 1, "--repository", models, "--backend", backend)
        self.up = self.type(*up, "--port", self.port, "--rest-port", address.free_port(), "--detach", *options)

    def type(self, *arguments):
        return run("serving", *arguments, cwd=self.folder, env=self._environment)

    def status(self):
        told = self.type("status", "--server", self.server, "--json")
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)


@pytest.fixture(scope="module", params=NAMES)
def served(request, models, stock_program, tmp_path_factory):
    options = request.getfixturevalue("engine") if request.param == "docker" else []
    server = Served(request.param, models, tmp_path_factory.mktemp("served"), {"PATH": stock_program}, options)
    assert server.up.returncode == 0, server.up.stderr
    yield server
    assert server.type("down", "--port", server.port).returncode == 0
    address.require_free(server.port)


def test_it_is_said_who_serves_and_what_and_how_to_stop_it(served):
    assert served.up.stdout.startswith(f"ready: tiny 1 on {served.server} (log: ")
    assert served.up.stdout.rstrip().endswith(f"stop with: make stop PORT={served.port})")
    assert f"backend {served.backend}: as asked" in served.up.stderr


def test_answers_come_from_the_version_asked_for(served, pictures):
    with Client(served.server) as client:
        answer = client.predict("tiny", {"inputs": np.stack(pictures)}, version=1)

        states = {state.version: state.state for state in client.status("tiny")}

    assert states == {1: "AVAILABLE"}  # of the three that are built
    assert answer.version == 1
    assert answer.outputs["detection_scores"].shape == (8, 10)


def test_status_tells_states_labels_and_memory(served):
    told = served.status()

    (model,) = told["models"]
    (version,) = [each for each in model["versions"] if each["state"] == "AVAILABLE"]
    assert model["answers"] == version["version"]
    assert {"stable", str(version["version"])} <= set(version["labels"])
    assert told["backend"] == served.backend
    assert told["memory_bytes"] > 50 << 20  # less than any TensorFlow takes


def test_it_is_swapped_to_what_can_be_served_and_stays_with_it(served):
    swap = ("swap", "--server", served.server, "--model", "tiny", "--version")
    done = served.type(*swap, 2)

    assert done.stdout == f"serving: tiny 2 on {served.server}\n", done.stderr
    assert_one_sentence(served.type(*swap, 3), "version 3 of tiny cannot be served", "serves tiny 2")
    (model,) = served.status()["models"]
    states = {each["version"]: each["state"] for each in model["versions"]}
    assert states == {1: "END", 2: "AVAILABLE", 3: "END"}
    assert model["requests"] > 0


def test_the_log_is_kept(served):
    assert (served.folder / ".serving" / str(served.port) / "log").read_text()


def test_its_port_is_not_given_to_another(served, models):
    again = ("up", "--model", "tiny", "--version", 1, "--repository", models, "--backend", "embedded")

    assert_one_sentence(served.type(*again, "--port", served.port), f"port {served.port} is in use")


@pytest.fixture
def launch(tmp_path):
    return Launch(repository=tmp_path / "models", bundle=tmp_path / "bundle", port=9000, rest_port=9001)


def test_the_containers_command_line_is_known_before_it_runs(launch):
    from dataclasses import replace

    command = backends.BACKENDS["docker"].argv(replace(launch, gpus="all", image="serving@sha256:12"), ("--flag",))

    assert command[:3] == ("docker", "run", "--rm")
    assert command[-2:] == ("serving@sha256:12", "--flag")
    assert {"127.0.0.1:9000:8500", "127.0.0.1:9001:8501", "all", "CUDA_CACHE_PATH=/var/cache/cuda"} <= set(command)
    assert f"type=bind,source={launch.repository},target=/models,readonly" in command


def test_in_the_machines_network_the_ports_are_flags(launch):
    from dataclasses import replace

    command = backends.BACKENDS["docker"].argv(replace(launch, network="host"), ())

    assert command[-2:] == ("--port=9000", "--rest_api_port=9001")
    assert "--publish" not in command


def test_a_dry_run_prints_the_command_line_and_starts_nothing(repository, tmp_path, stock_program):
    up = ("serving", "up", "--model", "tiny", "--version", 2, "--repository", repository, "--dry-run")
    done = run(*up, "--backend", "binary", cwd=tmp_path, env={**os.environ, "PATH": stock_program})

    assert done.stdout.startswith("tensorflow_model_server --port=8500 --rest_api_port=8501 --model_config_file=/")
    assert not (tmp_path / ".serving").exists()


@pytest.fixture
def without_engine(tmp_path):
    """The environment of a machine with neither a docker, nor a stock server, nor a GPU's driver."""
    (tmp_path / "bin").mkdir()
    return {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nothing.sock", "PATH": str(tmp_path / "bin")}


def test_a_container_is_written_down_where_no_engine_is(repository, tmp_path, without_engine):
    up = ("serving", "up", "--model", "tiny", "--version", 2, "--repository", repository, "--dry-run")
    done, on_gpus = (
        run(*up, "--backend", "docker", *more, cwd=tmp_path, env=without_engine) for more in ((), ("--gpus", "all"))
    )

    assert done.stdout.startswith("docker run --rm --name tf-serving-suite-8500 ")
    assert " tensorflow/serving:2.17.1 --model_config_file=/bundle/" in done.stdout
    assert "--gpus" not in done.stdout
    assert "as asked, though it cannot run here: there is no docker on the PATH" in done.stderr
    assert " --gpus all " in on_gpus.stdout
    assert " tensorflow/serving:2.17.1-gpu --model_config_file=/bundle/" in on_gpus.stdout


def test_a_container_is_given_the_gpus_of_the_machine_unless_told_otherwise(repository, tmp_path, without_engine):
    # as the driver of a machine with one answers
    driver = tmp_path / "bin" / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 'NVIDIA H200, 550.54.15'\n")
    driver.chmod(0o755)
    up = ("serving", "up", "--model", "tiny", "--version", 2, "--repository", repository, "--dry-run")
    with_all, with_none = (
        run(*up, "--backend", "docker", *more, cwd=tmp_path, env=without_engine) for more in ((), ("--gpus", "none"))
    )

    assert " --gpus all --mount type=volume,source=tf-serving-suite-cuda-cache" in with_all.stdout
    assert " tensorflow/serving:2.17.1-gpu " in with_all.stdout
    assert "--gpus" not in with_none.stdout
    assert " tensorflow/serving:2.17.1 " in with_none.stdout


def test_what_can_be_reached_from_elsewhere_is_said(repository, tmp_path):
    up = ("serving", "up", "--model", "tiny", "--version", 2, "--repository", repository, "--dry-run")
    local, wide = (run(*up, "--backend", "embedded", "--host", host, cwd=tmp_path) for host in ("127.0.0.1", "0.0.0.0"))

    assert "listens on" not in local.stderr
    assert "it listens on 0.0.0.0: whoever reaches this machine can ask every model" in wide.stderr


def test_auto_takes_the_first_that_can_run_and_says_why(repository, tmp_path, stock_program):
    up = ("serving", "up", "--model", "tiny", "--version", 2, "--repository", repository, "--dry-run")
    nowhere = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nothing.sock"}
    bare = run(*up, cwd=tmp_path, env={**nowhere, "PATH": "/usr/bin:/bin"})
    with_program = {**nowhere, "PATH": stock_program}
    local, wide = (run(*up, *more, cwd=tmp_path, env=with_program) for more in ((), ("--host", "0.0.0.0")))

    assert "backend embedded: not docker: " in bare.stderr
    assert "not binary: there is no tensorflow_model_server on the PATH" in bare.stderr
    # the stock server can only listen everywhere, which has to be asked for
    assert "not binary: it can only listen on 0.0.0.0, which --backend binary or --host" in local.stderr
    assert "backend binary: not docker: " in wide.stderr
    assert "it listens on 0.0.0.0: whoever reaches this machine can ask every model" in wide.stderr


@pytest.mark.docker
def test_auto_takes_the_container_where_an_engine_answers(engine, repository, tmp_path):
    up = ("serving", "up", "--model", "tiny", "--version", 2, "--repository", repository, "--dry-run")
    done = run(*up, cwd=tmp_path)

    assert "backend docker: a docker engine answers" in done.stderr
    assert done.stdout.startswith("docker run --rm --name tf-serving-suite-8500 ")


@pytest.mark.docker
def test_an_image_that_is_not_there_is_one_sentence(engine, repository, tmp_path):
    up = ("serving", "up", "--model", "tiny", "--version", 2, "--repository", repository, "--backend", "docker")
    done = run(*up, "--image", "localhost:1/nobody/nothing:1.0", "--port", address.free_port(), cwd=tmp_path)

    assert_one_sentence(done, "cannot be fetched", "--image")


def test_a_backend_that_cannot_run_is_one_sentence(repository, tmp_path):
    up = ("serving", "up", "--model", "tiny", "--version", 2, "--repository", repository)
    nowhere = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nothing.sock", "PATH": "/usr/bin:/bin"}

    for backend in ("docker", "binary"):
        assert_one_sentence(run(*up, "--backend", backend, cwd=tmp_path, env=nowhere), f"backend {backend} cannot run")


@pytest.mark.docker
def test_what_the_engine_refuses_comes_with_a_remedy(engine, repository, tmp_path):
    up = ("serving", "up", "--model", "tiny", "--version", 2, "--repository", repository, "--backend", "docker")
    elsewhere = f"--docker-option=--mount=type=bind,source={tmp_path}/nothing,target=/nothing"
    done = run(*up, *engine, elsewhere, "--port", address.free_ports(), cwd=tmp_path)

    assert_one_sentence(done, "bind source path does not exist", "let the engine run on this machine")


def test_an_engine_that_refuses_us_is_one_sentence(repository, tmp_path):
    # in the words of docker 28, asked by a user who is not in its group
    words = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"
    (tmp_path / "docker").write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    up = ("serving", "up", "--model", "tiny", "--version", 2, "--repository", repository, "--backend", "docker")
    done = run(*up, cwd=tmp_path, env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"})

    assert_one_sentence(done, "the docker engine refuses you", "join the group docker")


@pytest.mark.docker
@pytest.mark.slow
def test_a_killed_container_ends_its_command_in_one_sentence(engine, models, tmp_path):
    port = address.free_ports()
    up = ("serving", "up", "--model", "tiny", "--version", 1, "--repository", models, "--backend", "docker")
    command = [sys.executable, "-m", *map(str, (*up, "--port", port, *engine))]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline().startswith("ready: ")
        subprocess.run(["docker", "kill", f"tf-serving-suite-{port}"], check=True, capture_output=True)
        _, told = child.communicate(timeout=60)

    assert child.returncode == 1
    assert "error: the server ended with exit code 137, which is how it ends when somebody" in told


@pytest.mark.docker
@pytest.mark.slow
def test_make_serves_swaps_and_stops_a_container_even_one_whose_command_was_killed(engine, models, tmp_path):
    port = address.free_ports()
    variables = ("MODEL=tiny", f"PORT={port}", "BACKEND=docker", "DETACH=1")
    serve = f"OPTIONS={' '.join((*engine, f'--repository={models}', f'--rest-port={address.free_port()}'))}"
    server = f"127.0.0.1:{port}"

    assert make("serve", "VERSION=1", *variables, serve, cwd=tmp_path).startswith(f"ready: tiny 1 on {server}")
    assert make("swap", "VERSION=2", *variables, cwd=tmp_path) == f"serving: tiny 2 on {server}\n"
    assert "AVAILABLE" in make("status", *variables, cwd=tmp_path)
    pid = json.loads((tmp_path / ".serving" / str(port) / "server.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    assert make("stop", *variables, cwd=tmp_path) == f"stopped: tiny on port {port}\n"
    address.require_free(port)
