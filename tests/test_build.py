"""Versions: built whole, found unchanged, never half."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from command_line import assert_one_sentence, run_here

from converters import recipes
from converters.build import build
from converters.checking import verify
from model_config import base_path, manifest
from model_config.errors import BuildError, UnknownName
from model_config.models import Model

BUILD = ("converters", "build", "tiny")


def visible(repository):
    return sorted(each.name for each in repository.glob("tiny/[!.]*"))


def hidden(repository):
    return sorted(each.name for each in repository.glob("tiny/.*"))


def unheard(step, record):
    """Nobody follows the progress."""


def test_version_2_is_smaller_and_both_say_what_they_are(repository):
    versions = base_path.scan(repository, "tiny")

    assert [version.manifest.recipe for version in versions.values()] == ["original", "quantized_weights"]
    assert versions[2].size_bytes < 0.6 * versions[1].size_bytes
    assert versions[1].manifest.signatures == versions[2].manifest.signatures
    assert "quantize_weights_per_channel" in [step.name for step in versions[2].manifest.steps]


def test_version_1_of_a_saved_model_is_byte_for_byte_what_came(repository, saved_model):
    version = repository / "tiny" / "1"
    files = {path.relative_to(version) for path in version.rglob("*") if path.is_file()}
    extra = {path for path in files if not (saved_model / path).exists()}

    assert extra == {manifest.PLACE, base_path.WARM_UP, base_path.BATCHING}
    for path in saved_model.rglob("*"):
        if path.is_file():
            assert (version / path.relative_to(saved_model)).read_bytes() == path.read_bytes()


def test_the_same_again_is_unchanged_and_something_else_wants_replace(saved_model, frozen_graph, tmp_path):
    arguments = ("--repository", tmp_path, "--version", 1, "--json")
    first = json.loads(run_here(*BUILD, "--source", saved_model, *arguments).stdout)
    again = json.loads(run_here(*BUILD, "--source", saved_model, *arguments).stdout)
    other = run_here(*BUILD, "--source", frozen_graph, *arguments)
    replaced = json.loads(run_here(*BUILD, "--source", frozen_graph, *arguments, "--replace").stdout)

    assert [first["versions"][0]["fresh"], again["versions"][0]["fresh"]] == [True, False]
    assert_one_sentence(other, "--replace")
    assert replaced["versions"][0]["fresh"]
    assert base_path.require(tmp_path, "tiny", 1).manifest.source.format == "frozen_graph"


def test_a_failed_version_does_not_stop_the_others(saved_model, tmp_path):
    versions = ("--version", 4, "--version", 1)
    done = run_here(*BUILD, "--source", saved_model, *versions, "--repository", tmp_path, "--json")

    assert_one_sentence(done, "version 4", "TensorRT", "not here")
    assert [each["version"] for each in json.loads(done.stdout)["versions"]] == [1]
    assert visible(tmp_path) == ["1"]


def test_version_3_wants_calibration_data(saved_model, tmp_path):
    done = run_here(*BUILD, "--source", saved_model, "--version", 3, "--repository", tmp_path)

    assert_one_sentence(done, "no calibration data", "--calibration")
    assert not (tmp_path / "tiny").exists()


def test_version_3_says_what_it_learnt_from_and_what_it_needs(saved_model, pictures, tmp_path):
    np.save(tmp_path / "pictures.npy", np.stack(pictures))
    arguments = ("--calibration", tmp_path / "pictures.npy", "--version", 3, "--repository", tmp_path / "models")
    done = run_here(*BUILD, "--source", saved_model, *arguments)
    assert done.returncode == 0, done.stderr
    made = base_path.require(tmp_path / "models", "tiny", 3).manifest

    assert made.recipe == "quantized_nodes"
    assert made.requires == ("onednn",)
    assert made.calibration.files == 1
    np.save(tmp_path / "pictures.npy", np.stack(pictures[1:]))
    assert_one_sentence(run_here(*BUILD, "--source", saved_model, *arguments), "made from something else", "--replace")


def test_an_unknown_recipe_shows_the_near_miss():
    with pytest.raises(UnknownName, match="did you mean 'quantized_weights'"):
        recipes.find("quantised_weights")


def test_an_unknown_version_shows_the_declared_ones(saved_model, tmp_path):
    done = run_here(*BUILD, "--source", saved_model, "--version", 9, "--repository", tmp_path)

    assert_one_sentence(done, "no version 9", "1 (original)")
    assert not (tmp_path / "tiny").exists()


def test_an_unknown_model_shows_the_near_miss():
    assert_one_sentence(run_here("converters", "build", "dmo"), "did you mean 'demo'?")


def test_a_missing_source_leaves_nothing(tmp_path):
    done = run_here(*BUILD, "--source", tmp_path / "gone.pb", "--version", 1, "--repository", tmp_path / "models")

    assert_one_sentence(done, "does not exist")
    assert not (tmp_path / "models").exists()


def test_a_damaged_source_leaves_nothing_visible(frozen_graph, tmp_path):
    path = tmp_path / "damaged.pb"
    path.write_bytes(frozen_graph.read_bytes()[:-100])
    done = run_here(*BUILD, "--source", path, "--version", 2, "--repository", tmp_path / "models")

    assert_one_sentence(done, "no frozen graph")
    assert list((tmp_path / "models").iterdir()) == []


def test_damaged_variables_are_found_before_anything_is_published(saved_model, tmp_path):
    copy = shutil.copytree(saved_model, tmp_path / "copy")
    data = next((copy / "variables").glob("*.data*"))
    data.write_bytes(data.read_bytes()[:1000])
    done = run_here(*BUILD, "--source", copy, "--version", 1, "--version", 2, "--repository", tmp_path / "models")

    assert_one_sentence(done, "version 1, 2: ", "cannot load the model")
    assert list((tmp_path / "models").iterdir()) == []


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


def test_force_builds_anew_what_was_made_from_the_same_only(saved_model, frozen_graph, tmp_path):
    arguments = ("--version", 1, "--repository", tmp_path, "--json")
    assert run_here(*BUILD, "--source", saved_model, *arguments).returncode == 0
    earlier = (tmp_path / "tiny" / "1").stat().st_ino
    again = run_here(*BUILD, "--source", saved_model, *arguments, "--force")
    other = run_here(*BUILD, "--source", frozen_graph, *arguments, "--force")

    assert json.loads(again.stdout)["versions"][0]["fresh"]
    assert (tmp_path / "tiny" / "1").stat().st_ino != earlier
    assert_one_sentence(other, "made from something else", "--replace")
    assert hidden(tmp_path) == []


def test_another_batch_size_is_another_build(saved_model, tmp_path):
    one = Model(name="tiny", source=saved_model, versions={1: "original"})
    two = one.model_copy(update={"batch_sizes": (1, 2)})
    build(one, 1, tmp_path, unheard, ask=verify.ask)

    assert not build(one, 1, tmp_path, unheard, ask=verify.ask).fresh
    with pytest.raises(BuildError, match="--replace builds it anew"):
        build(two, 1, tmp_path, unheard, ask=verify.ask)


def test_a_read_only_source_makes_versions_that_can_be_replaced(saved_model, tmp_path):
    source = shutil.copytree(saved_model, tmp_path / "source")
    for folder in (source, source / "variables"):
        folder.chmod(0o555)
    model = Model(name="tiny", source=source, versions={1: "original"})
    built = build(model, 1, tmp_path / "models", unheard, ask=verify.ask)

    assert all(path.stat().st_mode & 0o700 == 0o700 for path in built.version.path.rglob("*") if path.is_dir())


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
    assert visible(tmp_path) == ["1"]
    assert hidden(tmp_path) == []


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


@pytest.mark.slow
def test_interrupted_or_killed_at_any_moment_nothing_partial_is_visible(saved_model, tmp_path):
    command = [sys.executable, "-m", *BUILD, "--source", saved_model, "--version", "2", "--repository", tmp_path]
    whole = time.monotonic()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    whole = time.monotonic() - whole
    wanted = {path.relative_to(tmp_path) for path in (tmp_path / "tiny" / "2").rglob("*")}
    shutil.rmtree(tmp_path / "tiny" / "2")
    for attempt in range(4):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(whole * (0.3 + 0.2 * attempt))
        child.send_signal(signal.SIGINT if attempt % 2 else signal.SIGKILL)
        _, told = child.communicate()

        assert "Traceback" not in told
        if (tmp_path / "tiny" / "2").exists():  # it was done just before
            assert {path.relative_to(tmp_path) for path in (tmp_path / "tiny" / "2").rglob("*")} == wanted
            shutil.rmtree(tmp_path / "tiny" / "2")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert visible(tmp_path) == ["2"]
    assert hidden(tmp_path) == []


# forks from a process that has TensorFlow loaded already, so that an attempt takes a fraction of a second
KILLED = """
import json, os, random, shutil, signal, sys, time
from pathlib import Path
from converters.checking import verify
from converters.build import build
from model_config.models import Model

