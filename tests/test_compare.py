"""The comparison of real answers from a real server: speed, costs, goals, the label that moves, the exit code."""

from __future__ import annotations

import json

import pytest
from command_line import assert_one_sentence, run
from test_accuracy import folder  # two labelled pictures

from clients.compare.telling import NONE_FITS

COMPARE = ("clients", "compare", "--model", "tiny", "--version", 1, "--version", 2, "--requests", 20, "--warm-up", 2)
BRIEFLY = ("--seconds", 0.2)
KEPT = {"version", "recipe", "size_bytes", "p50_ms", "p90_ms", "p99_ms", "images_per_s", "metric", "agreement"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two labelled pictures, for the whole module."""
    return folder.__wrapped__(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def written(server, repository, data, tmp_path_factory):
    """What one comparison printed, and its folder."""
    out = tmp_path_factory.mktemp("compared") / "out"
    given = ("--server", server, "--repository", repository, "--data", data, "--output", out)
    done = run(*COMPARE, *given, *BRIEFLY, "--batch", "1,2", "--concurrency", 1, "--goal", "size:threshold=1e9")
    assert done.returncode == 0, done.stderr
    return done, out


@pytest.fixture(scope="module")
def summary(written):
    return json.loads((written[1] / "summary.json").read_text())


def test_summary_and_table_say_the_same(written, summary):
    rows = summary["rows"]

    assert [(row["version"], row["recipe"]) for row in rows] == [(1, "original"), (2, "quantized_weights")]
    for row in rows:
        assert set(row) >= KEPT
        assert f"{row['metric']['value']:.3f}" in written[0].stdout
    assert rows[0]["agreement"] == 1.0
    assert rows[1]["size_bytes"] < rows[0]["size_bytes"]
    assert max(map(len, map(str.rstrip, written[0].stdout.splitlines()[1:10]))) <= 100


def test_every_load_was_put_on_every_version_the_smallest_first(summary):
    for row in summary["rows"]:
        loads = [(load["batch"], load["concurrency"]) for load in row["loads"]]
        assert loads == [(1, 1), (2, 1)]
        assert row["loads"][0]["requests"] == 20
        assert row["p50_ms"] == row["loads"][0]["p50_ms"]
        assert row["images_per_s"] == max(load["images_per_s"] for load in row["loads"])
        assert all(sum(count for *_, count in load["latencies"]) == load["requests"] for load in row["loads"])


def test_the_samples_give_the_same_figures_again(written, summary):
    again = json.loads(run("clients", "bench", "--from", written[1] / "samples.jsonl", "--json").stdout)["rows"]
    ours = {
        (each["version"], load["batch"], load["concurrency"]): load
        for each in summary["rows"]
        for load in each["loads"]
    }

    assert len(again) == len(ours) == 4
    for row in again:
        assert ours[row["version"], row["batch"], row["concurrency"]]["images_per_s"] == row["images_per_s"]


def test_the_server_tells_how_long_each_version_took_to_load(summary):
    assert all(row["load_seconds"] > 0 for row in summary["rows"])


def test_the_page_names_the_commands_that_lead_to_it(written):
    text = (written[1] / "report.html").read_text()

    assert "python -m converters build tiny --version 1 --version 2" in text
    assert "python -m clients compare --model tiny" in text
    assert f"Ship version {json.loads((written[1] / 'summary.json').read_text())['verdict']['winner']} (" in text


def compared(server, repository, data, out, *more):
    given = ("--server", server, "--repository", repository, "--data", data, "--output", out)
    return run(*COMPARE, *given, *BRIEFLY, "--batch", 1, "--concurrency", 1, *more)


def test_the_exit_code_is_three_when_no_version_meets_the_goals(server, data, tmp_path):
    done = compared(server, tmp_path / "elsewhere", data, tmp_path, "--goal", "accuracy:threshold=2", "--json")

    assert done.returncode == NONE_FITS == 3
    found = json.loads(done.stdout)
    assert found["verdict"]["winner"] is None
    assert found["verdict"]["sentence"].startswith("No version meets every goal. Nearest is version")
    assert found == json.loads((tmp_path / "summary.json").read_text())
    # nor does anybody know here what they were made of
    assert [(row["recipe"], row["size_bytes"]) for row in found["rows"]] == [("unknown", None)] * 2


def test_the_most_under_a_bound_decides_where_one_is_given(server, repository, data, tmp_path):
    done = compared(server, repository, data, tmp_path, "--slo-p99", "0.001ms", "--format", "json")
    rows = json.loads(done.stdout)["rows"]

    assert done.returncode == NONE_FITS
    for row in rows:
        assert row["images_per_s_at_bound"] is None
        assert row["loads"][-1]["slo"] == {"bound_ms": 0.001, "percent": 99.0, "kept": False, "tried": []}


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        ("acuracy:threshold=1", "did you mean 'accuracy'"),
        ("p99:treshold=1", "did you mean 'threshold'"),
        ("p99:threshold=fast", "gives no number"),
        ("size:max-degradation=-1", "greater than or equal to 0"),
        ("size:priority=2", "a goal needs one of max-degradation"),
    ],
)
def test_a_goal_that_is_none_is_told_before_anything_is_asked(goal, words):
    assert_one_sentence(run(*COMPARE, "--server", "127.0.0.1:1", "--goal", goal), words)


def test_without_data_it_says_where_to_name_it(server):
    assert_one_sentence(run(*COMPARE, "--server", server), "--data")


def test_data_that_nobody_has_fetched_is_told_with_the_way_to_it(tmp_path):
    done = run("clients", "compare", "--server", "127.0.0.1:1", "--model", "mnist", "--version", 1, cwd=tmp_path)

    assert_one_sentence(done, "nobody has fetched data/mnist_t10k yet", "make fetch MODEL=mnist", "--data")


def test_a_version_that_is_not_served_writes_nothing(server, data, tmp_path):
    arguments = ("--server", server, "--version", 7, "--data", data, "--output", tmp_path / "out")

    assert_one_sentence(run(*COMPARE, *arguments), "does not serve version 7")
    assert not (tmp_path / "out" / "summary.json").exists()
