"""8-bit weights: small on disk, close in their answers, and widened once when the graph is loaded."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import after, answer, graph_of, operations

from converters import graphs

v1 = tf.compat.v1
LIMIT = 100 * 1024
RNG = np.random.default_rng(5)
PICTURES = RNG.normal(size=(2, 8, 8, 16)).astype(np.float32)
ROWS = RNG.normal(size=(3, 40)).astype(np.float32)
WIDE = 30_000


def spread(*shape):
    """Weights whose channels are of very different sizes, one of them nothing but zeros."""
    channels = RNG.uniform(0.01, 10.0, shape[-1]).astype(np.float32)
    channels[0] = 0
    return RNG.normal(size=shape).astype(np.float32) * channels


LAYERS = {
    "Conv2D": (lambda x: tf.nn.conv2d(x, spread(3, 3, 16, 256), 1, "SAME"), PICTURES),
    "DepthwiseConv2dNative": (
        lambda x: tf.nn.depthwise_conv2d(x, spread(3, 3, 16, 8), [1, 1, 1, 1], "SAME"),
        PICTURES,
    ),
    "MatMul": (lambda x: tf.linalg.matmul(x, spread(40, 100)), ROWS),
    "MatMul_turned": (lambda x: tf.linalg.matmul(x, spread(40, 100).T, transpose_b=True), ROWS),
    "MatMul_with_rows_over_the_limit": (lambda x: tf.linalg.matmul(x, spread(40, WIDE)), ROWS),
}


def constants(graph):
    return [tf.make_ndarray(node.attr["value"].tensor) for node in graph.graph_def.node if node.op == "Const"]


def as_executed(graph, fed):
    """The operations that run in a request, after all that TensorFlow does to a graph it loads."""
    options, told = v1.RunOptions(output_partition_graphs=True), v1.RunMetadata()
    with v1.Session(graph=graphs.imported(graph.graph_def)) as session:
        session.run(graph.output_tensors[0], {"x:0": fed}, options, told)
    return {node.op for partition in told.partition_graphs for node in partition.node}


@pytest.mark.parametrize("layer", LAYERS)
def test_weights_are_small_and_close(layer, tmp_path):
    build, fed = LAYERS[layer]
    graph = graph_of(build, fed)
    small = after("quantize_weights_per_channel", graph, tmp_path)
    wanted, got = answer(graph, fed), answer(small, fed)
    pieces = [value for value in constants(small) if value.dtype == np.int8]
    weights = max(constants(graph), key=np.size)
    largest = np.abs(weights.T if "turned" in layer else weights).reshape(-1, wanted.shape[-1]).max(0)

    # a weight is off by half a step, a step is a 127th of its own channel's largest, and such errors add up as noise
    assert (np.abs(got - wanted).reshape(-1, wanted.shape[-1]).max(0) <= 0.15 * largest).all()
    assert sum(piece.size for piece in pieces) == weights.size
    assert max(piece.size for piece in pieces) * 4 < LIMIT


@pytest.mark.parametrize("layer", LAYERS)
def test_nothing_of_it_is_left_to_do_in_a_request(layer, tmp_path):
    build, fed = LAYERS[layer]
    small = after("quantize_weights_per_channel", graph_of(build, fed), tmp_path)

    assert {"Cast", "Mul"} <= operations(small).keys()
    assert not as_executed(small, fed) & {"Cast", "Mul", "ConcatV2", "Reshape"}


def test_layers_of_one_weight_store_it_once(tmp_path):
    weights = spread(40, 40)
    graph = graph_of(lambda x: tf.linalg.matmul(tf.linalg.matmul(x, w := tf.constant(weights)), w), ROWS)
    small = after("quantize_weights_per_channel", graph, tmp_path)

    assert operations(small)["Cast"] == 1


def test_small_and_half_weights_stay(tmp_path):
    few = graph_of(lambda x: tf.linalg.matmul(x, spread(40, 20)), ROWS)
    half = graph_of(lambda x: tf.linalg.matmul(x, spread(40, 100).astype(np.float16)), ROWS.astype(np.float16))

    assert after("quantize_weights_per_channel", few, tmp_path).graph_def == few.graph_def
    (tmp_path / "half").mkdir()
    assert operations(after("quantize_weights_per_channel", half, tmp_path / "half")) == operations(half)
