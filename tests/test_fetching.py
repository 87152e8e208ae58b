"""Models and data sets from a publisher's server: whole or absent, whatever the network and the archive do."""

from __future__ import annotations

import json

import pytest
from publisher import CONTENT, PIECE, SHA256, fetched

from model_config import models
from model_config.downloads import Download
from model_config.errors import SuiteError
from model_config.fetching import fetch as fetching

pytestmark = pytest.mark.usefixtures("elsewhere")


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


def test_what_had_come_whole_when_its_run_was_killed_is_not_asked_for_again(publisher, tmp_path):
    publisher.cut = [3 * PIECE, *[0] * 20]
    with pytest.raises(SuiteError):
        fetched(tmp_path, {"url": publisher.url("/model.pb"), "sha256": SHA256})
    (part,) = (tmp_path / ".cache" / "fetch").glob("*.part")
    part.write_bytes(CONTENT)
    asked = len(publisher.asked)

    folder, _, _ = fetched(tmp_path, {"url": publisher.url("/model.pb"), "sha256": SHA256})
    assert (folder / "model.pb").read_bytes() == CONTENT
    assert len(publisher.asked) == asked


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
