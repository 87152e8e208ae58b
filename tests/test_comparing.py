"""Comparisons that are interrupted, spread over machines, or meet what is wrong: all on a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import assert_one_sentence, run

from clients.compare import judging, merging
from clients.compare import run as comparing
from evaluation import pictures
from evaluation.datasets import loading
from model_config.data import Data
from model_config.errors import SuiteError
from model_config.models import Task

VERSIONS = (1, 2)
PICTURES = 23


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pictures of two sizes with a box each, one of which cannot be decoded and one of which is not there."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(4)
    sizes = [(40, 60) if number % 3 else (32, 32) for number in range(PICTURES)]
    for number, size in enumerate(sizes):
        pictures.write(rng.integers(0, 256, (*size, 3), np.uint8), folder / "images" / f"{number}.png")
    (folder / "images" / "5.png").write_bytes(b"no picture")
    (folder / "images" / "11.png").unlink()
    index = {
        "images": [{"id": n + 1, "file_name": f"{n}.png"} for n in range(PICTURES)],
        "annotations": [
            {
                "id": n + 1,
                "image_id": n + 1,
                "category_id": 1 + n % 2,
                "bbox": [2, 2, 20, 20],
                "area": 400,
                "iscrowd": 0,
            }
            for n in range(PICTURES)
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    (folder / "instances.json").write_text(json.dumps(index))
    return folder


@pytest.fixture(scope="module")
def command(server, repository, data):
    chosen = ("--model", "tiny", "--version", 1, "--version", 2, "--requests", 5, "--warm-up", 1, "--ask-batch", 3)
    one_load = ("--batch", 1, "--concurrency", 1)
    return ("clients", "compare", "--server", server, "--repository", repository, "--data", data, *chosen, *one_load)


@pytest.fixture(scope="module")
def whole(command, tmp_path_factory):
    """What one run gives."""
    folder = tmp_path_factory.mktemp("whole")
    done = run(*command, "--output", folder)
    assert done.returncode == 0, done.stderr
    return folder


def rows(folder):
    files = [sqlite3.connect(comparing.place(folder, version)) for version in VERSIONS]
    found = [file.execute("SELECT * FROM answers ORDER BY place").fetchall() for file in files]
    for file in files:
        file.close()
    return found


def judged(folder, data):
    with comparing.stores(folder, VERSIONS) as files:
        return judging.judge(files, loading.load(Data(path=data)), Task())


def test_what_cannot_be_read_is_named_and_counted(whole, data):
    found = judged(whole, data)

    assert [re.sub(r" .*/", " …/", each) for each in found.unread] == [
        "5.png: …/5.png is no picture that can be decoded (such as JPEG or PNG)",
        "11.png: …/11.png: no such file or directory",
    ]
    assert {each.asked for each in found.accuracy.values()} == {PICTURES - 2}


def test_the_reference_does_not_differ_and_the_worst_come_first(whole, data):
    found = judged(whole, data)
    drifts = [max(example.drift.values()) for example in found.examples]

    assert [score.difference for score in found.accuracy[1].scores] == [None] * 3
    assert found.accuracy[1].agreement.value == 1.0
    assert all((each.largest, each.mean, each.cosine) == (0.0, 0.0, 1.0) for each in found.accuracy[1].drift)
    assert found.accuracy[2].scores[0].difference is not None
    assert len(found.examples) == judging.EXAMPLES
    assert drifts == sorted(drifts, reverse=True)
    assert len(list((whole / "worst").glob("*.jpg"))) == sum(drift > 0 for drift in drifts)


def test_shards_put_together_are_one_run_bit_for_bit(command, whole, data, repository, tmp_path):
    for number in (1, 2, 3):
        done = run(*command, "--shard", f"{number}/3", "--output", tmp_path / str(number))
        assert done.returncode == 0, done.stderr
    parts = [tmp_path / str(number) for number in (3, 1, 2)]
    done = run("clients", "compare", "merge", *parts, "--data", data, "--output", tmp_path, "--repository", repository)

    assert done.returncode == 0, done.stderr
    assert rows(tmp_path) == rows(whole)
    assert repr(judged(tmp_path, data).accuracy) == repr(judged(whole, data).accuracy)
    wanted = comparing.Wanted("tiny", VERSIONS, Task(), repository, tmp_path / "some")
    for given, words in (
        (parts[:2], "of 3 shards 2/3 are missing"),
        ([*parts, parts[0]], "shards 3/3 are there twice"),
    ):
        with pytest.raises(SuiteError, match=words):
            merging.merge(given, wanted, loading.load(Data(path=data)))
    with pytest.raises(SuiteError, match="was asked other questions than the pictures of"):
        merging.merge(parts, wanted, loading.load(Data(path=data / "images")))


def test_a_killed_run_goes_on_where_it_ended(command, whole, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, command), "--in-flight", "1", "--output", str(tmp_path)],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    first = wait_for_answers(comparing.place(tmp_path, 1), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with sqlite3.connect(comparing.place(tmp_path, 1)) as file:
        # proof that it is not asked again
        file.execute("UPDATE answers SET name = 'kept' WHERE place = 0")
    file.close()
    done = run(*command, "--output", tmp_path)

    assert done.returncode == 0, done.stderr
    assert first > 0
    assert rows(tmp_path)[0][0][1] == "kept"
    assert rows(tmp_path)[0][1:] == rows(whole)[0][1:]
    assert rows(tmp_path)[1] == rows(whole)[1]


def test_several_processes_give_what_one_gives(command, whole, tmp_path):
    done = run(*command, "--workers", 3, "--output", tmp_path)

    assert done.returncode == 0, done.stderr
    assert rows(tmp_path) == rows(whole)


@pytest.mark.parametrize(
    ("hit", "number", "code", "words"),
    [("worker", signal.SIGKILL, 1, "a process that asked ended"), ("all", signal.SIGINT, 130, "interrupted")],
)
def test_processes_that_are_ended_leave_nothing_behind(command, whole, tmp_path, hit, number, code, words):
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, command), "--workers", "2", "--output", str(tmp_path)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    while len(workers := askers(process.pid)) < 2:
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(workers[0] if hit == "worker" else process.pid, number)
    _, told = process.communicate(timeout=60)

    assert process.returncode == code, told
    assert words in told
    assert "Traceback" not in told
    end = time.monotonic() + 30
    while any(os.path.exists(f"/proc/{pid}") for pid in workers):  # one that had just begun ends as nobody is there
        assert time.monotonic() < end
        time.sleep(0.05)
    assert run(*command, "--output", tmp_path).returncode == 0
    assert rows(tmp_path) == rows(whole)


def askers(parent):
    """The processes that ask for another one."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in found}
    return [pid for pid, line in lines.items() if b"clients.compare.spreading" in line]


