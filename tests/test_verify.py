"""Before it is published a version is loaded in a fresh process and answers as the source model does."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tiny
import yaml
from command_line import run_here

from converters import graphs, recipes, registry
from converters.build import build
from converters.checking import differences, verify, warm_up
from evaluation import pictures as files
from model_config import base_path
from model_config.errors import BuildError
from model_config.models import Model

KEY = graphs.DEFAULT_KEY
X = tf.TensorSpec([None, 3], tf.float32, name="x")


@pytest.fixture(scope="module")
def doubled(tmp_path_factory):
    return tiny.save_function(tmp_path_factory.mktemp("doubled") / "model", lambda x: {"y": x * 2.0}, X)


def asked(servable, source, folder, **arrays):
    warm_up.write([warm_up.Request(KEY, 2, arrays, "test")], "m", folder / "requests")
    (answer,) = verify.ask(servable, source, folder / "requests")
    return answer


@pytest.fixture(scope="module")
def repository(saved_model, tmp_path_factory):
    """Both versions of the tiny detector, checked with two batch sizes and its own pictures."""
    folder = tmp_path_factory.mktemp("checked")
    for number, pixels in enumerate(np.random.default_rng(5).integers(0, 256, (3, 40, 56, 3), np.uint8)):
        files.write(pixels, folder / "data" / "images" / f"{number}.png")
    (folder / "data" / "images" / "broken.jpg").write_bytes(b"no picture")
    entry = {"source": str(saved_model), "batch_sizes": [8, 1], "data": str(folder / "data")}
    (folder / "models.yaml").write_text(yaml.safe_dump({"models": {"tiny": entry}}))
    arguments = ("--models", folder / "models.yaml", "--repository", folder / "models")
    done = run_here("converters", "build", "tiny", "--version", 1, "--version", 2, *arguments)
    assert done.returncode == 0, done.stderr
    return folder / "models"


def test_every_declared_batch_size_is_asked_with_the_models_own_pictures(repository):
    for version in base_path.scan(repository, "tiny").values():
        assert [check.batch_size for check in version.manifest.checks] == [1, 8]
        for check in version.manifest.checks:
            assert check.inputs.startswith("pictures from ")
            assert check.remark is None
            assert check.outputs["detection_boxes"].shape == (check.batch_size, 10, 4)
            assert {(each.nan, each.inf) for each in check.outputs.values()} == {(0, 0)}


def test_the_model_as_it_came_differs_by_nothing_and_8_bit_weights_by_little(repository):
    first, second = (version.manifest for version in base_path.scan(repository, "tiny").values())

    assert set(first.differences.values()) == {0}
    assert all(0 < check.outputs["detection_scores"].largest_difference < 0.05 for check in second.checks)


def test_the_build_tells_the_largest_difference_and_what_was_not_asked(tmp_path):
    doubled = tiny.save_function(tmp_path / "doubled", lambda x: {"y": x * 2.0, "z": x}, X)
    echo = tiny.save_function(tmp_path / "echo", lambda s: {"echo": s}, tf.TensorSpec([None], tf.string, name="s"))
    build = ("converters", "build", "m", "--version", 1, "--repository")
    known = run_here(*build, tmp_path / "known", "--source", doubled, "--version", 2)
    unknown = run_here(*build, tmp_path / "unknown", "--source", echo)
    as_json = json.loads(run_here(*build, tmp_path / "unknown", "--source", echo, "--json").stdout)

    assert [line.split()[3] for line in known.stdout.splitlines() if " built " in line] == ["nothing", "nothing"]
    assert "not compared" in unknown.stdout
    assert "version 1: the graph does not show what the strings of s hold" in unknown.stderr
    assert as_json["versions"][0]["differences"] == {}
    assert as_json["versions"][0]["remarks"] == [
        "the graph does not show what the strings of s hold, so none were sent"
    ]


def test_differences_are_those_of_the_answers(doubled, tmp_path):
    other = tiny.save_function(tmp_path / "other", lambda x: {"y": x * 2.0 + tf.constant([0.0, 0.5, -1.25])}, X)
    answer = asked(other, doubled, tmp_path, x=np.ones((2, 3), np.float32))

    assert answer.faults == ()
    assert answer.outputs["y"].largest_difference == 1.25


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        (lambda x: {"y": x / 0.0 * 0.0}, "y is NaN or infinite in 6 of 6 places"),
        (lambda x: {"y": tf.where(x > 0.0, x / 0.0, x)}, "y is NaN or infinite in 6 of 6 places"),
        (lambda x: {"y": x[:, :2]}, r"y has shape \[2, 2\] instead of \[2, 3\]"),
        (lambda x: {"y": tf.cast(x, tf.float64)}, "y is float64 instead of float32"),
        (lambda x: {"y": tf.debugging.check_numerics(x / 0.0, "spoiled")}, "it refuses .*spoiled"),
    ],
    ids=["nan", "inf", "shape", "dtype", "refusal"],
)
def test_what_cannot_stand_for_the_source_is_a_fault(spoiled, words, doubled, tmp_path):
    servable = tiny.save_function(tmp_path / "spoiled", spoiled, X)
    answer = asked(servable, doubled, tmp_path, x=np.ones((2, 3), np.float32))

    (fault,) = answer.faults
    assert re.search(words, fault)


def detections(order, classes=(1, 1, 2)):
    """An answer about one picture; the first two boxes are far from each other."""
    boxes = np.array([[0.1, 0.1, 0.3, 0.3], [0.5, 0.5, 0.9, 0.9], [0.1, 0.5, 0.2, 0.9]], np.float32)
    answer = {
        "boxes": boxes,
        "scores": np.array([0.9, 0.899, 0.3], np.float32),
        "classes": np.array(classes, np.float32),
    }
    rows = {f"detection_{name}": value[list(order)][None] for name, value in answer.items()}
    return {**rows, "num_detections": np.array([3.0], np.float32), "raw_detection_boxes": boxes[None, ::-1][:, :2]}


def test_detections_that_change_places_are_the_same():
    found = differences.compare(detections((1, 0, 2)), detections((0, 1, 2)))

    assert {name: each.largest_difference for name, each in found.items()} == dict.fromkeys(found, 0)
    assert not any(each.unmatched for each in found.values())


def test_a_detection_that_the_other_does_not_have_is_counted_and_not_subtracted():
    found = differences.compare(detections((0, 1, 2), classes=(1, 1, 7)), detections((0, 1, 2)))

    assert {name: each.unmatched for name, each in found.items() if "raw" not in name} == {
        "detection_boxes": 1,
        "detection_classes": 1,
        "detection_scores": 1,
        "num_detections": 0,
    }
    assert found["detection_classes"].largest_difference == 0


def test_numbers_that_are_none_in_the_source_too_are_no_fault(tmp_path):
    source = tiny.save_function(tmp_path / "source", lambda x: {"y": x / x}, X)
    answer = asked(source, source, tmp_path, x=np.array([[0, 1, 2], [3, 0, 0]], np.float32))

    assert answer.faults == ()
    assert (answer.outputs["y"].nan, answer.outputs["y"].largest_difference) == (3, 0)


def test_strings_and_truth_values_are_compared_too(tmp_path):
    source = tiny.save_function(tmp_path / "source", lambda x: {"text": tf.as_string(x), "positive": x > 0.5}, X)
    servable = tiny.save_function(
        tmp_path / "servable", lambda x: {"text": tf.as_string(x + 1.0), "positive": x > 0.5}, X
    )
    answer = asked(servable, source, tmp_path, x=np.ones((2, 3), np.float32))

    assert {name: each.largest_difference for name, each in answer.outputs.items()} == {"text": 1, "positive": 0}
    assert answer.outputs["text"].dtype == "string"


def spoil(source, target):
    """Make every weight infinite."""
    graph = graphs.read(source)
    for node in graph.graph_def.node:
        value = tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else np.zeros(0, np.int32)
        if value.dtype == np.float32 and value.size > 1:
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.full_like(value, np.inf)))
    graphs.write(graph, target)


def lose_variables(source, target):
    """Leave the values behind."""
    shutil.copytree(source, target)
    shutil.rmtree(target / "variables")


@pytest.mark.parametrize(
    ("broken", "words"),
    [(spoil, "is NaN or infinite"), (lose_variables, "does not load in a fresh process")],
)
def test_a_recipe_that_breaks_the_model_publishes_nothing(broken, words, tmp_path, monkeypatch):
    dense = tiny.save_dense(tmp_path / "dense")
    first = () if broken is lose_variables else (recipes.Step("freeze"),)
    recipe = recipes.Recipe("broken", (*first, recipes.Step("broken")))
    monkeypatch.setitem(registry._PASSES, "broken", broken)
    monkeypatch.setattr(recipes, "RECIPES", {"broken": recipe})
    model = Model(name="m", source=dense, versions={1: "broken"})

    with pytest.raises(BuildError, match=f"{words}.*nothing was published|nothing was published.*{words}"):
        build(model, 1, tmp_path / "models", lambda step, record: None)
    assert base_path.scan(tmp_path / "models", "m") == {}
