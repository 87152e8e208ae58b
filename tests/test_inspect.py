"""Looking into a model: signatures or ranked candidates, operations, weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from command_line import assert_one_sentence, run

from converters import inspect
from converters.sources import DETECTOR_OUTPUTS


def test_a_frozen_graphs_candidates_are_ranked_with_the_reason(frozen_graph):
    found = inspect.inspect(frozen_graph)
    ends = list(inspect.ends(found))

    assert ends[0] == ("a placeholder, which must be fed", "input", "image_tensor:0", "uint8", "[?, ?, ?, 3]")
    assert [name for _, side, name, _, _ in ends if side == "output"][:4] == list(DETECTOR_OUTPUTS)
    assert found["operations"]["Conv2D"] == 3


def test_a_loops_leftovers_come_last(material):
    found = inspect.inspect(material / "models" / "ssd_mobilenet_v1_coco" / "frozen_inference_graph.pb")
    outputs = [each["tensor"] for each in found["candidates"] if each["side"] == "output"]

    assert outputs[:4] == list(DETECTOR_OUTPUTS)
    assert found["candidates"][0]["tensor"] == "image_tensor:0"


def test_a_saved_models_signatures_are_shown(saved_model):
    found = inspect.inspect(saved_model)

    assert next(inspect.ends(found)) == ("serving_default", "input", "inputs", "uint8", "[?, ?, ?, 3]")
    assert found["candidates"] == []


def test_weights_are_counted_in_constants_and_in_variables(saved_model, frozen_graph):
    wanted = 3 * 3 * 3 * 64 + 64 + 64 + 3 * 3 * 64 * 64 + 64 * 6

    for path in (saved_model, frozen_graph):
        found = inspect.inspect(path)
        assert wanted <= found["parameters"] < wanted + 50  # a few constants of the arithmetic
        assert found["bytes_by_dtype"]["float32"] == 4 * found["parameters"]


def test_a_keras_file_shows_its_signature(material):
    found = inspect.inspect(material / "models" / "resnet8_cifar10" / "pretrainedResnet.h5")

    assert found["format"] == "keras_hdf5"
    assert list(inspect.ends(found)) == [
        ("serving_default", "input", "input_1", "float32", "[?, 32, 32, 3]"),
        ("serving_default", "output", "dense", "float32", "[?, 10]"),
    ]
    assert found["bytes_by_dtype"]["float32"] >= 4 * 78_666


@pytest.mark.slow
def test_a_graph_of_100_mb_is_looked_into(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 2500], name="x")
        weights = np.random.default_rng(0).normal(size=(2500, 10_000)).astype(np.float32)
        tf.matmul(x, tf.constant(weights), name="y")
    (tmp_path / "large.pb").write_bytes(graph.as_graph_def().SerializeToString())
    found = json.loads(run("converters", "inspect", tmp_path / "large.pb", "--json").stdout)

    assert found["parameters"] == 25_000_000
    assert [each["tensor"] for each in found["candidates"]] == ["x:0", "y:0"]


def test_it_prints_the_same_as_a_table_and_as_json(frozen_graph):
    done = run("converters", "inspect", frozen_graph)

    for word in ("image_tensor", "CombinedNonMaxSuppression", "parameters", "float32"):
        assert word in done.stdout
    assert json.loads(run("converters", "inspect", frozen_graph, "--json").stdout)["format"] == "frozen_graph"


def test_what_is_no_model_is_one_sentence(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")

    assert_one_sentence(run("converters", "inspect", tmp_path / "notes.txt"), "no frozen graph")
    assert_one_sentence(run("converters", "inspect", tmp_path), "no SavedModel")
