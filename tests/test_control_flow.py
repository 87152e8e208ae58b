"""Loops and branches of TensorFlow 1 survive the passes that clear a graph up."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import after, answer, graph_of

v1 = tf.compat.v1
POSITIVE, NEGATIVE = np.full((1, 3), 1.0, np.float32), np.full((1, 3), -1.0, np.float32)
# in the order of the recipes
CLEANING = (
    ("remove_colocation", {}),
    ("remove_control_inputs", {}),
    ("remove_identities", {}),
    ("merge_duplicate_nodes", {}),
    ("strip_unused_nodes", {}),
    ("fold_constants", {"ignore_errors": "true"}),
)


def looped_and_branched(x):
    """The constants of both branches, and of the loop, are held there by control inputs only."""
    chosen = v1.cond(tf.reduce_sum(x) > 0, lambda: tf.constant([1.0, 2.0, 3.0]), lambda: tf.constant([4.0, 5.0, 6.0]))
    _, grown = v1.while_loop(
        lambda i, z: i < 3, lambda i, z: (i + 1, tf.identity(z) * [2.0, 3.0, 4.0]), [tf.constant(0), x]
    )
    with tf.control_dependencies([v1.assert_less(x, 10.0)]):
        return chosen + tf.identity(grown)


@pytest.fixture(scope="module")
def graph():
    v1.disable_control_flow_v2()
    yield graph_of(looped_and_branched, POSITIVE)
    v1.enable_control_flow_v2()


@pytest.mark.parametrize("fed", [POSITIVE, NEGATIVE], ids=["then", "else"])
def test_clearing_up_changes_no_answer(graph, fed, tmp_path):
    done = graph
    for name, params in CLEANING:
        done = after(name, done, tmp_path, **params)

        np.testing.assert_array_equal(answer(done, fed), answer(graph, fed))


def test_only_constants_keep_control_inputs_and_assertions_go(graph, tmp_path):
    done = after("strip_unused_nodes", after("remove_control_inputs", graph, tmp_path), tmp_path)
    held = {node.op for node in done.graph_def.node if any(name.startswith("^") for name in node.input)}

    assert held == {"Const"}
    assert "Assert" not in {node.op for node in done.graph_def.node}


def test_identities_that_nothing_hangs_on_are_gone(graph, tmp_path):
    done = graph
    for name in ("remove_control_inputs", "remove_identities", "strip_unused_nodes"):
        done = after(name, done, tmp_path)
    names = {name for node in done.graph_def.node for name in node.input}
    left = {node.name for node in done.graph_def.node if node.op == "Identity"} - {"y"}

    assert left
    assert all(f"^{name}" in names for name in left)
