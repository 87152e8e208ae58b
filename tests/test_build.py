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
from command_line import assert_one_sentence, run

from converters import recipes
from model_config import base_path, manifest
from model_config.errors import BuildError, UnknownName

BUILD = ("converters", "build", "tiny")


def visible(repository):
    return sorted(each.name for each in (repository / "tiny").iterdir() if not each.name.startswith("."))


def test_version_2_is_smaller_and_both_say_what_they_are(repository):
    versions = base_path.scan(repository, "tiny")

    assert [version.manifest.recipe for version in versions.values()] == ["original", "quantized_weights"]
    assert versions[2].size_bytes < 0.6 * versions[1].size_bytes
    assert versions[1].manifest.signatures == versions[2].manifest.signatures
    assert [step.name for step in versions[2].manifest.steps][-1] == "quantize_weights_per_channel"


def test_version_1_of_a_saved_model_is_byte_for_byte_what_came(repository, saved_model):
    version = repository / "tiny" / "1"
    extra = [
        path for path in version.rglob("*") if path.is_file() and not (saved_model / path.relative_to(version)).exists()
    ]

    assert extra == [version / manifest.PLACE]
    for path in saved_model.rglob("*"):
        if path.is_file():
            assert (version / path.relative_to(saved_model)).read_bytes() == path.read_bytes()


def test_the_same_again_is_unchanged_and_something_else_wants_replace(saved_model, frozen_graph, tmp_path):
    arguments = ("--repository", tmp_path, "--version", 1, "--json")
    first = json.loads(run(*BUILD, "--source", saved_model, *arguments).stdout)
    again = json.loads(run(*BUILD, "--source", saved_model, *arguments).stdout)
    other = run(*BUILD, "--source", frozen_graph, *arguments)
    replaced = json.loads(run(*BUILD, "--source", frozen_graph, *arguments, "--replace").stdout)

    assert [first["versions"][0]["fresh"], again["versions"][0]["fresh"]] == [True, False]
    assert_one_sentence(other, "--replace")
    assert replaced["versions"][0]["fresh"]
    assert base_path.require(tmp_path, "tiny", 1).manifest.source.format == "frozen_graph"


def test_a_failed_version_does_not_stop_the_others(saved_model, tmp_path):
    versions = ("--version", 4, "--version", 1)
    done = run(*BUILD, "--source", saved_model, *versions, "--repository", tmp_path, "--json")

    assert_one_sentence(done, "version 4", "trt_fp16", "cannot be built yet: it needs an NVIDIA GPU")
    assert [each["version"] for each in json.loads(done.stdout)["versions"]] == [1]
    assert visible(tmp_path) == ["1"]


@pytest.mark.parametrize(("number", "words"), [(5, "trt_int8"), (6, "trt_fp32"), (7, "optimized")])
def test_recipes_to_come_are_known_and_say_what_they_need(number, words):
    with pytest.raises(BuildError, match=f"{words}.*it needs"):
        recipes.find({5: "trt_int8", 6: "trt_fp32", 7: "optimized"}[number])


def test_version_3_wants_calibration_data(saved_model, tmp_path):
    done = run(*BUILD, "--source", saved_model, "--version", 3, "--repository", tmp_path)

    assert_one_sentence(done, "no calibration data", "--calibration")
    assert not (tmp_path / "tiny").exists()


def test_version_3_says_what_it_learnt_from_and_what_it_needs(saved_model, pictures, tmp_path):
    np.save(tmp_path / "pictures.npy", np.stack(pictures))
    arguments = ("--calibration", tmp_path / "pictures.npy", "--version", 3, "--repository", tmp_path / "models")
    done = run(*BUILD, "--source", saved_model, *arguments)
    assert done.returncode == 0, done.stderr
    made = base_path.require(tmp_path / "models", "tiny", 3).manifest

    assert made.recipe == "quantized_nodes"
    assert made.requires == ("onednn",)
    assert made.calibration.files == 1
    np.save(tmp_path / "pictures.npy", np.stack(pictures[1:]))
    assert_one_sentence(run(*BUILD, "--source", saved_model, *arguments), "made from something else", "--replace")


def test_an_unknown_recipe_shows_the_near_miss():
    with pytest.raises(UnknownName, match="did you mean 'quantized_weights'"):
        recipes.find("quantised_weights")


def test_an_unknown_version_shows_the_declared_ones(saved_model, tmp_path):
    done = run(*BUILD, "--source", saved_model, "--version", 9, "--repository", tmp_path)

    assert_one_sentence(done, "no version 9", "1 (original)")
    assert not (tmp_path / "tiny").exists()


def test_an_unknown_model_shows_the_near_miss():
    assert_one_sentence(run("converters", "build", "dmo"), "did you mean 'demo'?")


def test_a_missing_source_leaves_nothing(tmp_path):
    done = run(*BUILD, "--source", tmp_path / "gone.pb", "--version", 1, "--repository", tmp_path / "models")

    assert_one_sentence(done, "does not exist")
    assert not (tmp_path / "models").exists()


def test_a_damaged_source_leaves_nothing_visible(frozen_graph, tmp_path):
    path = tmp_path / "damaged.pb"
    path.write_bytes(frozen_graph.read_bytes()[:-100])
    done = run(*BUILD, "--source", path, "--version", 2, "--repository", tmp_path / "models")

    assert_one_sentence(done, "no frozen graph")
    assert visible(tmp_path / "models") == []


def test_damaged_variables_are_found_before_anything_is_published(saved_model, tmp_path):
    copy = shutil.copytree(saved_model, tmp_path / "copy")
    data = next((copy / "variables").glob("*.data*"))
    data.write_bytes(data.read_bytes()[:1000])
    done = run(*BUILD, "--source", copy, "--version", 1, "--version", 2, "--repository", tmp_path / "models")

    assert_one_sentence(done, "version 1, 2: ", "cannot load the model")
    assert visible(tmp_path / "models") == []


def test_a_repository_that_cannot_be_written_is_named(saved_model, tmp_path):
    (tmp_path / "models").write_text("a file where the folder should be")
    done = run(*BUILD, "--source", saved_model, "--version", 1, "--repository", tmp_path / "models")

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


@pytest.mark.slow
def test_interrupted_or_killed_at_any_moment_nothing_partial_is_visible(saved_model, tmp_path):
    command = [sys.executable, "-m", *BUILD, "--source", saved_model, "--version", "2", "--repository", tmp_path]
    whole = time.monotonic()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    whole = time.monotonic() - whole
    wanted = {path.relative_to(tmp_path) for path in (tmp_path / "tiny" / "2").rglob("*")}
    shutil.rmtree(tmp_path / "tiny" / "2")
    for attempt in range(12):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(whole * (0.3 + 0.06 * attempt))
        child.send_signal(signal.SIGINT if attempt % 2 else signal.SIGKILL)
        _, told = child.communicate()

        assert "Traceback" not in told
        if visible(tmp_path):  # it was done just before
            assert {path.relative_to(tmp_path) for path in (tmp_path / "tiny" / "2").rglob("*")} == wanted
            shutil.rmtree(tmp_path / "tiny" / "2")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert visible(tmp_path) == ["2"]
    assert not (tmp_path / "tiny" / ".2.draft").exists()
