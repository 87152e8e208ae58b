"""Models are asked in processes that have loaded none before, and take nobody else down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny

from converters import graphs
from converters.checking import fresh, warm_up
from model_config.errors import BadSource, BuildError

ASK = """
import sys
from pathlib import Path
from converters.checking import fresh
fresh.replies(*map(Path, sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    return tiny.save_dense(tmp_path_factory.mktemp("fresh") / "dense")


@pytest.fixture(scope="module")
def requests(tmp_path_factory):
    rows = {"x": np.ones((2, 3), np.float32)}
    path = tmp_path_factory.mktemp("fresh") / "requests"
    warm_up.write([warm_up.Request(graphs.DEFAULT_KEY, 2, rows, "test")], "m", path)
    return path


@pytest.fixture
def endless(tmp_path):
    """Requests that never come."""
    os.mkfifo(tmp_path / "endless")
    return tmp_path / "endless"


def children(pid):
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def the_child_of(pid):
    """Once there is one."""
    while not children(pid):
        time.sleep(0.01)
    return children(pid)[0]


def asked_by_another(model, endless):
    """A program that waits for an answer, the process it started, and the one that this has forked."""
    program = subprocess.Popen([sys.executable, "-c", ASK, model, endless], stderr=subprocess.DEVNULL)
    parent = the_child_of(program.pid)
    return program, parent, the_child_of(parent)


def test_models_are_asked_in_forks_of_one_process(dense, requests):
    fresh.prepare()
    before = fresh._parent().process.pid
    answers = [fresh.replies(dense, requests)[0]["y"].tolist() for _ in range(2)]

    assert answers == [[[10.0, 11.0]] * 2] * 2
    assert fresh._parent().process.pid == before
    assert children(before) == []


def test_a_model_that_does_not_load_says_why_and_the_next_is_asked(dense, requests, tmp_path):
    with pytest.raises(BadSource, match="no SavedModel"):
        fresh.replies(tmp_path, requests)

    assert fresh.replies(dense, requests)[0]["y"].shape == (2, 2)


@pytest.mark.parametrize(("signal_", "words"), [(signal.SIGKILL, "memory runs out"), (signal.SIGABRT, "ended with -6")])
def test_a_model_that_takes_its_process_down_leaves_the_others(signal_, words, dense, requests, endless):
    fresh.prepare()
    parent = fresh._parent().process.pid
    killer = subprocess.Popen(
        ["sh", "-c", f"until kill -{int(signal_)} $(cat /proc/{parent}/task/{parent}/children); do sleep 0.1; done"],
        stderr=subprocess.DEVNULL,
    )
    with pytest.raises(BuildError, match=words):
        fresh.replies(dense, endless)
    assert killer.wait() == 0

    assert fresh.replies(dense, requests)[0]["y"].shape == (2, 2)
    assert fresh._parent().process.pid == parent


def test_where_the_forked_process_itself_ends_there_is_another(dense, requests):
    fresh.prepare()
    fresh._parent().process.kill()

    with pytest.raises(BuildError, match="the system does when memory runs out"):
        fresh.replies(dense, requests)
    assert fresh.replies(dense, requests)[0]["y"].shape == (2, 2)


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGINT])
def test_all_of_them_end_with_the_program_that_asks(signal_, dense, endless):
    program, *others = asked_by_another(dense, endless)
    program.send_signal(signal_)

    assert program.wait(60) == -signal_
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in others):
        assert time.monotonic() < deadline
        time.sleep(0.01)
