"""A published folder is whole or absent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from model_config.errors import BuildError
from model_config.exchange import exchange
from model_config.publishing import RESULT, publishing


def publish(final, text):
    with publishing(final) as draft:
        (draft / RESULT).mkdir()
        (draft / RESULT / "file").write_text(text)


def visible(folder):
    return sorted(each.name for each in folder.iterdir())


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


def test_a_new_name_that_fails_leaves_no_empty_folder_above_it(tmp_path):
    with pytest.raises(TypeError):
        publish(tmp_path / "model" / "1", text=None)

    assert visible(tmp_path) == []


def test_without_a_result_nothing_changes(tmp_path):
    publish(tmp_path / "1", "old")
    with publishing(tmp_path / "1"):
        pass

    assert visible(tmp_path) == ["1"]
    assert (tmp_path / "1" / "file").read_text() == "old"


@pytest.mark.parametrize("change", ["at once", "one after the other"])
def test_two_folders_change_places(change, tmp_path, monkeypatch):
    if change == "one after the other":  # what a system does that has no such call
        monkeypatch.setattr(sys, "platform", "another")
    elif not sys.platform.startswith("linux"):
        pytest.skip("only Linux exchanges two folders in one call")
    for text in ("first", "second", "third"):
        publish(tmp_path / "1", text)

    assert exchange(tmp_path / "1", tmp_path / "1") == (change == "at once")
    assert visible(tmp_path) == ["1"]
    assert (tmp_path / "1" / "file").read_text() == "third"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux exchanges two folders in one call")
def test_a_replaced_folder_is_never_missing(tmp_path):
    publish(tmp_path / "1", "0")
    missing, done = [], threading.Event()

    def watch():
        while not done.is_set():
            if not (tmp_path / "1" / "file").exists():
                missing.append(True)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(300):
        publish(tmp_path / "1", str(number))
    done.set()
    watcher.join()

    assert missing == []


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


def test_many_makers_of_failing_folders_never_share_a_lock(tmp_path):
    """Every failure removes the lock and the empty folder, which others are about to use."""
    inside, most, refused = [], [], []

    def make():
        for _ in range(200):
            try:
                with publishing(tmp_path / "model" / "1"):
                    inside.append(True)
                    most.append(len(inside))
                    inside.pop()
                    raise RuntimeError
            except RuntimeError:
                pass
            except BuildError:
                refused.append(True)

    makers = [threading.Thread(target=make) for _ in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()

    assert set(most) == {1}
    assert len(most) + len(refused) == 1600
    assert visible(tmp_path) == []


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
