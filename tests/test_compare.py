"""The comparison of real answers from a real server, as a table, a file and a page."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from command_line import assert_one_sentence, run
from test_accuracy import folder  # noqa: F401 - two labelled pictures

from clients.report import table

COMPARE = ("clients", "compare", "--model", "tiny", "--version", 1, "--version", 2, "--requests", 20, "--warm-up", 2)
ROW = {"version", "recipe", "size_bytes", "p50_ms", "p90_ms", "p99_ms", "images_per_s", "metric", "agreement"}


@pytest.fixture
def written(server, repository, folder, tmp_path):  # noqa: F811
    arguments = ("--server", server, "--repository", repository, "--data", folder, "--output", tmp_path / "out")
    done = run(*COMPARE, *arguments)
    assert done.returncode == 0, done.stderr
    return done, tmp_path / "out"


class Page(HTMLParser):
    """What of a page matters here: its tags stand in order, and these are its cells and pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str]] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.links += [value for key, value in attrs if key in ("src", "href")]
        if tag == "img":
            self.images.append(values)
        if tag not in ("img", "meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_summary_and_table_say_the_same(written):
    done, folder = written  # noqa: F811
    rows = json.loads((folder / "summary.json").read_text())["rows"]

    assert [row["version"] for row in rows] == [1, 2]
    assert [row["recipe"] for row in rows] == ["original", "quantized_weights"]
    for row in rows:
        assert set(row) >= ROW
        assert row["metric"]["name"] == "mAP"
        assert f"{row['metric']['value']:.3f}" in done.stdout
    assert rows[0]["agreement"] == 1.0
    assert rows[1]["size_bytes"] < rows[0]["size_bytes"]


def test_the_table_fits_eighty_columns(written):
    assert max(map(len, map(str.rstrip, written[0].stdout.splitlines()))) <= 80


@pytest.mark.parametrize(
    ("number", "words"), [(0.1234, "0.12"), (1.0, "1.00"), (12.345, "12.3"), (123.4, "123"), (12345.6, "12346")]
)
def test_numbers_show_the_digits_that_matter(number, words):
    row = {"version": 1, "recipe": "r", "size_bytes": number * 1e6, "metric": {"name": "m", "value": 0}, "agreement": 1}
    times = dict.fromkeys(("p50_ms", "p90_ms", "p99_ms", "images_per_s"), number)

    assert table.cells({**row, **times})[2:7] == [words] * 5


def test_the_page_stands_alone_and_shows_every_version_beside_the_truth(written):
    text = (written[1] / "report.html").read_text()
    page = Page()
    page.feed(text)

    assert page.open == []
    assert all(link.startswith("data:") for link in page.links)
    captions = [re.match(r"[^:]*", image["alt"])[0] for image in page.images]
    assert captions == ["ground truth", "1 original", "2 quantized_weights"] * 2
    for image in page.images:
        content = base64.b64decode(image["src"].partition(",")[2])
        assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) is not None
    assert "Version 2 (quantized_weights) has" in text
    assert "python -m clients compare --model tiny" in text


def test_json_prints_the_rows(server, repository, folder, tmp_path):  # noqa: F811
    arguments = (
        "--server",
        server,
        "--repository",
        repository,
        "--data",
        folder,
        "--output",
        tmp_path / "out",
        "--json",
    )
    rows = json.loads(run(*COMPARE, *arguments).stdout)

    assert rows == json.loads((tmp_path / "out" / "summary.json").read_text())["rows"]


def test_without_the_versions_folders_size_and_recipe_are_unknown(server, folder, tmp_path):  # noqa: F811
    arguments = ("--server", server, "--repository", tmp_path, "--data", folder, "--output", tmp_path / "out", "--json")
    rows = json.loads(run(*COMPARE, *arguments).stdout)

    assert [(row["recipe"], row["size_bytes"]) for row in rows] == [("unknown", None)] * 2


def test_without_data_it_says_where_to_name_it(server):
    assert_one_sentence(run(*COMPARE, "--server", server), "--data")


def test_a_version_that_is_not_served_writes_nothing(server, folder, tmp_path):  # noqa: F811
    arguments = ("--server", server, "--version", 7, "--data", folder, "--output", tmp_path / "out")

    assert_one_sentence(run(*COMPARE, *arguments), "does not serve version 7")
    assert not (tmp_path / "out").exists()
