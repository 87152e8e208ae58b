"""The compose file, Prometheus' config and the dashboard, read by the tools that they are for."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import stock_image
import yaml
from command_line import run

from clients.client import Client, predict_request
from clients.errors import ClientError
from model_config import bundle, server_config
from serving import address

DOCKER = Path(__file__).parents[1] / "docker"
COMPOSE = DOCKER / "compose.yaml"


def compose(*arguments, **kwargs):
    """Whichever of the two spellings this machine has."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    command = ["docker", "compose"] if plugin else ["docker-compose"]
    if not shutil.which(command[0]):
        pytest.skip("there is no docker compose here")
    files = ("--project-name", "tf-serving-suite-test", "--file", str(COMPOSE))
    return subprocess.run([*command, *files, *arguments], capture_output=True, text=True, timeout=120, **kwargs)


def test_compose_reads_both_profiles():
    for profile in ("cpu", "gpu"):
        done = compose("--profile", profile, "config")
        assert done.returncode == 0, done.stderr
        services = yaml.safe_load(done.stdout)["services"]
        assert f"server-{profile}" in services
        for service in services.values():
            for port in service.get("ports", []):
                assert "127.0.0.1" in str(port)  # nothing is open to the network unasked


def test_the_servers_flags_are_those_of_the_bundle(repository):
    served = server_config.choose(repository, "tiny", [1], {})
    versions = bundle.versions_of([served], repository)
    command = yaml.safe_load(COMPOSE.read_text())["x-server"]["command"].split()

    assert set(command) - {"${SERVER_FLAGS:-}"} == set(bundle.make([served], versions).flags("/models"))
    batching = bundle.make([served], versions, bundle.Choices(batching=True)).flags("/models")
    added = set(batching) - set(command)
    makefile = (DOCKER.parent / "Makefile").read_text()
    assert added == set(makefile.partition("batching = ")[2].splitlines()[0].split())


def test_promtool_takes_the_config():
    if not shutil.which("promtool"):
        pytest.skip("there is no promtool here")
    done = subprocess.run(
        ["promtool", "check", "config", DOCKER / "prometheus" / "prometheus.yml"], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.docker
@pytest.mark.slow
def test_the_composed_server_serves_and_is_swapped(engine, repository, tmp_path):
    models = Path(shutil.copytree(repository / "tiny", tmp_path / "models" / "tiny")).parent
    port, rest_port = address.free_port(), address.free_port()
    server = ("--server", f"127.0.0.1:{port}", "--model", "tiny")
    # the test's image borrows the machine's programs
    shared = [each.partition("source=")[2].partition(",")[0] for each in stock_image.mounts()]
    override = {"services": {"server-cpu": {"volumes": [f"{path}:{path}:ro" for path in shared]}}}
    (tmp_path / "override.yaml").write_text(yaml.safe_dump(override))
    variables = {"REPOSITORY": str(models), "PORT": str(port), "REST_PORT": str(rest_port), "IMAGE": stock_image.IMAGE}
    use = run("model_config", "use", "tiny", "--version", 1, "--root", "/models", "--repository", models)
    assert use.returncode == 0, use.stderr

    def typed(*arguments):
        import os

        return compose("--file", str(tmp_path / "override.yaml"), *arguments, env={**os.environ, **variables})

    started = typed("--profile", "cpu", "up", "--detach", "server-cpu")
    try:
        assert started.returncode == 0, started.stderr
        waited = run("serving", "wait", *server, "--version", 1, "--timeout", 60, cwd=tmp_path)
        assert waited.returncode == 0, waited.stderr
        swap = ("serving", "swap", *server, "--version", 2, "--repository", models, "--root", "/models")
        done = run(*swap, cwd=tmp_path)
        assert done.stdout == f"serving: tiny 2 on 127.0.0.1:{port}\n", done.stderr
    finally:
        assert typed("--profile", "cpu", "down").returncode == 0


@pytest.fixture(scope="module")
def prometheus(repository, tmp_path_factory):
    """A real Prometheus that watches a real server, which batches and has been asked good and bad questions."""
    if not shutil.which("prometheus"):
        pytest.skip("there is no prometheus here")
    folder = tmp_path_factory.mktemp("monitoring")
    port, rest_port, own_port = (address.free_port() for _ in range(3))
    up = ("serving", "up", "--model", "tiny", "--version", 1, "--repository", repository, "--apart", "--batching")
    done = run(*up, "--backend", "embedded", "--port", port, "--rest-port", rest_port, "--detach", cwd=folder)
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text())
    config["global"]["scrape_interval"] = "250ms"
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{rest_port}"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command.append(f"--web.listen-address=127.0.0.1:{own_port}")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            ask_until_seen(f"127.0.0.1:{port}", f"http://127.0.0.1:{own_port}")
            yield f"http://127.0.0.1:{own_port}"
        finally:
            child.terminate()
            run("serving", "down", "--port", port, cwd=folder)


def ask_until_seen(server, prometheus):
    """Ask good and bad questions until Prometheus has looked often enough to tell how fast they come."""
    good = predict_request("tiny_v1", {"inputs": np.zeros((1, 32, 32, 3), np.uint8)}, version=1)
    bad = predict_request("tiny_v1", {"inputs": np.zeros(1, np.float32)}, version=1)
    seen, deadline = [], time.monotonic() + 60
    with Client(server) as client:
        while not seen and time.monotonic() < deadline:
            client.ask(good)
            with pytest.raises(ClientError):
                client.ask(bad)
            time.sleep(0.05)
            with contextlib.suppress(OSError):  # it is not up yet
                seen = ask(prometheus, 'count_over_time(:tensorflow:serving:request_count{status!="OK"}[10s]) > 3')


def ask(prometheus, expression):
    expression = expression.replace("$__rate_interval", "10s").replace("$model", ".*")
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]["result"]


PANELS = json.loads((DOCKER / "grafana" / "dashboards" / "versions.json").read_text())["panels"]


@pytest.mark.slow
@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_panel_of_the_dashboard_shows_something(prometheus, panel):
    found = [each for target in panel["targets"] for each in ask(prometheus, target["expr"])]

    assert found
    assert all(np.isfinite(float(each["value"][1])) for each in found)
