"""Models and data sets from a publisher's server: whole or absent, whatever the network and the archive do."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile

import numpy as np
import pytest
import yaml
from command_line import assert_one_sentence, make, run
from publisher import publishing

from model_config import models
from model_config.downloads import Download, Fetch
from model_config.errors import SuiteError
from model_config.fetching import fetch as fetching
from model_config.fetching.fetch import Wanted, fetch

CONTENT = np.random.default_rng(3).bytes(700_000)
PIECE = 65_536  # what came of the piece that broke is asked for again
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Heard:
    """Keeps what it is told."""

    def __init__(self):
        self.counts, self.remarks = [], []

    def bytes(self, name, have, total):
        self.counts.append((have, total))

    def remark(self, text):
        self.remarks.append(text)


@pytest.fixture
def publisher():
    with publishing() as server:
        server.files["/model.pb"] = CONTENT
        yield server


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Downloads and folders are where the command runs."""
    monkeypatch.chdir(tmp_path)


def wanted(folder, *files):
    return Wanted("m", Fetch(files=tuple(Download(**each) for each in files), homepage="https://home.page/"), folder)


def fetched(tmp_path, *files, again=False):
    heard = Heard()
    done = fetch(wanted(tmp_path / "sources" / "m", *files), heard, again)
    return tmp_path / "sources" / "m", done, heard


def test_a_file_comes_whole_with_progress(publisher, tmp_path):
    folder, done, heard = fetched(tmp_path, {"url": publisher.url("/model.pb"), "sha256": SHA256})

    assert done == "fetched"
    assert (folder / "model.pb").read_bytes() == CONTENT
    assert heard.counts[0] == (0, len(CONTENT))
    assert heard.counts[-1] == (len(CONTENT), len(CONTENT))
    assert heard.remarks == []
    assert list((tmp_path / ".cache" / "fetch").iterdir()) == []


def test_what_broke_goes_on_where_it_stopped(publisher, tmp_path):
    publisher.cut = [3 * PIECE + 7, 4 * PIECE]
    folder, _, _ = fetched(tmp_path, {"url": publisher.url("/model.pb"), "sha256": SHA256})

    assert (folder / "model.pb").read_bytes() == CONTENT
    assert [asked for _, asked in publisher.asked] == [None, f"bytes={3 * PIECE}-", f"bytes={7 * PIECE}-"]


def test_a_later_run_goes_on_too(publisher, tmp_path):
    publisher.cut = [3 * PIECE, *[0] * 20]
    with pytest.raises(SuiteError, match=r"goes on after the 0\.2 MB"):
        fetched(tmp_path, {"url": publisher.url("/model.pb"), "sha256": SHA256})
    assert not (tmp_path / "sources").exists()

    publisher.cut = []
    folder, _, _ = fetched(tmp_path, {"url": publisher.url("/model.pb"), "sha256": SHA256})
    assert (folder / "model.pb").read_bytes() == CONTENT
    assert publisher.asked[-1] == ("/model.pb", f"bytes={3 * PIECE}-")


def test_parts_of_two_states_of_a_file_are_not_put_together(publisher, tmp_path):
    publisher.cut = [3 * PIECE, *[0] * 20]
    with pytest.raises(SuiteError):
        fetched(tmp_path, {"url": publisher.url("/model.pb")})
    publisher.cut, publisher.files["/model.pb"] = [], CONTENT[::-1]
    folder, _, _ = fetched(tmp_path, {"url": publisher.url("/model.pb")})

    assert (folder / "model.pb").read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_begins_anew(publisher, tmp_path):
    publisher.ranges, publisher.cut = False, [200_000]
    folder, _, _ = fetched(tmp_path, {"url": publisher.url("/model.pb"), "sha256": SHA256})

    assert (folder / "model.pb").read_bytes() == CONTENT
    assert [asked for _, asked in publisher.asked] == [None, None]


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_wrong_checksum_leaves_nothing(publisher, tmp_path, kind):
    with pytest.raises(SuiteError, match=f"came with {kind} .* instead of 0000"):
        fetched(tmp_path, {"url": publisher.url("/model.pb"), kind: "0" * (64 if kind == "sha256" else 32)})

    assert not (tmp_path / "sources").exists()
    assert list((tmp_path / ".cache" / "fetch").iterdir()) == []


def test_another_size_than_is_known_is_refused_before_it_comes(publisher, tmp_path):
    with pytest.raises(SuiteError, match="has 700000 bytes, but 5 are known"):
        fetched(tmp_path, {"url": publisher.url("/model.pb"), "size": 5})


def test_the_first_fetch_is_held_against_later_ones_where_nobody_publishes_a_checksum(publisher, tmp_path):
    file = {"url": publisher.url("/model.pb")}
    folder, _, heard = fetched(tmp_path, file)
    lock = tmp_path / "sources" / "m.lock.json"
    assert json.loads(lock.read_text()) == {file["url"]: {"sha256": SHA256, "size": len(CONTENT)}}
    assert str(lock) in heard.remarks[0]

    assert fetched(tmp_path, file, again=True)[2].remarks == []
    publisher.files["/model.pb"] = CONTENT[::-1]
    with pytest.raises(SuiteError, match=r"not with \w+ as the first time"):
        fetched(tmp_path, file, again=True)
    assert (folder / "model.pb").read_bytes() == CONTENT  # the former one stays


def test_what_is_there_is_not_fetched_again(publisher, tmp_path):
    file = {"url": publisher.url("/model.pb"), "sha256": SHA256}
    fetched(tmp_path, file)
    asked = len(publisher.asked)

    assert fetched(tmp_path, file)[1] == "there already"
    assert len(publisher.asked) == asked
    assert fetched(tmp_path, file, again=True)[1] == "fetched"


