"""Batch norms of every kind become part of the weights before them, and the answers stay."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import after, answer, graph_of, operations
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.versions_pb2 import VersionDef

from converters import graphs
from model_config.errors import BuildError

CHANNELS = 6
RNG = np.random.default_rng(11)
PICTURES = RNG.normal(size=(2, 8, 8, 3)).astype(np.float32)
ROWS = RNG.normal(size=(5, 10)).astype(np.float32)


def numbers(*shape):
    return tf.constant(RNG.normal(size=shape).astype(np.float32))


def positive(*shape):
    return tf.constant(RNG.uniform(0.5, 2.0, shape).astype(np.float32))


def convolution(x):
    return tf.nn.conv2d(x, numbers(3, 3, 3, CHANNELS), 2, "SAME")


def depthwise(x):
    return tf.nn.depthwise_conv2d(x, numbers(3, 3, 3, 2), [1, 1, 1, 1], "VALID")


def product(x):
    return tf.linalg.matmul(x, numbers(10, CHANNELS))


def turned_product(x):
    return tf.linalg.matmul(x, numbers(CHANNELS, 10), transpose_b=True)


def fused(op):
    def norm(x, **layout):
        names, numbers_ = ("scale", "offset", "mean"), (numbers(CHANNELS) for _ in range(3))
        return op(x=x, **dict(zip(names, numbers_)), variance=positive(CHANNELS), is_training=False, **layout)[0]

    return norm


def global_norm(scaled):
    def norm(x):
        tf.import_graph_def(GraphDef(versions=VersionDef(producer=8)))  # graphs of that age only may have it
        mean, variance, beta, gamma = numbers(CHANNELS), positive(CHANNELS), numbers(CHANNELS), numbers(CHANNELS)
        names = ("t", "m", "v", "beta", "gamma")
        values = dict(zip(names, (x, mean, variance, beta, gamma)))
        return tf.raw_ops.BatchNormWithGlobalNormalization(
            **values, variance_epsilon=1e-3, scale_after_normalization=scaled
        )

    return norm


def unfused(x):
    return x * positive(CHANNELS) + numbers(CHANNELS)


def four_steps(x):
    return (x - numbers(1, 1, 1, CHANNELS)) / positive(CHANNELS) * numbers(1, CHANNELS) + numbers(1)


def keras_norm(x):
    """Keras 3 computes factor and offset from four vectors."""
    return tf.nn.batch_normalization(
        x, numbers(CHANNELS), positive(CHANNELS), numbers(CHANNELS), numbers(CHANNELS), 1e-3
    )


def bias(x):
    return tf.nn.bias_add(x, numbers(CHANNELS))


def added(x):
    return numbers(CHANNELS) + x


NORMS = {
    "FusedBatchNorm": fused(tf.raw_ops.FusedBatchNorm),
    "FusedBatchNormV2": fused(tf.raw_ops.FusedBatchNormV2),
    "FusedBatchNormV3": fused(tf.raw_ops.FusedBatchNormV3),
    "global": global_norm(scaled=True),
    "global_unscaled": global_norm(scaled=False),
    "Mul_Add": unfused,
    "Sub_RealDiv_Mul_Add": four_steps,
    "keras": keras_norm,
}
LAYERS = {"Conv2D": convolution, "DepthwiseConv2dNative": depthwise, "MatMul": product, "turned_MatMul": turned_product}
BETWEEN = {"nothing": lambda x: x, "BiasAdd": bias, "Add": added}


ON_ROWS = ("Mul_Add", "keras")
KINDS = [(layer, norm) for layer in LAYERS for norm in (ON_ROWS if "MatMul" in layer else NORMS)]


def folded(graph, folder, **params):
    return after("fold_norms", after("fold_constants", graph, folder), folder, **params)


def assert_same(got, wanted):
    """Within float rounding: an answer is a sum of products whose factors were rounded once more."""
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize(("layer", "norm"), KINDS)
def test_a_norm_becomes_weights_and_one_bias(layer, norm, between, tmp_path):
    fed = ROWS if "MatMul" in layer else PICTURES
    graph = graph_of(lambda x: tf.nn.relu(NORMS[norm](BETWEEN[between](LAYERS[layer](x)))), fed)
    done = folded(graph, tmp_path)

    assert_same(answer(done, fed), answer(graph, fed))
    wanted = {layer.replace("turned_", ""): 1, "BiasAdd": 1, "Relu": 1, "Const": 2, "Placeholder": 1, "Identity": 1}
    assert operations(done) == wanted


def channels_first(norm):
    def build(x):
        maps = tf.nn.conv2d(tf.transpose(x, [0, 3, 1, 2]), numbers(3, 3, 3, CHANNELS), 1, "SAME", "NCHW")
        return tf.nn.relu(norm(maps))

    return build


@pytest.mark.parametrize(
    "norm",
    [
        lambda x: x * positive(CHANNELS, 1, 1) + numbers(1, CHANNELS, 1, 1),
        lambda x: NORMS["FusedBatchNormV3"](tf.nn.bias_add(x, numbers(CHANNELS), "NCHW"), data_format="NCHW"),
    ],
    ids=["Mul_Add", "BiasAdd_FusedBatchNormV3"],
)
def test_channels_may_come_first(norm, tmp_path):
    graph = graph_of(channels_first(norm), PICTURES)
    done = folded(graph, tmp_path)

    assert_same(answer(done, PICTURES), answer(graph, PICTURES))
    assert operations(done).keys() & {"Mul", "AddV2", "FusedBatchNormV3"} == set()


def test_a_constant_along_the_width_is_no_norm(tmp_path):
    graph = graph_of(channels_first(lambda x: x * positive(8)), PICTURES)

    assert operations(folded(graph, tmp_path))["Mul"] == 1


def test_a_norm_in_training_mode_stays(tmp_path):
    def build(x):
        return tf.raw_ops.FusedBatchNormV3(
            x=convolution(x), scale=numbers(CHANNELS), offset=numbers(CHANNELS), mean=[], variance=[]
        ).y

    assert operations(folded(graph_of(build, PICTURES), tmp_path))["FusedBatchNormV3"] == 1


def test_a_layer_that_others_read_too_stays(tmp_path):
    def build(x):
        maps = convolution(x)
        return unfused(maps) + tf.sigmoid(maps)

    graph = graph_of(build, PICTURES)
    done = folded(graph, tmp_path)

    assert_same(answer(done, PICTURES), answer(graph, PICTURES))
    assert operations(done)["Mul"] == 1


def test_a_layer_that_is_fetched_stays(tmp_path):
    graph = graph_of(lambda x: unfused(tf.identity(convolution(x), "fetched")), PICTURES)
    signature = graphs.signature_of(graph.graph_def, ["x:0"], ["y:0", "fetched:0"])
    done = folded(graphs.Graph(graph.graph_def, graph.key, signature), tmp_path)

    assert operations(done)["Mul"] == 1


def shared(x):
    weights = numbers(3, 3, 3, CHANNELS)
    return tf.add_n([unfused(tf.nn.conv2d(x * factor, weights, 1, "SAME")) for factor in (1.0, 2.0)])


@pytest.mark.parametrize(("shared_weights", "left", "weights"), [("keep", 2, 1), ("copy", 0, 2)])
def test_shared_weights_are_copied_only_where_that_is_wanted(shared_weights, left, weights, tmp_path):
    graph = graph_of(shared, PICTURES)
    done = folded(graph, tmp_path, shared_weights=shared_weights)
    read = {node.input[1] for node in done.graph_def.node if node.op == "Conv2D"}

    assert_same(answer(done, PICTURES), answer(graph, PICTURES))
    # the two multiplications in front of the layers are none of its business
    assert operations(done)["Mul"] == left + 2
    assert len(read) == weights


def test_an_unknown_word_for_shared_weights_is_refused(tmp_path):
    with pytest.raises(BuildError, match="keep and copy"):
        folded(graph_of(shared, PICTURES), tmp_path, shared_weights="move")
