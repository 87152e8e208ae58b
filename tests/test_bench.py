"""The bench command against a real server: figures, files, and what happens when it is interrupted."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from command_line import assert_one_sentence, run

SIZE = ("--size", "48x64")
_SAMPLE_BYTES = 32  # of a request in a worker's file
POINT = {
    "version",
    "batch",
    "concurrency",
    "rate",
    "scenario",
    "requests",
    "verdict",
    "doubts",
    "errors",
    "client",
    "warm_up",
}


def bench(server, *arguments, **kwargs):
    return run("clients", "bench", "--server", server, "--model", "tiny", *arguments, **kwargs)


def rows(done) -> list[dict]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["rows"]


def test_bench_measures_every_version(server, picture_file):
    arguments = ("--version", 1, "--version", 2, "--image", picture_file, "--requests", 30)
    found = rows(bench(server, *arguments, "--batch", 2, "--concurrency", 2, "--json"))

    assert [row["version"] for row in found] == [1, 2]
    for row in found:
        assert row["requests"] == 30
        assert row["errors"] == {}
        assert 0 < row["p50_ms"] <= row["max_ms"]
        assert row["p90_ms"] is row["p99_ms"] is None
        assert row["verdict"] == "INVALID"
        assert "p99 rests on 30 requests and wants 459" in row["doubts"]
        assert len(row["client"]["workers"]) == 1


def test_a_sweep_is_one_row_a_point_and_its_samples_give_the_same_rows_again(server, tmp_path):
    file = tmp_path / "samples.jsonl"
    sweep = ("--version", "1,2", *SIZE, "--concurrency", "1,2", "--rate", 200, "--requests", 50, "--warm-up", 5)
    found = rows(bench(server, *sweep, "--output", file, "--json"))
    again = run("clients", "bench", "--from", file, "--json")

    assert len(found) == 2 * 3
    assert all(set(row) >= POINT for row in found)
    assert all(row["p90_ms"] is not None for row in found)
    assert rows(again) == found
    environment = json.loads(file.read_text().splitlines()[0])["environment"]
    assert {"processor", "cores", "python"} <= set(environment)


def test_a_broken_off_sweep_goes_on_where_it_ended(server, tmp_path):
    file = tmp_path / "samples.jsonl"
    first = rows(bench(server, "--version", 1, *SIZE, "--requests", 20, "--output", file, "--json"))
    done = bench(server, "--version", "1,2", *SIZE, "--requests", 20, "--output", file, "--json")
    both = rows(done)

    assert both[0] == first[0]
    assert [row["version"] for row in both] == [1, 2]
    assert "not measured again" in done.stderr


def test_recorded_inputs_are_asked(server, tmp_path):
    np.savez(tmp_path / "data.npz", inputs=np.zeros((3, 48, 64, 3), np.uint8))
    (row,) = rows(bench(server, "--data", tmp_path / "data.npz", "--batch", 2, "--requests", 10, "--json"))

    assert row["version"] is None
    assert row["errors"] == {}


def test_the_requests_that_a_version_is_warmed_up_with_are_asked(server, repository):
    (records,) = (repository / "tiny" / "1").glob("assets.extra/*requests")
    (row,) = rows(bench(server, "--version", 1, "--data", records, "--batch", 2, "--requests", 10, "--json"))

    assert (row["batch"], row["requests"], row["errors"]) == (2, 10, {})


def test_recorded_inputs_that_do_not_fit_are_refused_before_any_load(server, tmp_path):
    np.savez(tmp_path / "data.npz", other=np.zeros((3, 48, 64, 3), np.uint8))

    assert_one_sentence(bench(server, "--data", tmp_path / "data.npz", "--requests", 10), "inputs")


def test_a_scenario_is_a_load_of_its_own(server):
    (row,) = rows(bench(server, "--version", 1, *SIZE, "--scenario", "multistream", "--requests", 10, "--json"))

    assert (row["scenario"], row["batch"], row["concurrency"]) == ("MultiStream", 8, 1)


@pytest.mark.slow
def test_the_highest_rate_under_a_bound_is_found(server, tmp_path):
    arguments = ("--version", 2, *SIZE, "--slo-p99", "500ms", "--limit", 8, "--output", tmp_path / "samples.jsonl")
    (row,) = rows(bench(server, *arguments, "--json"))
    slo = row["slo"]

    assert slo["bound_ms"] == 500
    kept, broken = ([each["rate"] for each in slo["tried"] if each["kept"] is kept] for kept in (True, False))
    assert kept
    assert not broken or max(kept) < min(broken)
    assert row["rate"] <= max(kept)
    again = run("clients", "bench", "--from", tmp_path / "samples.jsonl", "--json")
    assert rows(again)[0]["slo"] == slo


def test_csv_has_a_column_a_figure(server):
    done = bench(server, "--version", "1,2", *SIZE, "--requests", 20, "--csv")
    table = list(csv.DictReader(io.StringIO(done.stdout)))

    assert [row["version"] for row in table] == ["1", "2"]
    assert {"p50_ms", "p50_ms_interval_low", "images_per_s", "client_workers", "doubts"} <= set(table[0])


def test_the_table_fits_eighty_columns_and_doubts_stand_below_it(server):
    done = bench(server, "--version", "1,2", *SIZE, "--requests", 20, "--concurrency", 4)

    assert max(map(len, map(str.rstrip, done.stdout.splitlines()))) <= 80
    assert "p99 rests on 20 requests" in done.stderr


def test_files_of_two_measurements_are_held_against_each_other(server, tmp_path):
    for name, batch in (("a", 1), ("b", 32)):
        arguments = ("--version", 1, *SIZE, "--requests", 200, "--batch", batch, "--output", tmp_path / name)
        assert bench(server, *arguments).returncode == 0
    same = run("clients", "bench", "diff", tmp_path / "a", tmp_path / "a")
    other = run("clients", "bench", "diff", tmp_path / "b", tmp_path / "a")

    assert same.stdout.count("no significant difference") == 2
    assert "times as fast" in other.stdout
    (found,) = json.loads(run("clients", "bench", "diff", tmp_path / "b", tmp_path / "a", "--json").stdout)
    assert found["p50"]["significant"]
    assert found["p50"]["interval"][0] <= found["p50"]["ratio"] <= found["p50"]["interval"][1]
    assert found["p99"] is None


def test_ctrl_c_ends_it_with_the_numbers_so_far(server, tmp_path):
    arguments = ("--server", server, "--model", "tiny", "--version", "1,2", *SIZE, "--limit", 60, "--window", 50)
    command = [sys.executable, "-m", "clients", "bench", *map(str, arguments), "--json", "--output", tmp_path / "s"]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    # more than the warm-up's
    while sum(file.stat().st_size for file in tmp_path.glob("bench-*/*.samples")) < 100 * _SAMPLE_BYTES:
        assert child.poll() is None, child.communicate()
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    output, errors = child.communicate(timeout=60)
    (row,) = json.loads(output)["rows"]

    assert child.returncode == 130
    assert "Traceback" not in errors
    assert row["requests"] > 0
    assert row["doubts"][0] == "it was interrupted"
    assert row["p50_ms"] > 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--version", 5), "version 5"),
        (("--concurrency", 0), "above 0"),
        (("--rate", -1), "above 0"),
        (("--batch", 0), "at least 1"),
        (("--requests", 0), "at least 1"),
        (("--scenario", "Sever"), "'Server'"),
        (("--scenario", "Server"), "--slo-p99"),
        (("--slo-p99", "7ms", "--rate", 5), "leave --rate"),
        (("--image", "nothing.png"), "nothing.png"),
        (("--from", "nothing.jsonl"), "nothing.jsonl"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(server, arguments, word):
    size = () if "--image" in arguments else SIZE

    assert_one_sentence(bench(server, *size, *arguments), word)
