"""Large graphs: read and written piece by piece, checked and rewritten without their weights, as good as whole."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from small_graphs import after, answer, graph_of, operations
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from converters import graphs, hidden_weights, messages, pieces, registry, sessions
from converters.sources import Source
from model_config.errors import BadSource, BuildError, SuiteError

ROWS = np.random.default_rng(0).normal(size=(2, 1600)).astype(np.float32)
# over 8 MB, so that the graph around it is not parsed at once
WEIGHTS = np.random.default_rng(1).normal(size=(1600, 1600)).astype(np.float32)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A graph as a SavedModel, with weights that are read as they are and others that are computed of constants."""

    def build(x):
        half = tf.constant(WEIGHTS.astype(np.float16))
        return tf.matmul(tf.nn.relu(tf.matmul(x, WEIGHTS)), tf.cast(half, tf.float32), transpose_b=True)

    folder = tmp_path_factory.mktemp("large")
    graphs.write(graph_of(build, ROWS), folder / "model")
    return folder / "model"


def test_piece_by_piece_it_is_what_it_is_at_once(large):
    path = large / "saved_model.pb"

    assert messages.read(path, SavedModel) == SavedModel.FromString(path.read_bytes())


def test_an_outline_lacks_nothing_but_the_values_of_large_constants(large):
    whole, outline = (graphs.meta_graph(large, outline=each) for each in (False, True))
    for node in whole.graph_def.node:
        if node.attr["value"].tensor.ByteSize() > pieces.OUTLINE:
            node.attr["value"].tensor.ClearField("tensor_content")
        for key in [key for key in node.attr if not node.attr[key].ByteSize()]:
            del node.attr[key]  # which asking added

    assert whole.graph_def == outline.graph_def
    assert outline.ByteSize() < 5_000


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.999])
def test_a_truncated_one_is_refused(share, large, tmp_path):
    content = (large / "saved_model.pb").read_bytes()
    (tmp_path / "saved_model.pb").write_bytes(content[: int(len(content) * share)])

    for outline in (True, False):
        with pytest.raises(BadSource, match="truncated or damaged"):
            graphs.meta_graph(tmp_path, outline=outline)


def test_what_is_no_message_is_refused(tmp_path):
    """A field of a kind that protobuf does not have."""
    (tmp_path / "noise").write_bytes(b"\x0f" * (pieces.PIECE + 1))

    with (tmp_path / "noise").open("rb") as file, pytest.raises(DecodeError):
        pieces.merge(file.fileno(), GraphDef(), 0, os.fstat(file.fileno()).st_size)


def test_with_its_weights_held_apart_it_answers_the_same(large):
    answers = []
    for limit in (sessions.LARGE, 0):
        with sessions.session(large, large=limit) as session:
            answers.append(session.run("y:0", {"x:0": ROWS}))
            held = {each.type for each in session.graph.get_operations()} & {"VarHandleOp"}
        assert bool(held) == (limit == 0)

    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("recipe_step", ["quantize_weights_per_channel", "quantize_weights", "copy"])
def test_a_real_models_weights_can_be_held_apart(recipe_step, frozen_graph, pictures, tmp_path):
    Source(frozen_graph, "frozen_graph").load(tmp_path / "source")
    registry.find(recipe_step)(tmp_path / "source", tmp_path / "made")
    batch = np.stack(pictures)
    scores = []
    for limit in (sessions.LARGE, 0):
        with sessions.session(tmp_path / "made", large=limit) as session:
            scores.append(session.run("detection_scores:0", {"image_tensor:0": batch}))

    np.testing.assert_allclose(*scores, atol=1e-5)


def test_variables_and_functions_load_as_ever(saved_model, pictures):
    with sessions.session(saved_model, large=0) as session:
        (given,) = (each for each in session.graph.get_operations() if each.name == "serving_default_inputs")
        assert session.run("StatefulPartitionedCall:0", {given.outputs[0]: np.stack(pictures)}).size


def test_damaged_weights_are_found_when_they_are_held_apart(large, tmp_path):
    found = graphs.saved_model(large)
    constant = next(node for node in found.meta_graphs[0].graph_def.node if node.op == "Const")
    constant.attr["value"].tensor.tensor_content += b"more"
    (tmp_path / "saved_model.pb").write_bytes(found.SerializeToString())

    with pytest.raises(BadSource, match="cannot load the model"), sessions.session(tmp_path, large=0):
        pass


def test_weights_that_only_requests_meet_are_hidden_and_come_back(large):
    graph_def = graphs.read(large).graph_def
    light = hidden_weights.hidden(graph_def)

    assert [node.op for node in light.node].count("Const") == 1  # the one that a cast computes something of
    assert hidden_weights.restored(light, graph_def) == graph_def


def test_large_duplicates_are_still_merged(tmp_path):
    graph = graph_of(lambda x: tf.matmul(x, WEIGHTS, name="a") + tf.matmul(tf.nn.relu(x), WEIGHTS + 0, name="b"), ROWS)
    merged = after("merge_duplicate_nodes", graph, tmp_path)

    assert operations(graph)["Const"] == 2
    assert operations(merged)["Const"] == 1
    np.testing.assert_allclose(answer(merged, ROWS), answer(graph, ROWS), rtol=1e-4)


def test_variables_that_no_graph_can_hold_are_refused_before_they_are_loaded(saved_model, tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "LIMIT", 150_000)  # of which the variables take 156,416

    with pytest.raises(BuildError, match=r"variables take 156,416 bytes, .* serve version 1 \(original\)"):
        registry.find("freeze")(saved_model, tmp_path / "frozen")
    assert not (tmp_path / "frozen").exists()


def test_a_graph_that_grew_too_large_is_refused(large, tmp_path, monkeypatch):
    graph = graphs.read(large)
    monkeypatch.setattr(pieces, "LIMIT", 1_000_000)

    with pytest.raises(SuiteError, match=r"the graph would take 15,\d+,\d+ bytes, .* serve version 1 \(original\)"):
        graphs.write(graph, tmp_path / "grown")


def test_a_graph_with_its_large_constants_in_variables_keeps_its_names_and_answers():
    kernel = np.arange(3 * 3 * 64 * 64, dtype=np.float32).reshape(3, 3, 64, 64)
    picture = np.ones((1, 4, 4, 64), np.float32)

    def build(x):
        weights = tf.constant(kernel, name="conv/kernel")  # its scope is an operation's name
        with tf.control_dependencies([weights]):
            return tf.nn.conv2d(tf.identity(x), weights, 1, "SAME", name="conv")

    graph = graph_of(build, picture)
    with sessions.over(graph) as session:
        found = session.run("conv:0", {"x:0": picture})

    np.testing.assert_array_equal(found, answer(graph, picture))


def test_constants_fold_beside_weights_that_nothing_is_computed_of(tmp_path):
    """As batch norms of Keras 3 are, whose scale is computed of their variance."""
    variance = np.random.default_rng(2).uniform(0.5, 2, 1600).astype(np.float32)
    graph = graph_of(lambda x: tf.matmul(x, WEIGHTS) * tf.math.rsqrt(tf.constant(variance) + 1e-3), ROWS)
    done = after("fold_constants", graph, tmp_path)

    assert operations(graph)["Rsqrt"] == 1
    assert operations(done) == {"Placeholder": 1, "Const": 2, "MatMul": 1, "Mul": 1, "Identity": 1}
    np.testing.assert_allclose(answer(done, ROWS), answer(graph, ROWS), rtol=1e-5)
