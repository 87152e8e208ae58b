"""The label of the winner on a running server, and what each version weighs alone."""

from __future__ import annotations

import json

import pytest
from command_line import run

from clients import costs, promotion
from clients.client import Client
from clients.connection import Connection
from model_config import base_path, server_config
from model_config.errors import ServeError
from model_config.places import bundle_folder


@pytest.fixture(scope="module")
def served(repository, tmp_path_factory):
    """A server of its own, as its labels will move; gives its address and the folder it was started from."""
    from serving import address

    port, folder = address.free_ports(), tmp_path_factory.mktemp("promoted")
    up = ("serving", "up", "--model", "tiny", "--version", 1, "--version", 2, "--repository", repository)
    done = run(*up, "--backend", "embedded", "--port", port, "--detach", cwd=folder)
    assert done.returncode == 0, done.stderr
    yield f"{address.LOCAL}:{port}", folder
    assert run("serving", "down", "--port", port, cwd=folder).returncode == 0


def test_stable_moves_and_the_other_labels_stay(served, repository, monkeypatch):
    server, folder = served
    monkeypatch.chdir(folder)
    with Client(Connection(server)) as client:
        assert client.version_of("tiny", "stable") == 1
        said = promotion.promote(client, repository, "tiny", 2)
        again = promotion.promote(client, repository, "tiny", 2)

        assert said == f"stable is now version 2 of tiny on {server}"
        assert again == f"stable is version 2 of tiny on {server} already"
        assert client.version_of("tiny", "stable") == client.version_of("tiny", "quantized_weights") == 2
        assert client.version_of("tiny", "original") == 1
    written = server_config.read(bundle_folder(int(server.rpartition(":")[2])) / server_config.FILE)
    assert written[0].labels["stable"] == 2


def test_it_is_refused_where_the_servers_config_is_not_known(served, repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # nothing was started from here
    with Client(Connection(served[0])) as client:
        before = client.version_of("tiny", "stable")
        with pytest.raises(ServeError, match=r"python -m serving swap .* --label stable=1"):
            promotion.promote(client, repository, "tiny", 1)

        assert client.version_of("tiny", "stable") == before


def test_a_version_is_weighed_alone_and_known_until_it_is_built_again(repository, tmp_path):
    weigh = ("serving", "weigh", "--model", "tiny", "--version", 2, "--repository", repository, "--backend", "embedded")
    done = run(*weigh, "--output", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    versions = base_path.scan(repository, "tiny")
    found = costs.of(versions, "tiny", "", tmp_path)

    assert done.stdout.startswith("version 2: loads in ")
    assert found[2].memory_bytes > 100_000_000  # TensorFlow itself
    assert 0 < found[2].load_seconds < 60
    assert (found[1].memory_bytes, found[1].load_seconds) == (None, None)
    assert not list((tmp_path / ".serving").glob("*"))

    written = json.loads((tmp_path / costs.WEIGHED).read_text())
    written["versions"]["2"]["key"] = "another build's"
    (tmp_path / costs.WEIGHED).write_text(json.dumps(written))
    assert costs.of(versions, "tiny", "", tmp_path)[2].memory_bytes is None
