"""Calibrated 8-bit arithmetic: which operations are written, how close they come, what calibration data is refused."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import after, answer, graph_of, operations
from small_layers import CONVOLUTION, DEPTHWISE, PRODUCT, RNG, ROWS, convolution, eight_bits, noise, relu, weights

from converters import calibration
from converters.graph_edits import Edit
from converters.int8.calibrated import Calibrated, remembered
from converters.int8.fusing import find
from converters.int8.sensitivity import most_damaging
from converters.int8.stretches import stretches
from converters.layers import layers
from model_config.errors import UnknownName


def separable(x):
    depthwise = tf.nn.depthwise_conv2d(relu(x), weights(3, 3, 8, 1) * 3, [1, 2, 2, 1], "SAME")
    return convolution(tf.nn.relu6(tf.nn.bias_add(depthwise, tf.constant(weights(8)))), size=1)


def linear_depthwise(x):
    """Of values of both signs, and without an activation."""
    return relu(tf.nn.depthwise_conv2d(x, weights(3, 3, 8, 1) * 3, [1, 1, 1, 1], "SAME"))


def residual(x):
    """A block with a projection beside it, then one without."""
    x = relu(x)
    first = tf.nn.relu(convolution(relu(x)) + convolution(x, size=1))
    return tf.nn.relu(first + convolution(relu(first)))


def pooled(x):
    return relu(tf.nn.max_pool2d(relu(x), 2, 2, "SAME"))


def averaged(x):
    return relu(tf.nn.avg_pool2d(relu(x), 2, 2, "SAME"))


def inception(x):
    """Branches of different ranges meet."""
    x = relu(x)
    return relu(tf.concat([relu(x), relu(x, size=1, channels=16)], -1))


GRAPHS = {
    "alone": (lambda x: convolution(x), {f"{CONVOLUTION}AndRequantize": 1, "QuantizeV2": 1}),
    "relu": (relu, {f"{CONVOLUTION}AndReluAndRequantize": 1, "QuantizeV2": 1}),
    "separable": (
        separable,
        {
            f"{CONVOLUTION}AndReluAndRequantize": 1,
            DEPTHWISE: 1,
            PRODUCT: 1,
            "QuantizeV2": 1,
        },
    ),
    "linear_depthwise": (linear_depthwise, {f"{CONVOLUTION}AndReluAndRequantize": 1, DEPTHWISE: 1, "QuantizeV2": 1}),
    "averaged": (averaged, {f"{CONVOLUTION}AndReluAndRequantize": 2, "QuantizedAvgPool": 1, "QuantizeV2": 1}),
    "residual": (
        residual,
        {
            f"{CONVOLUTION}AndReluAndRequantize": 3,
            f"{CONVOLUTION}AndRequantize": 1,
            f"{CONVOLUTION}SignedSumAndReluAndRequantize": 1,
            f"{CONVOLUTION}SumAndReluAndRequantize": 1,
            "QuantizeV2": 1,
        },
    ),
    "pooled": (pooled, {f"{CONVOLUTION}AndReluAndRequantize": 2, "QuantizedMaxPool": 1, "QuantizeV2": 1}),
    "inception": (inception, {f"{CONVOLUTION}AndReluAndRequantize": 4, "QuantizedConcatV2": 1, "QuantizeV2": 1}),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_everything_is_computed_in_8_bits_and_close(name, rows, tmp_path):
    build, wanted = GRAPHS[name]
    graph = graph_of(build, ROWS)
    done = after("quantize_nodes_calibrated", graph, tmp_path, calibration=rows)

    assert eight_bits(done) == wanted
    assert operations(done)["Dequantize"] == (0 if "_QuantizedMatMul" in wanted else 1)
    assert not operations(done).keys() & {"Conv2D", "DepthwiseConv2dNative", "Relu", "AddV2", "MaxPool", "AvgPool"}
    assert noise(answer(done, ROWS), answer(graph, ROWS)) < 0.05


def test_layers_named_stay_float(rows, tmp_path):
    graph = graph_of(pooled, ROWS)
    (first, *_) = [node.name for node in graph.graph_def.node if node.op == "Conv2D"]
    done = after("quantize_nodes_calibrated", graph, tmp_path, calibration=rows, keep_float=first)

    assert [node.name for node in done.graph_def.node if node.op == "Conv2D"] == [first]
    assert noise(answer(done, ROWS), answer(graph, ROWS)) < 0.05


def test_a_layer_to_keep_float_that_is_not_there_is_named(rows, tmp_path):
    with pytest.raises(UnknownName, match="no convolution to keep float is called 'Conv'; did you mean 'Conv2D'"):
        after("quantize_nodes_calibrated", graph_of(relu, ROWS), tmp_path, calibration=rows, keep_float="Conv")


def test_a_sum_with_something_computed_in_floats_stays_outside(rows, tmp_path):
    graph = graph_of(lambda x: tf.nn.relu(convolution(x) + tf.sigmoid(x)), ROWS)
    done = after("quantize_nodes_calibrated", graph, tmp_path, calibration=rows)

    assert eight_bits(done) == {f"{CONVOLUTION}AndRequantize": 1, "QuantizeV2": 1}
    assert operations(done)["AddV2"] == 1
    assert noise(answer(done, ROWS), answer(graph, ROWS)) < 0.05


def test_a_sum_with_what_is_convolved_stays_outside(rows, tmp_path):
    """TensorFlow crashes where one tensor is both operands of the fused operation."""

    def build(x):
        x = relu(x)
        return tf.nn.relu(x + convolution(x))

    graph = graph_of(build, ROWS)
    done = after("quantize_nodes_calibrated", graph, tmp_path, calibration=rows)

    assert operations(done)["AddV2"] == 1
    assert noise(answer(done, ROWS), answer(graph, ROWS)) < 0.05


def test_a_grouped_convolution_stays_float(rows, tmp_path):
    graph = graph_of(lambda x: tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 4, 8), 1, "SAME")), ROWS)

    assert eight_bits(after("quantize_nodes_calibrated", graph, tmp_path, calibration=rows)) == {}


def test_a_pictures_first_layers_stay_float(tmp_path):
    pictures = ROWS[..., :3]
    np.save(tmp_path / "pictures.npy", pictures)
    graph = graph_of(separable, pictures)
    done = after("quantize_nodes_calibrated", graph, tmp_path, calibration=str(tmp_path / "pictures.npy"))

    assert eight_bits(done) == {PRODUCT: 1, "QuantizeV2": 1}
    assert {"Conv2D", "DepthwiseConv2dNative"} <= operations(done).keys()


def test_signed_values_are_rounded_to_the_nearest_of_their_steps(tmp_path):
    """The values lie on the steps, so that nothing is lost but by rounding the weights."""
    steps = RNG.integers(-127, 128, (32, 16, 16, 8)).astype(np.float32)
    np.save(tmp_path / "steps.npy", steps)
    graph = graph_of(lambda x: tf.nn.conv2d(x, np.eye(8, dtype=np.float32)[None, None], 1, "SAME"), steps)
    done = after(
        "quantize_nodes_calibrated", graph, tmp_path, calibration=str(tmp_path / "steps.npy"), percentile="100"
    )

    np.testing.assert_allclose(answer(done, steps), steps, atol=0.01)


def test_what_reads_floats_is_taken_by_itself_and_the_rest_of_its_line_two_by_two():
    graph = graph_of(separable, ROWS)
    groups = stretches(find(Edit(graph), ()))

    assert [[each.layer.node.op for each in group] for group in groups] == [
        ["Conv2D"],
        ["DepthwiseConv2dNative", "Conv2D"],
    ]


def test_of_layers_that_multiply_alike_the_one_that_gives_fewer_values_costs_less_time_in_floats(rows):
    graph = graph_of(lambda x: convolution(relu(x, channels=32, size=1), size=1), ROWS)
    found = most_damaging(Calibrated.of(graph, calibration.locate(Path(rows), 4), None), [], lambda *_: None)
    fewer, more = sorted(found, key=lambda each: each.time)

    assert len(fewer.names) == len(more.names) == 1
    assert fewer.share == more.share == 0.5
    assert fewer.time < more.time
    assert fewer.worth == fewer.damage / fewer.time


def test_weights_that_were_trained_for_8_bits_lose_nothing():
    """They lie on steps of one width, which is not that of the largest of them."""
    steps = RNG.integers(-100, 101, (3, 3, 8, 16))
    graph = graph_of(lambda x: tf.nn.conv2d(x, (steps * 0.0173).astype(np.float32), 1, "SAME"), ROWS)
    (layer,) = layers(Edit(graph))
    stored, scales = layer.quantized(Edit(graph).constant(layer.weights))

    np.testing.assert_array_equal(stored, steps)
    np.testing.assert_allclose(scales, 0.0173, rtol=1e-4)


@pytest.mark.parametrize("ranges", [{}, {"percentile": "99"}], ids=["least error", "percentile"])
def test_outliers_are_left_out(ranges, tmp_path):
    """One wild value a row would leave all others a few of the 255 steps."""
    wild = ROWS.copy()
    wild[:, 0, 0, 0] = 100
    np.save(tmp_path / "wild.npy", wild)
    graph = graph_of(lambda x: convolution(x), ROWS)
    files = {"calibration": str(tmp_path / "wild.npy")}
    (tmp_path / "clipped").mkdir()
    whole = after("quantize_nodes_calibrated", graph, tmp_path, **files, percentile="100")
    clipped = after("quantize_nodes_calibrated", graph, tmp_path / "clipped", **files, **ranges)
    wanted = answer(graph, ROWS)

    assert noise(answer(clipped, ROWS), wanted) < noise(answer(whole, ROWS), wanted)


def test_a_graph_is_measured_once_and_another_of_the_same_names_for_itself(rows, tmp_path):
    one, other = (graph_of(lambda x: convolution(x), ROWS) for _ in range(2))
    with remembered():
        first, second = (eight_bits_of(graph, rows, tmp_path) for graph in (one, other))
        np.save(rows, 9 * ROWS)
        again = eight_bits_of(one, rows, tmp_path)
    wider = eight_bits_of(one, rows, tmp_path)
    np.save(rows, ROWS)

    assert again == first != wider
    assert second == eight_bits_of(other, rows, tmp_path) != first


def eight_bits_of(graph, rows, folder):
    with TemporaryDirectory(dir=folder) as scratch:
        return after("quantize_nodes_calibrated", graph, Path(scratch), calibration=rows).graph_def
