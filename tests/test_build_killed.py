"""Whenever a build ends, and whoever else builds, a version is whole or absent."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf
from command_line import assert_one_sentence, run, run_here

BUILD = ("converters", "build", "tiny")


def entries(repository):
    """All there is of the model, hidden or not."""
    return sorted(each.name for each in repository.glob("tiny/*"))


def test_two_processes_never_build_one_version_at_a_time(saved_model, tmp_path):
    arguments = (*BUILD, "--source", saved_model, "--version", 1, "--repository", tmp_path)
    first = subprocess.Popen([sys.executable, "-m", *map(str, arguments)], stderr=subprocess.PIPE)
    while not (tmp_path / "tiny" / ".1.draft").exists():
        assert first.poll() is None, first.communicate()
    first.send_signal(signal.SIGSTOP)  # for as long as the second one takes to start
    second = run_here(*arguments)
    first.send_signal(signal.SIGCONT)
    first.communicate()

    assert_one_sentence(second, "is being made by another process", "wait for it, or stop it")
    assert first.returncode == 0
    assert entries(tmp_path) == ["1"]


@pytest.mark.slow
def test_interrupted_at_any_moment_nothing_partial_is_visible(saved_model, tmp_path):
    """By Ctrl-C in a program of its own, as a user does it."""
    arguments = (*BUILD, "--source", saved_model, "--version", "2", "--repository", tmp_path)
    whole = time.monotonic()
    assert run(*arguments).returncode == 0
    whole = time.monotonic() - whole
    wanted = {path.relative_to(tmp_path) for path in (tmp_path / "tiny" / "2").rglob("*")}
    shutil.rmtree(tmp_path / "tiny" / "2")
    for share in (0.4, 0.8):
        command = [sys.executable, "-m", *map(str, arguments)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(whole * share)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate()

        assert "Traceback" not in told
        if (tmp_path / "tiny" / "2").exists():  # it was done just before
            assert {path.relative_to(tmp_path) for path in (tmp_path / "tiny" / "2").rglob("*")} == wanted
            shutil.rmtree(tmp_path / "tiny" / "2")
    assert run_here(*arguments).returncode == 0
    assert entries(tmp_path) == ["2"]


# forks from a process that has TensorFlow loaded already, so that an attempt takes a fraction of a second
KILLED = """
import gc, json, os, random, shutil, signal, sys, time
from pathlib import Path
from converters.checking import verify
from converters.build import build
from model_config.models import Model

source, repository, attempts = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
model = Model(name="tiny", source=source, versions={1: "original", 2: "quantized_weights"})

gc.freeze()  # or every fork would copy what it looks through for garbage

def start(number):
    child = os.fork()
    if not child:
        build(model, number, repository, lambda step, record: None, force=True, ask=verify.ask)
        os._exit(0)
    return child

def state():
    numbers = [each for each in (repository / "tiny").iterdir() if not each.name.startswith(".")]
    return {each.name: {str(f.relative_to(each)): f.stat().st_size for f in each.rglob("*")} for each in numbers}

def finish(number):
    started = time.monotonic()
    assert os.waitpid(start(number), 0)[1] == 0
    return time.monotonic() - started

whole = (finish(1) + finish(2)) / 2
print(json.dumps([0, 0, state()]), flush=True)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
draw, killed = random.Random(11), 0
while killed < attempts:
    number = 1 + killed % 2  # the first one is replaced, the second one is new each time
    shutil.rmtree(repository / "tiny" / "2", ignore_errors=True)
    signal.sigtimedwait({signal.SIGCHLD}, 0)  # of the one before
    child = start(number)
    signal.sigtimedwait({signal.SIGCHLD}, draw.uniform(0, 1.05 * whole))
    os.kill(child, signal.SIGKILL)
    ended = os.waitpid(child, 0)[1]
    print(json.dumps([number, ended, state()]), flush=True)
    killed += ended == signal.SIGKILL  # the others were done before
    if killed % 10 == 0:  # whatever was left behind, the next build works, as fast as the machine now is
        whole = finish(number)
"""


@pytest.mark.slow
def test_killed_at_200_random_moments_a_version_is_whole_or_absent(tmp_path):
    source = tmp_path / "product.pb"
    with tf.Graph().as_default() as graph:
        tf.matmul(tf.compat.v1.placeholder(tf.float32, [None, 3], "x"), tf.ones([3, 2]), name="y")
    source.write_bytes(graph.as_graph_def().SerializeToString())
    command = [sys.executable, "-c", KILLED, source, tmp_path, "200"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    first, *killed = map(json.loads, done.stdout.splitlines())
    wanted = {number: set(files) for number, files in first[2].items()}

    assert sum(ended == signal.SIGKILL for _, ended, _ in killed) == 200
    for number, _, there in killed:
        assert set(there) >= {"1"} if number == 1 else set(there) <= {"1", "2"}
        for version, files in there.items():
            assert set(files) == wanted[version]
            assert all(files[name] == first[2][version][name] for name in files if not name.endswith("servable.json"))
    # the lock and the draft of the last one killed are what the next build finds
    for number in (1, 2):
        arguments = (*BUILD, "--source", source, "--version", number, "--repository", tmp_path, "--force")
        assert run_here(*arguments).returncode == 0
    assert entries(tmp_path) == ["1", "2"]
