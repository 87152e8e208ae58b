"""Counting arithmetic: from shapes alone, inside functions, loops, branches and engines too."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

from converters import arithmetic, graphs

v1 = tf.compat.v1
SIDE, WIDTH = 8, 4
CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")


def in_graph(build, shape):
    with tf.Graph().as_default() as graph:
        build(v1.placeholder(tf.float32, shape, "x"))
    return graph.as_graph_def()


def in_function(build, shape):
    concrete = tf.function(build).get_concrete_function(tf.TensorSpec(shape, tf.float32, "x"))
    return concrete.graph.as_graph_def()


def product(x):
    return tf.matmul(x, tf.ones([WIDTH, 3]), name="product")


def kernel(*shape):
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("build", "wanted"),
    [
        (lambda x: tf.nn.conv2d(x, kernel(3, 3, 4, 5), 2, "SAME", name="made"), 2 * 4 * 4 * 5 * 3 * 3 * 4),
        (lambda x: tf.nn.conv2d(x, kernel(3, 3, 2, 6), 1, "SAME", name="made"), 2 * 8 * 8 * 6 * 3 * 3 * 2),
        (lambda x: tf.nn.depthwise_conv2d(x, kernel(3, 3, 4, 1), [1] * 4, "SAME", name="made"), 2 * 8 * 8 * 4 * 9),
        (lambda x: tf.matmul(x, x, transpose_b=True, name="made"), 2 * 8 * 8 * 8 * 4),
    ],
    ids=["strided", "grouped", "depthwise", "batched_product"],
)
def test_a_multiplication_and_an_addition_are_two(build, wanted):
    graph_def = in_graph(build, [None, SIDE, SIDE, WIDTH])
    found = arithmetic.count(graph_def, {"x:0": [3, SIDE, SIDE, WIDTH]})

    assert sum(found.flops[name] for name in found.flops if name.startswith("made")) == 3 * wanted


def test_an_open_batch_counts_as_one_and_other_open_sizes_are_named():
    graph_def = in_graph(product, [None, WIDTH])
    pooled = in_graph(lambda x: tf.nn.relu(tf.add(x, 1.0, name="added")), [None, None, 3])

    assert arithmetic.flops(graph_def, {}) == {"product": 2 * WIDTH * 3}
    assert arithmetic.flops(graph_def, {}, batch=7) == {"product": 7 * 2 * WIDTH * 3}
    assert arithmetic.count(pooled, {}).open == ("added",)


def test_large_weights_are_not_needed_to_count():
    graph_def = in_graph(lambda x: tf.matmul(x, kernel(WIDTH, 1000), name="product"), [1, WIDTH])

    assert arithmetic.flops(graph_def, {}) == {"product": 2 * WIDTH * 1000}


def test_functions_count_where_they_are_called():
    inner = tf.function(product)
    found = arithmetic.count(in_function(lambda x: inner(x) + inner(2 * x), [5, WIDTH]), {})
    products = {name: count for name, count in found.flops.items() if found.types[name] == "MatMul"}

    assert list(products.values()) == [5 * 2 * WIDTH * 3] * 2
    assert all(name.endswith("/product") for name in products)


def test_a_round_of_a_loop_and_every_branch_count_once():
    def loop(x):
        return tf.while_loop(lambda y: tf.reduce_sum(y) < 9, lambda y: [tf.matmul(y, tf.eye(WIDTH), name="turn")], [x])

    def branches(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: product(x), lambda: product(x) + product(x))

    for build, times in ((loop, WIDTH), (branches, 3 * 3)):
        found = arithmetic.count(in_function(build, [5, WIDTH]), {})
        assert sum(n for name, n in found.flops.items() if found.types[name] == "MatMul") == 5 * 2 * WIDTH * times


def test_variables_weigh_what_their_shape_says(saved_model, frozen_graph):
    """The model as functions over variables, and frozen."""
    saved, frozen = graphs.meta_graph(saved_model).graph_def, GraphDef.FromString(frozen_graph.read_bytes())
    counts = [
        arithmetic.count(graph_def, {"serving_default_inputs": shape, "image_tensor": shape})
        for graph_def, shape in ((saved, (1, 64, 64, 3)), (frozen, (1, 64, 64, 3)))
    ]

    convolutions = [[n for name, n in each.flops.items() if each.types[name] == "Conv2D"] for each in counts]
    assert sorted(convolutions[0]) == sorted(convolutions[1])
    assert len(convolutions[0]) == 3


def test_what_is_in_a_tensorrt_engine_is_told_by_its_name():
    graph_def = in_graph(lambda x: tf.identity(product(x), "y"), [2, WIDTH])
    node = next(node for node in graph_def.node if node.name == "product")
    weights = node.input[1]
    function = tf.function(lambda x, w: tf.matmul(x, w, name="inside")).get_concrete_function(
        tf.TensorSpec(None, tf.float32), tf.TensorSpec(None, tf.float32)
    )
    graph_def.library.function.add().CopyFrom(function.function_def)
    node.Clear()
    node.name, node.op = "engine", "TRTEngineOp"
    node.input.extend(["x", weights])
    node.attr["segment_func"].func.name = function.function_def.signature.name
    for key in ("InT", "OutT"):
        node.attr[key].list.type.extend([tf.float32.as_datatype_enum] * (2 if key == "InT" else 1))
    next(each for each in graph_def.node if each.name == "y").input[0] = "engine"

    assert arithmetic.flops(graph_def, {}) == {"engine/inside": 2 * 2 * WIDTH * 3}


@pytest.mark.parametrize("name", ["_FusedMatMul", "MatMul"])
def test_fused_operations_count_as_what_they_compute(name):
    graph_def = in_graph(product, [2, WIDTH])
    node = next(node for node in graph_def.node if node.name == "product")
    node.op = name
    if name != "MatMul":
        node.attr["num_args"].i = 0
        for key in [key for key in node.attr if key.startswith("grad_")]:
            del node.attr[key]

    assert arithmetic.flops(graph_def, {}) == {"product": 2 * 2 * WIDTH * 3}


def counted(material, *parts):
    graph_def = GraphDef.FromString(material.joinpath("models", *parts).read_bytes())
    found = arithmetic.count(graph_def, {"image_tensor": (1, 480, 640, 3)})
    convolutions = sum(n for name, n in found.flops.items() if found.types[name] in CONVOLUTIONS)
    return found, convolutions


def test_a_real_classifier_computes_what_its_paper_says(material):
    """MobileNetV2 is said to take 300 million multiplications and additions."""
    _, convolutions = counted(material, "mobilenet_v2_imagenet", "mobilenet_v2_1.0_224_frozen.pb")

    assert convolutions == pytest.approx(600e6, rel=0.01)


def test_shapes_are_followed_through_the_loop_in_front_of_a_real_detector(material):
    found, convolutions = counted(material, "ssd_mobilenet_v1_coco", "frozen_inference_graph.pb")

    assert convolutions > 0.99 * sum(found.flops.values())
    assert all("/while/" in name for name in found.open)  # where loops count their rounds
