"""``model_config fetch`` and ``make fetch``: a model with its data, by their names in models.yaml."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml
from command_line import assert_one_sentence, make, run
from publisher import CONTENT, PIECE, SHA256, zipped

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def file(publisher, tmp_path):
    """A models file with a model, its data set, and one that no program may fetch."""
    publisher.files["/data.zip"] = zipped([("val/one.jpg", b"1"), ("labels.json", b"{}")])
    entries = {
        "models": {
            "net": {
                "source": "sources/net/model.pb",
                "data": "data/pictures",
                "calibration": {"path": "data/secret/images"},
                "fetch": {"files": [{"url": publisher.url("/model.pb"), "sha256": SHA256}]},
            },
            "bare": {"source": "mine.pb"},
        },
        "datasets": {
            "pictures": {"files": [{"url": publisher.url("/data.zip"), "unpack": {"val": "images"}}]},
            "secret": {"by_hand": "register at https://some.where/"},
        },
    }
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(entries))
    return tmp_path / "models.yaml"


def test_the_command_fetches_a_model_and_what_it_is_compared_on(file, tmp_path):
    done = run("model_config", "fetch", "net", "--models", file, "--json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "sources/net": "fetched",
        "data/pictures": "fetched",
        "data/secret": "to be fetched by hand",
    }
    assert (tmp_path / "sources" / "net" / "model.pb").read_bytes() == CONTENT
    assert (tmp_path / "data" / "pictures" / "images" / "one.jpg").read_bytes() == b"1"
    assert "register at https://some.where/" in done.stderr
    assert "data/pictures.lock.json" in done.stderr


def test_make_fetch_can_leave_the_data_out(file, tmp_path):
    printed = make("fetch", "MODEL=net", f"OPTIONS=--no-data --models {file}", cwd=tmp_path)

    assert "sources/net: fetched" in printed
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("secret", ("cannot be fetched by a program", "register at")),
        ("bare", ("nothing says where bare is fetched from", "mine.pb")),
        ("nett", ("no model or data set is called 'nett'", "did you mean 'net'")),
    ],
)
def test_what_cannot_be_fetched_is_one_sentence(file, tmp_path, name, words):
    assert_one_sentence(run("model_config", "fetch", name, "--models", file, cwd=tmp_path), *words)


def test_ctrl_c_keeps_what_has_come(file, publisher, tmp_path):
    publisher.cut = [4 * PIECE, *[0] * 50]
    command = [sys.executable, "-m", "model_config", "fetch", "net", "--models", str(file)]
    child = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    waiting = tmp_path / ".cache" / "fetch"
    while not any(path.stat().st_size == 4 * PIECE for path in waiting.glob("*.part")):
        assert child.poll() is None
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGINT)

    assert "it goes on where it stopped" in child.communicate(timeout=30)[1]
    assert child.returncode == 130
    assert not (tmp_path / "sources").exists()
    publisher.cut = []
    assert run("model_config", "fetch", "net", "--models", file, cwd=tmp_path).returncode == 0
    assert ("/model.pb", f"bytes={4 * PIECE}-") in publisher.asked
