"""Versions: built whole, found unchanged, never half."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from command_line import assert_one_sentence, run_here

from converters import recipes
from converters.build import build
from converters.checking import verify
from model_config import base_path, manifest
from model_config.errors import BuildError, UnknownName
from model_config.models import Model

BUILD = ("converters", "build", "tiny")


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
    assert list(base_path.scan(tmp_path, "tiny")) == [1]


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
    versions = ("--version", 1, "--version", 4)
    done = run_here(*BUILD, "--source", tmp_path / "gone.pb", *versions, "--repository", tmp_path / "models")

    assert_one_sentence(done, "version 1, 4: the source", "does not exist")
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


def test_force_builds_anew_what_was_made_from_the_same_only(saved_model, frozen_graph, tmp_path):
    arguments = ("--version", 1, "--repository", tmp_path, "--json")
    assert run_here(*BUILD, "--source", saved_model, *arguments).returncode == 0
    earlier = (tmp_path / "tiny" / "1").stat().st_ino
    again = run_here(*BUILD, "--source", saved_model, *arguments, "--force")
    other = run_here(*BUILD, "--source", frozen_graph, *arguments, "--force")

    assert json.loads(again.stdout)["versions"][0]["fresh"]
    assert (tmp_path / "tiny" / "1").stat().st_ino != earlier
    assert_one_sentence(other, "made from something else", "--replace")
    assert [each.name for each in (tmp_path / "tiny").iterdir()] == ["1"]


def test_another_batch_size_is_another_build(saved_model, tmp_path):
    one = Model(name="tiny", source=saved_model, versions={1: "original"})
    two = one.model_copy(update={"batch_sizes": (1, 2)})
    build(one, 1, tmp_path, unheard, ask=verify.ask)

    assert not build(one, 1, tmp_path, unheard, ask=verify.ask).fresh
    with pytest.raises(BuildError, match="--replace builds it anew"):
        build(two, 1, tmp_path, unheard, ask=verify.ask)