source, repository, attempts = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
model = Model(name="tiny", source=source, versions={1: "original", 2: "quantized_weights"})

def start(number):
    child = os.fork()
    if not child:
        build(model, number, repository, lambda step, record: None, force=True, ask=verify.ask)
        os._exit(0)
    return child

def state():
    numbers = [each for each in (repository / "tiny").iterdir() if not each.name.startswith(".")]
    return {each.name: {str(f.relative_to(each)): f.stat().st_size for f in each.rglob("*")} for each in numbers}

whole = time.monotonic()
for number in (1, 2):
    assert os.waitpid(start(number), 0)[1] == 0
whole = (time.monotonic() - whole) / 2
print(json.dumps([0, 0, state()]), flush=True)
draw, killed = random.Random(11), 0
while killed < attempts:
    number = 1 + killed % 2  # the first one is replaced, the second one is new each time
    shutil.rmtree(repository / "tiny" / "2", ignore_errors=True)
    child = start(number)
    time.sleep(draw.uniform(0, 1.05 * whole))
    os.kill(child, signal.SIGKILL)
    ended = os.waitpid(child, 0)[1]
    print(json.dumps([number, ended, state()]), flush=True)
    killed += ended == signal.SIGKILL  # the others were done before
    if killed % 25 == 0:  # whatever was left behind, the next build works
        assert os.waitpid(start(number), 0)[1] == 0
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
    assert hidden(tmp_path) == []
