"""Looking into a model: signatures or ranked candidates, operations, weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from command_line import assert_one_sentence, run_here
from tensorflow.core.framework.graph_pb2 import GraphDef

from converters import graphs, inspect
from converters.sources import DETECTOR_OUTPUTS
from converters.tensorrt.outside import outside
from model_config.errors import BadSource


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


def test_a_signature_that_is_not_there_is_refused(saved_model):
    with pytest.raises(BadSource, match=r"no signature 'nope' \(signatures: serving_default\)"):
        inspect.inspect(saved_model, signature="nope")


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
    found = json.loads(run_here("converters", "inspect", tmp_path / "large.pb", "--json").stdout)

    assert found["parameters"] == 25_000_000
    assert [each["tensor"] for each in found["candidates"]] == ["x:0", "y:0"]


def test_shares_of_the_arithmetic_are_told_with_the_sizes_that_were_assumed(frozen_graph, saved_model):
    for path, name in ((frozen_graph, "image_tensor"), (saved_model, "inputs")):
        told = inspect.inspect(path)["arithmetic"]

        assert told["inputs"] == {name: [1, 320, 320, 3]}
        assert told["assumed"] == [name]
        assert next(iter(told["by_operation"])) == "Conv2D"
        assert told["flops"] == sum(told["by_operation"].values())


def test_what_tensorrt_would_not_take_is_told_with_the_reason(material):
    path = material / "models" / "ssd_mobilenet_v1_coco" / "frozen_inference_graph.pb"
    reasons = {op: reason for reason, types in inspect.inspect(path)["outside_tensorrt"].items() for op in types}

    assert "one class at a time" in reasons["NonMaxSuppressionV3"]
    assert "control flow" in reasons["Enter"]
    assert "no converter" in reasons["TensorArrayV3"]
    assert "uint8" in reasons["Cast"]
    assert "as many values as it finds" in reasons["Where"]


def test_open_sizes_and_strings_stay_outside_of_tensorrt_and_fixed_sizes_do_not():
    with tf.Graph().as_default() as graph:
        for name, side in (("fixed", 32), ("open", None)):
            x = tf.compat.v1.placeholder(tf.float32, [None, side, side, 3], name)
            tf.nn.conv2d(x, np.ones((1, 1, 3, 3), np.float32), 1, "SAME", name=f"{name}_y")
        tf.io.decode_base64(tf.compat.v1.placeholder(tf.string, [None], "words"))
    left = outside(graph.as_graph_def())
    reasons = {op: (reason, count) for reason, types in left.items() for op, count in types.items()}

    assert reasons["Conv2D"][1] == 1
    assert "open until a request" in reasons["Conv2D"][0]
    assert "DecodeBase64" in reasons


def test_the_graph_is_written_for_tensorboard(frozen_graph, tmp_path):
    done = run_here("converters", "inspect", frozen_graph, "--tensorboard", tmp_path / "shown", "--json")
    (events,) = (tmp_path / "shown").iterdir()
    found = [event.graph_def for event in tf.compat.v1.train.summary_iterator(str(events)) if event.graph_def]

    assert done.returncode == 0
    assert "image_tensor" in {node.name for node in GraphDef.FromString(found[0]).node}


def test_a_graph_that_tensorflow_does_not_take_is_still_looked_into(saved_model, tmp_path):
    found = graphs.saved_model(saved_model)
    body = found.meta_graphs[0].graph_def.library.function[0].node_def
    body.add(name="strange", op="SentencepieceTokenizeOp")
    (tmp_path / "saved_model.pb").write_bytes(found.SerializeToString())
    told = inspect.inspect(tmp_path)

    assert told["operations"]["SentencepieceTokenizeOp"] == 1


def test_it_prints_the_same_as_a_table_and_as_json(frozen_graph):
    done = run_here("converters", "inspect", frozen_graph)

    for word in ("image_tensor", "CombinedNonMaxSuppression", "parameters", "float32", "share", "outside of TensorRT"):
        assert word in done.stdout
    assert json.loads(run_here("converters", "inspect", frozen_graph, "--json").stdout)["format"] == "frozen_graph"


def test_what_is_no_model_is_one_sentence(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")

    assert_one_sentence(run_here("converters", "inspect", tmp_path / "notes.txt"), "no frozen graph")
    assert_one_sentence(run_here("converters", "inspect", tmp_path), "no SavedModel")
