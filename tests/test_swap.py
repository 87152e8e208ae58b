"""A running server is made to serve other versions: nothing is lost, and what fails changes nothing."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tiny
from command_line import assert_one_sentence, run

from clients.client import Client, predict_request
from model_config import server_config
from serving import address, notes, swap
from serving.ready import Target
from serving.swapping import as_served

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """Versions 1, 2 and 4 of dense, a version 3 that no server can load, and another model."""
    folder = tmp_path_factory.mktemp("models")
    first = tiny.save_dense(folder / "dense" / "1")
    for number in (2, 3, 4):
        shutil.copytree(first, folder / "dense" / str(number))
    shutil.copytree(first, folder / "other" / "1")
    graph = folder / "dense" / "3" / "saved_model.pb"
    graph.write_bytes(b"\xff" * graph.stat().st_size)
    return folder


@pytest.fixture(scope="module")
def home(models, tmp_path_factory) -> Path:
    """The folder in which a user has started a server over version 1 of dense and the other model."""
    folder = tmp_path_factory.mktemp("home")
    for model in ("other", "dense"):
        used = run("model_config", "use", model, "--version", 1, "--repository", models, cwd=folder)
        assert used.returncode == 0, used.stderr
    port, rest_port = address.free_port(), address.free_port()
    up = ("serving", "up", "--backend", "embedded", "--repository", models, "--detach")
    done = run(*up, "--port", port, "--rest-port", rest_port, cwd=folder)
    assert done.returncode == 0, done.stderr
    yield folder
    assert run("serving", "down", "--all", cwd=folder).returncode == 0


@pytest.fixture
def server(home, monkeypatch) -> str:
    monkeypatch.chdir(home)
    (running,) = notes.all_noted()
    return running.server


@pytest.fixture
def swapped(home, server):
    """The command, in that folder."""

    def swapped(*arguments):
        return run("serving", "swap", "--server", server, "--model", "dense", *arguments, cwd=home)

    return swapped


def available(server: str, model: str = "dense") -> set[int]:
    with Client(server) as client:
        return {state.version for state in client.status(model) if state.state == "AVAILABLE"}


def test_a_swap_leaves_just_the_wanted_versions_and_other_models_alone(swapped, server):
    done = swapped("--version", 2, "--version", 4, "--label", "canary=4")

    assert done.stdout == f"serving: other 1; dense 2, 4 on {server}\n"
    assert available(server) == {2, 4}
    assert available(server, "other") == {1}
    with Client(server) as client:
        assert [client.version_of("dense", label) for label in ("stable", "canary", None)] == [2, 4, 4]


@pytest.mark.parametrize("how", [(), ("--replace",)], ids=["beside", "replacing"])
def test_a_version_that_cannot_be_loaded_is_named_and_changes_nothing(swapped, server, how):
    before = available(server)
    done = swapped("--version", 3, *how)

    assert_one_sentence(done, "version 3 of dense cannot be served: Read less bytes", "nothing has changed")
    assert available(server) == before
    assert available(server, "other") == {1}


def test_a_mended_version_is_served_though_it_failed_before(swapped, server, models):
    graph = models / "dense" / "3" / "saved_model.pb"
    broken = graph.read_bytes()
    assert swapped("--version", 3).returncode == 1
    graph.write_bytes((models / "dense" / "1" / "saved_model.pb").read_bytes())
    try:
        assert swapped("--version", 3).returncode == 0
        assert available(server) == {3}
        assert swapped("--version", 1).returncode == 0
    finally:
        graph.write_bytes(broken)


def test_a_version_that_is_not_built_is_one_sentence(swapped):
    assert_one_sentence(swapped("--version", 9), "version 9 of dense is not built, only 1, 2, 3, 4")


def test_where_memory_does_not_hold_both_the_old_go_first(swapped, server):
    assert swapped("--version", 2, "--replace").returncode == 0
    assert available(server) == {2}


def test_what_use_has_chosen_is_taken_up(home, server, models):
    run("model_config", "use", "dense", "--version", 4, "--repository", models, cwd=home)
    done = run("serving", "swap", "--server", server, cwd=home)

    assert done.stdout == f"serving: other 1; dense 4 on {server}\n"


def test_a_server_that_was_not_started_here_is_swapped_by_the_config_on_disk(server, models, tmp_path):
    swap = ("serving", "swap", "--server", server, "--repository", models)
    done = run(*swap, "--model", "dense", "--version", 2, cwd=tmp_path)

    assert done.stdout == f"serving: other 1; dense 2 on {server}\n"
    assert available(server) == {2}
    assert [each.versions for each in server_config.read(models / server_config.FILE)] == [(1,), (2,)]


def test_versions_with_names_of_their_own_keep_them(home, server, models, tmp_path):
    served = ("serving", "swap", "--server", server, "--repository", models, "--model", "dense")
    apart = run(*served, "--version", 1, "--apart", cwd=tmp_path)
    later = run(*served, "--version", 2, cwd=tmp_path)
    assert available(server, "dense_v2") == {2}
    assert available(server, "dense_v1") == set()
    run("model_config", "use", "dense", "--version", 2, "--repository", models)
    together = run("serving", "swap", "--server", server, "--repository", models, cwd=tmp_path)

    assert apart.stdout == f"serving: other 1; dense_v1 1 on {server}\n"
    assert later.stdout == f"serving: other 1; dense_v2 2 on {server}\n"
    assert together.stdout == f"serving: other 1; dense 2 on {server}\n"


FULL_DISK = """
folder=$1; shift
cp -r $folder $folder.copy && mount -t tmpfs -o size=64k tmpfs $folder || exit 99
cp -r $folder.copy/. $folder; cat /dev/zero > $folder/fill 2>/dev/null
"$@"
"""


def test_a_full_disk_is_one_sentence_and_changes_nothing(home, server, swapped):
    assert swapped("--version", 1).returncode == 0
    command = [sys.executable, "-m", "serving", "swap", "--server", server, "--model", "dense", "--version", "2"]
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    folder = f".serving/{server.rpartition(':')[2]}"
    try:
        done = subprocess.run(
            [*alone, "sh", "-c", FULL_DISK, "sh", folder, *command], cwd=home, capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("this system has no unshare")
    if done.returncode == 99 or done.stderr.startswith("unshare: "):
        pytest.skip("mounting is not permitted here")

    assert_one_sentence(done, "no space is left on the disk", "free some")
    assert available(server) == {1}
    assert swapped("--version", 2).returncode == 0


@pytest.mark.parametrize(
    "command", [("status",), ("swap", "--version", 2), ("wait", "--version", 1)], ids=lambda c: c[0]
)
def test_a_server_that_was_killed_is_told_at_once(tmp_path, models, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    port = address.free_port()
    running = notes.Running(
        ended.pid, port, port + 1, address.LOCAL, "embedded", "", {"dense": (1,)}, str(models), str(models)
    )
    Path(".serving", str(port)).mkdir(parents=True)
    notes.note(running)
    done = run("serving", command[0], "--server", running.server, "--model", "dense", *command[1:], cwd=tmp_path)

    assert_one_sentence(done, f"started here at {running.server} was killed", "start it again", f"down --port {port}")


def test_a_root_that_is_not_the_servers_is_one_sentence_and_changes_nothing(server, models, tmp_path):
    before = available(server)
    swap = ("serving", "swap", "--server", server, "--repository", models, "--root", "/nowhere")
    done = run(*swap, "--model", "dense", "--version", 4, cwd=tmp_path)

    assert_one_sentence(done, "did not take up the config", "/nowhere/")
    assert available(server) == before


@pytest.mark.slow
def test_fifty_swaps_under_load_lose_no_request(server, models):
    target = Target(server, models)
    choices = [server_config.choose(models, "dense", [number], {}) for number in (1, 2)]
    other = server_config.choose(models, "other", [1], {})
    stop, answered = threading.Event(), set()

    def ask(place):
        request = predict_request("dense", {"x": X})
        if place % 2:
            request.model_spec.version_label = "stable"
        with Client(server) as client:
            while not stop.is_set():
                answered.add(client.ask(request).version)

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, place) for place in range(4)]
        try:
            with target.client(10) as client:
                now = [as_served(client, choices[0])]
            for wanted in itertools.islice(itertools.cycle(choices), 50):
                swap.beside(swap.Swap(target, [other, *now], [other, wanted], 60))
                now = [wanted]
        finally:
            stop.set()
        for each in asking:
            each.result()

    assert answered >= {1, 2}
    assert available(server) == {2}