def test_a_users_own_folder_is_left_alone(publisher, tmp_path):
    own = tmp_path / "sources" / "m"
    own.mkdir(parents=True)
    (own / "mine.pb").write_text("mine")
    file = {"url": publisher.url("/model.pb")}

    assert fetched(tmp_path, file)[1] == "there already, and left as it is"
    with pytest.raises(SuiteError, match="move it away"):
        fetched(tmp_path, file, again=True)
    assert (own / "mine.pb").read_text() == "mine"


def test_a_file_brought_by_other_means_is_taken(publisher, tmp_path):
    file = Download(url=publisher.url("/gone.pb"), sha256=SHA256)
    by_hand = fetching.waiting(file)
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(CONTENT)
    folder, _, _ = fetched(tmp_path, {"url": file.url, "sha256": SHA256})

    assert (folder / "gone.pb").read_bytes() == CONTENT
    assert publisher.asked == []


@pytest.mark.parametrize(
    ("code", "words"),
    [(404, "not there any longer"), (410, "https://home.page/"), (403, "in a browser"), (503, "answered 503")],
)
def test_a_refusal_is_one_sentence(publisher, tmp_path, code, words):
    publisher.answers["/model.pb"] = code
    with pytest.raises(SuiteError, match=words):
        fetched(tmp_path, {"url": publisher.url("/model.pb")})

    assert not (tmp_path / "sources").exists()


def test_a_web_page_is_no_model(publisher, tmp_path):
    publisher.kind = "text/html; charset=utf-8"
    with pytest.raises(SuiteError, match="answered with a web page"):
        fetched(tmp_path, {"url": publisher.url("/model.pb")})


def test_without_a_network_it_says_where_to_put_the_file(tmp_path):
    with pytest.raises(SuiteError, match=r"Connection refused.*\.cache/fetch/\w+-model\.pb"):
        fetched(tmp_path, {"url": "http://127.0.0.1:9/model.pb"})


def test_a_file_larger_than_the_disk_is_refused_before_it_comes(publisher, tmp_path):
    publisher.claims = 1 << 60
    with pytest.raises(SuiteError, match="are free there"):
        fetched(tmp_path, {"url": publisher.url("/model.pb")})


def tar(members, mode="w:gz"):
    """An archive of (TarInfo or name, content)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for info, content in members:
            info = tarfile.TarInfo(info) if isinstance(info, str) else info
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


MEMBERS = [("top/saved_model/saved_model.pb", b"graph"), ("top/saved_model/variables/v.index", b"v"), ("top/x", b"x")]


@pytest.mark.parametrize("pack", [tar, zipped, lambda members: tar(members, "w:bz2")])
def test_only_what_is_wanted_comes_out_of_an_archive(publisher, tmp_path, pack):
    publisher.files["/model.archive"] = pack(MEMBERS)
    file = {"url": publisher.url("/model.archive"), "unpack": {"*/saved_model": "saved_model", "top/x": "notes/y"}}
    folder, _, _ = fetched(tmp_path, file)

    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"saved_model/saved_model.pb", "saved_model/variables/v.index", "notes/y", "fetched.json"}


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


HOSTILE = {
    "climbs": (tar([("a", b"1"), ("../../evil", b"2")]), "outside its folder"),
    "absolute": (tar([("/tmp/evil", b"2")]), "outside its folder"),
    "zip climbs": (zipped([("a/../../evil", b"2")]), "outside its folder"),
    "link out": (tar([(link("a", "/etc"), b""), ("a/passwd", b"2")]), "link or device"),
    "hard link": (tar([(link("a", "/etc/passwd", tarfile.LNKTYPE), b"")]), "link or device"),
    "device": (tar([(link("a", "", tarfile.CHRTYPE), b"")]), "link or device"),
    "zip link": (zipped([(zip_link("a"), "/etc/passwd")]), "link or device"),
    "twice": (tar([("a", b"1"), ("a", b"2")]), "twice"),
    "file as folder": (tar([("a", b"1"), ("a/b", b"2")]), "twice"),
    "bomb": (tar([("a", bytes(40_000_000))]), "times"),
    "no archive": (b"<html>log in</html>", "neither a zip nor a tar"),
    "truncated": (tar([("a", CONTENT)])[:100_000], "damaged"),
    "lacking": (tar([("b", b"1")]), "holds no a"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_or_broken_archive_leaves_nothing(publisher, tmp_path, name):
    content, words = HOSTILE[name]
    publisher.files["/archive"] = content
    with pytest.raises(SuiteError, match=words):
        fetched(tmp_path, {"url": publisher.url("/archive"), "unpack": {"a": "a"}})

    assert not (tmp_path / "sources").exists()  # nor is its checksum remembered
    assert list((tmp_path / ".cache" / "fetch").iterdir()) == []
    assert not list(tmp_path.rglob("evil"))


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


@pytest.mark.parametrize(
    ("fetch_", "words"),
    [
        ({}, "by_hand"),
        ({"files": [{"url": "ftp://a/b"}]}, "fetch.files.0.url"),
        ({"files": [{"url": "http://a/b", "sha256": "x"}]}, "fetch.files.0.sha256"),
        ({"files": [{"url": "http://a/b", "unpack": {"a": "../b"}}]}, "inside the folder"),
        ({"files": [{"url": "http://a/b", "md": 3}]}, "did you mean 'md5'"),
    ],
)
def test_a_wrong_entry_is_named(fetch_, words):
    with pytest.raises(SuiteError, match=words):
        models.parse("m", {"source": "x", "fetch": fetch_}, "file: models.m")
