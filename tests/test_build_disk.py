"""Where a build may not write, or has no room, it says so and leaves nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from command_line import assert_one_sentence, run_here

from converters.build import build
from converters.checking import verify
from model_config.models import Model

BUILD = ("converters", "build", "tiny")


def unheard(step, record):
    """Nobody follows the progress."""


def test_a_repository_that_cannot_be_written_is_named(saved_model, tmp_path):
    (tmp_path / "models").write_text("a file where the folder should be")
    done = run_here(*BUILD, "--source", saved_model, "--version", 1, "--repository", tmp_path / "models")

    assert_one_sentence(done, "cannot write", "choose a place you may write to")


@pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere without setpriv"
)
def test_no_permission_to_write_is_one_sentence(saved_model, tmp_path):
    (tmp_path / "models").mkdir(mode=0o555)
    # as root, give up the right to pass over permissions
    prefix = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override") if os.geteuid() == 0 else ()
    arguments = (*BUILD, "--source", saved_model, "--version", "1", "--repository", tmp_path / "models")
    command = [*prefix, sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert_one_sentence(done, "cannot write", "permission denied")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_read_only_source_makes_versions_that_can_be_replaced(saved_model, tmp_path):
    source = shutil.copytree(saved_model, tmp_path / "source")
    for folder in (source, source / "variables"):
        folder.chmod(0o555)
    model = Model(name="tiny", source=source, versions={1: "original"})
    built = build(model, 1, tmp_path / "models", unheard, ask=verify.ask)

    assert all(path.stat().st_mode & 0o700 == 0o700 for path in built.version.path.rglob("*") if path.is_dir())


SMALL_DISK = """
mount -t tmpfs -o size=$1 tmpfs $2 || exit 99
shift 2
"$@"
code=$?
find $0 -not -name '.*' -mindepth 1
exit $code
"""


# too small for the source, for what the passes leave, for the requests, for the warm-up records
@pytest.mark.parametrize("size", ["100k", "280k", "400k", "750k"])
def test_a_full_disk_is_one_sentence_and_nothing_is_visible(size, saved_model, tmp_path):
    """In a mount of its own, which ends with the process."""
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    argv = (sys.executable, "-m", *BUILD, "--source", saved_model, "--version", "2", "--repository", tmp_path / "full")
    (tmp_path / "full").mkdir()
    command = [*alone, "sh", "-c", SMALL_DISK, tmp_path / "full", size, tmp_path / "full", *argv]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("this system has no unshare")
    if done.returncode == 99 or done.stderr.startswith("unshare: "):
        pytest.skip("mounting is not permitted here")

    assert_one_sentence(done, "no space is left", "free some", "nothing was published")
    assert done.stdout == ""
