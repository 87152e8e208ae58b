"""8-bit matrix products, which convolutions over single places are too: sums they take along, floats they give."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import after, answer, graph_of, operations
from small_layers import CONVOLUTION, RNG, ROWS, can_multiply, convolution, eight_bits, noise, relu, weights

pytestmark = pytest.mark.skipif(not can_multiply(), reason="this TensorFlow has no 8-bit matrix product")


def bottlenecks(x):
    """Two inverted ones, whose sum no activation follows."""
    first = convolution(x, channels=16, size=1)
    second = first + convolution(relu(first, channels=8), channels=16, size=1)
    return second + convolution(relu(second, channels=8, size=1), channels=16, size=1)


def dense(x):
    """Two layers of a perceptron, whose second one has its weights the other way round."""
    x = tf.reshape(x, [-1, 16 * 16 * 8])
    hidden = tf.nn.relu(tf.nn.bias_add(x @ weights(16 * 16 * 8, 32), tf.constant(weights(32))))
    return tf.matmul(hidden, weights(12, 32), transpose_b=True)


def test_sums_without_activation_are_taken_along_and_stay_floats(rows, tmp_path):
    graph = graph_of(bottlenecks, ROWS)
    done = after("quantize_nodes_calibrated", graph, tmp_path, calibration=rows)

    assert not operations(done).keys() & {"AddV2", "Conv2D", "Dequantize"}
    assert eight_bits(done) == {"_QuantizedMatMul": 3, f"{CONVOLUTION}AndReluAndRequantize": 2, "QuantizeV2": 3}
    assert noise(answer(done, ROWS), answer(graph, ROWS)) < 0.05


def test_what_is_read_as_floats_is_not_rounded(rows, tmp_path):
    graph = graph_of(lambda x: tf.nn.relu6(convolution(x, size=1)), ROWS)
    done = after("quantize_nodes_calibrated", graph, tmp_path, calibration=rows)

    assert eight_bits(done) == {"QuantizeV2": 1, "_QuantizedMatMul": 1}
    assert len(np.unique(answer(done, ROWS))) > 1000
    assert noise(answer(done, ROWS), answer(graph, ROWS)) < 0.05


@pytest.mark.parametrize("shape", [(), (8,), (1, 16, 16, 8)], ids=["a number", "channels", "an example"])
def test_what_is_added_to_every_example_alike_is_added_outside(shape, rows, tmp_path):
    addend = RNG.normal(size=shape).astype(np.float32)
    graph = graph_of(lambda x: tf.raw_ops.AddV2(x=convolution(x, size=1), y=addend), ROWS)
    done = after("quantize_nodes_calibrated", graph, tmp_path, calibration=rows)

    assert "AddV2" in operations(done)
    assert noise(answer(done, ROWS), answer(graph, ROWS)) < 0.05


def test_matrix_products_are_computed_in_8_bits_and_the_last_one_gives_floats(rows, tmp_path):
    graph = graph_of(dense, ROWS)
    done = after("quantize_nodes_calibrated", graph, tmp_path, calibration=rows)

    assert eight_bits(done) == {"QuantizeV2": 1, "_QuantizedMatMul": 2}
    assert not operations(done).keys() & {"MatMul", "Relu", "Dequantize"}
    assert noise(answer(done, ROWS), answer(graph, ROWS)) < 0.05
