"""Rewriting a graph: the values of large constants are there to be read, and in the result if it still has them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import answer, graph_of

from converters import graphs
from converters.graph_edits import Edit

ROWS = np.random.default_rng(0).normal(size=(2, 64)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32)


@pytest.fixture
def graph():
    return graph_of(lambda x: tf.matmul(tf.nn.relu(tf.matmul(x, WEIGHTS, name="first")), WEIGHTS[:, :32]), ROWS)


def bytes_of(graph):
    return graph.graph_def.SerializeToString(deterministic=True)


def test_a_rewrite_that_changes_nothing_gives_the_graph_itself(graph):
    assert Edit(graph).done() is graph


def test_the_graph_that_is_rewritten_stays_as_it_is(graph):
    before = bytes_of(graph)
    edit = Edit(graph)
    edit.replace("Relu", "Relu6", ["first"], T=tf.float32)
    after = edit.done()

    assert bytes_of(graph) == before
    assert not np.array_equal(answer(after, 9 * ROWS), answer(graph, 9 * ROWS))


def test_values_are_read_and_stay_where_nothing_takes_their_place(graph):
    edit = Edit(graph)
    (weights,) = (node.input[1] for node in edit.graph_def.node if node.name == "first")
    edit.nodes["first"].input[1] = edit.add_constant("other", 2 * edit.constant(weights))
    after = edit.done()

    assert weights not in {node.name for node in after.graph_def.node}
    np.testing.assert_allclose(answer(after, ROWS), 2 * answer(graph, ROWS), rtol=1e-4)


def test_a_constant_in_the_place_of_another_is_the_one_that_is_read(graph):
    edit = Edit(graph)
    (weights,) = (node.input[1] for node in edit.graph_def.node if node.name == "first")
    edit.replace(weights, "Const", [], dtype=tf.float32, value=tf.make_tensor_proto(np.zeros_like(WEIGHTS)))

    assert not edit.constant(weights).any()
    assert not answer(edit.done(), ROWS).any()


def test_a_rewrite_goes_on_from_what_the_graph_has_become(graph):
    edit = Edit(graph)
    edit.replace("Relu", "Identity", ["first"], T=tf.float32)
    edit.again()
    assert [reader.name for reader in edit.readers["first"]] == ["Relu"]

    edit.replace("Relu", "Relu", [graphs.node_name(graph.input_tensors[0])], T=tf.float32)
    after = edit.done()
    assert "first" not in {node.name for node in after.graph_def.node}
    np.testing.assert_allclose(answer(after, ROWS), np.maximum(ROWS, 0) @ WEIGHTS[:, :32], rtol=1e-4)