def wait_for_answers(path, process):
    """Until some answers are safe on disk, or the run has ended."""
    for _ in range(3000):
        if path.exists():
            with sqlite3.connect(path, timeout=5) as file:
                try:
                    count = file.execute("SELECT COUNT(*) FROM answers").fetchone()[0]
                except sqlite3.OperationalError:
                    count = 0
            file.close()
            if count or process.poll() is not None:
                return count
        time.sleep(0.005)
    raise AssertionError("nothing was asked")


def test_a_run_that_was_finished_is_asked_again(command, whole, tmp_path):
    shutil.copytree(whole / comparing.ANSWERS, tmp_path / comparing.ANSWERS)
    with sqlite3.connect(comparing.place(tmp_path, 1)) as file:
        file.execute("UPDATE answers SET name = 'old'")
    file.close()

    assert run(*command, "--output", tmp_path).returncode == 0
    assert rows(tmp_path) == rows(whole)


def test_without_labels_only_agreement_is_told(command, data, tmp_path):
    done = run(*command, "--data", data / "images", "--output", tmp_path, "--json")

    assert done.returncode == 0, done.stderr
    with comparing.stores(tmp_path, VERSIONS) as files:
        found = judging.judge(files, loading.load(Data(path=data / "images")), Task())
    assert found.accuracy[2].scores == ()
    assert 0 <= found.accuracy[2].agreement.value <= 1
    assert all(example.truth is None for example in found.examples)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--shard", "4/3"), "a shard is one of 1/3 to 3/3"),
        (("--shard", "some"), "a shard is given as I/N"),
        (("--data", "nowhere"), "no data at nowhere"),
        (("--layout", "npz"), "is a directory"),
        (("--layout", "idx"), "holds 0 idx files"),
    ],
)
def test_what_makes_no_comparison_is_one_sentence(command, options, words, tmp_path):
    assert_one_sentence(run(*command, *options, "--output", tmp_path / "out"), words)
    assert not (tmp_path / "out").exists()
