"""Branches whose condition is known: one way is left, with the same answers, and loops and open questions stay."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import after, answer, graph_of, operations

v1 = tf.compat.v1
FED = np.arange(6, dtype=np.float32).reshape(2, 3) - 2


@pytest.fixture(scope="module", autouse=True)
def _old_branches():
    v1.disable_control_flow_v2()
    yield
    v1.enable_control_flow_v2()


def training(value):
    """As a placeholder that was given a value: a constant behind an Identity."""
    return tf.identity(tf.constant(value))


def norm(maps, phase):
    ones, mean = tf.ones([3]), tf.constant([0.5, -1.0, 2.0])
    return v1.cond(
        phase,
        lambda: v1.nn.fused_batch_norm(maps, ones, ones, is_training=True),
        lambda: v1.nn.fused_batch_norm(maps, ones, ones, mean, ones, is_training=False),
    )


def normed(x, phase):
    result, now, _ = norm(tf.reshape(x, [-1, 1, 1, 3]), phase)
    return tf.reshape(result, [-1, 3]) + now


def constants(x, phase):
    """Only control inputs say which branch these belong to."""
    return x + v1.cond(phase, lambda: tf.constant([1.0, 2.0, 3.0]), lambda: tf.constant([4.0, 5.0, 6.0]))


def nested(x, phase):
    other = tf.logical_and(phase, training(True))
    return v1.cond(
        phase,
        lambda: x * 2,
        lambda: v1.cond(training(True), lambda: x * 3, lambda: v1.cond(other, lambda: x, lambda: -x)),
    )


def looped(x, phase):
    """A loop in the way that is taken, and one in that which is not."""

    def grown(by):
        return v1.while_loop(lambda i, z: i < 3, lambda i, z: (i + 1, z * by), [tf.constant(0), x])[1]

    return v1.cond(phase, lambda: grown(2.0), lambda: grown(3.0))


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("build", [normed, constants, nested, looped], ids=lambda build: build.__name__)
def test_one_way_is_left_and_answers_the_same(build, value, tmp_path):
    graph = graph_of(lambda x: build(x, training(value)), FED)
    wanted = answer(graph, FED)
    done = after("strip_unused_nodes", after("take_known_branches", graph, tmp_path), tmp_path)

    np.testing.assert_allclose(answer(done, FED), wanted, rtol=1e-6)
    left = operations(done)
    # a loop goes on by a Merge and ends by a Switch for each of its two variables
    loops = left["LoopCond"]
    assert (left["Switch"], left["Merge"]) == (2 * loops, 2 * loops)
    assert loops == (1 if build is looped else 0)
    assert left["FusedBatchNormV3"] <= 1


def test_a_branch_that_depends_on_the_input_stays(tmp_path):
    graph = graph_of(lambda x: v1.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x * 3), FED)
    done = after("take_known_branches", graph, tmp_path)

    assert operations(done) == operations(graph)
    for fed in (FED, -FED):
        np.testing.assert_array_equal(answer(done, fed), answer(graph, fed))


def test_a_batch_norm_that_was_switched_is_folded(tmp_path):
    """What the pass is for: without it the norm stands behind a Merge, where no other pass looks."""
    weights = np.ones((1, 1, 3, 3), np.float32)

    def build(x):
        maps = tf.nn.conv2d(tf.reshape(x, [-1, 1, 1, 3]), weights, 1, "SAME")
        return tf.reshape(norm(maps, training(False))[0], [-1, 3])

    done = graph = graph_of(build, FED)
    steps = ("take_known_branches", "remove_identities", "strip_unused_nodes", "fold_constants", "fold_norms")
    for name in steps:
        done = after(name, done, tmp_path, **({"ignore_errors": "true"} if name == "fold_constants" else {}))

    np.testing.assert_allclose(answer(done, FED), answer(graph, FED), rtol=1e-5)
    assert "FusedBatchNormV3" in operations(graph)
    assert "FusedBatchNormV3" not in operations(done)
