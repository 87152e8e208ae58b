"""A published folder is whole or absent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from model_config.errors import BuildError
from model_config.publishing import RESULT, publishing


def publish(final, text):
    with publishing(final) as draft:
        (draft / RESULT).mkdir()
        (draft / RESULT / "file").write_text(text)


def visible(folder):
    return sorted(each.name for each in folder.iterdir() if not each.name.endswith(".lock"))


def test_the_result_appears_under_its_name_and_nothing_else(tmp_path):
    publish(tmp_path / "1", "new")

    assert visible(tmp_path) == ["1"]
    assert (tmp_path / "1" / "file").read_text() == "new"


def test_a_failure_leaves_the_earlier_folder(tmp_path):
    publish(tmp_path / "1", "old")

    with pytest.raises(TypeError):
        publish(tmp_path / "1", text=None)

    assert visible(tmp_path) == ["1"]
    assert (tmp_path / "1" / "file").read_text() == "old"


def test_a_finished_one_replaces_the_earlier(tmp_path):
    publish(tmp_path / "1", "old")
    publish(tmp_path / "1", "new")

    assert visible(tmp_path) == ["1"]
    assert (tmp_path / "1" / "file").read_text() == "new"


def test_the_earlier_folder_comes_back_after_a_kill_between_the_renames(tmp_path):
    publish(tmp_path / "1", "old")
    (tmp_path / "1").rename(tmp_path / ".1.former")  # what such a kill leaves behind

    with pytest.raises(RuntimeError), publishing(tmp_path / "1"):
        raise RuntimeError

    assert (tmp_path / "1" / "file").read_text() == "old"


def test_two_makers_of_one_folder_are_kept_apart(tmp_path):
    with publishing(tmp_path / "1") as draft:
        with pytest.raises(BuildError, match="another process"), publishing(tmp_path / "1"):
            pass
        (draft / RESULT).mkdir()

    assert visible(tmp_path) == ["1"]


PROGRAM = """
import sys
from pathlib import Path
from model_config.publishing import RESULT, publishing
print("ready", flush=True)
for number in range(10**9):
    with publishing(Path(sys.argv[1], "1")) as draft:
        (draft / RESULT).mkdir()
        for name in "abcdefgh":
            (draft / RESULT / name).write_text(str(number))
"""


def test_killed_at_any_moment_nothing_partial_is_visible(tmp_path):
    for attempt in range(40):
        child = subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(0.0007 * attempt)
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()

        for number in [each for each in tmp_path.iterdir() if each.name.isdigit()]:
            assert sorted(each.name for each in number.iterdir()) == list("abcdefgh")
            assert len({each.read_text() for each in number.iterdir()}) == 1
    publish(tmp_path / "1", "the next one works")

    assert visible(tmp_path) == ["1"]
