"""Graphs made ready for engines: known sizes, suppression without a loop, slices that TensorRT knows."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import after, answer, graph_of, operations

from converters import graphs
from converters.loops.trial import drawn_boxes, drawn_scores
from converters.remarks import collected
from model_config.errors import BuildError

PICTURES = np.random.default_rng(0).random((3, 8, 8, 4)).astype(np.float32)


def flattened(x):
    """As exporters write it: the target is computed, though only the batch is unknown."""
    return tf.reshape(x, tf.stack([tf.shape(x)[0], tf.size(x[0])]))


def test_a_reshape_whose_target_only_the_batch_decides_gets_a_constant_target(tmp_path):
    graph = graph_of(flattened, PICTURES)

    static = after("static_shapes", graph, tmp_path)

    assert graphs.imported(static.graph_def).get_tensor_by_name("y:0").shape.as_list() == [None, 256]
    assert "Shape" not in operations(static)
    for batch in (1, 3):
        np.testing.assert_array_equal(answer(static, PICTURES[:batch]), PICTURES[:batch].reshape(batch, -1))


def test_a_reshape_that_mixes_the_batch_with_others_stays(tmp_path):
    graph = graph_of(lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0] * 2, 2, 64])), PICTURES)

    static = after("static_shapes", graph, tmp_path)

    np.testing.assert_array_equal(answer(static, PICTURES), PICTURES.reshape(6, 2, 64))


def test_what_is_counted_from_values_stays_computed(tmp_path):
    graph = graph_of(lambda x: tf.fill([tf.reduce_sum(tf.cast(x > 0.5, tf.int32))], 1.0), PICTURES)

    static = after("static_shapes", graph, tmp_path)

    assert len(answer(static, PICTURES)) == (PICTURES > 0.5).sum()
    assert len(answer(static, PICTURES[:1])) == (PICTURES[:1] > 0.5).sum()


def any_size(x):
    return tf.reduce_mean(tf.nn.conv2d(x, np.ones((3, 3, 4, 2), np.float32), 1, "SAME"), [1, 2])


def open_graph(build):
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, None, None, 4], "x")
        tf.identity(build(x), "y")
    graph_def = graph.as_graph_def()
    return graphs.Graph(graph_def, graphs.DEFAULT_KEY, graphs.signature_of(graph_def, ["x:0"], ["y:0"]))


def test_layers_of_any_size_get_one_and_other_pictures_are_refused(tmp_path):
    graph = open_graph(any_size)

    fixed = after("fix_input_size", graph, tmp_path, size="8x8")

    assert fixed.signature == graph.signature
    np.testing.assert_allclose(answer(fixed, PICTURES), answer(graph, PICTURES))
    with pytest.raises(tf.errors.InvalidArgumentError, match="is not compatible with expected shape"):
        answer(fixed, np.zeros((1, 9, 8, 4), np.float32))


def test_a_graph_that_resizes_its_pictures_keeps_taking_any(tmp_path):
    graph = open_graph(lambda x: any_size(tf.image.resize(x, (6, 6))))

    fixed = after("fix_input_size", graph, tmp_path, size="8x8")

    assert operations(fixed) == operations(graph)


def test_a_size_is_height_and_width(tmp_path):
    with pytest.raises(BuildError, match="such as 640x640, not '640'"):
        after("fix_input_size", open_graph(any_size), tmp_path, size="640")


def suppressing(anchors, classes, own_boxes=False, **limits):
    """Boxes and scores in one tensor [batch, anchors, values], as NMS takes them apart, and all it answers in one."""
    boxes = classes if own_boxes else 1
    rule = {"max_output_size_per_class": 20, "max_total_size": 20, "iou_threshold": 0.5, "score_threshold": 0.05}

    def build(x):
        given = tf.reshape(x[..., : 4 * boxes], [-1, anchors, boxes, 4])
        found = tf.image.combined_non_max_suppression(given, x[..., 4 * boxes :], **{**rule, **limits})
        columns = [found[0], found[1][..., None], found[2][..., None]]
        return tf.concat([*columns, tf.cast(found[3], tf.float32)[:, None, None] * tf.ones_like(columns[1])], -1)

    return build


def drawn(pictures, anchors, classes, boxes=1):
    draw = np.random.default_rng(7)
    given = drawn_boxes(draw, (pictures, anchors, boxes, 4)).reshape(pictures, anchors, -1)
    return np.concatenate([given, drawn_scores(draw, (pictures, anchors, classes), anchors // 2, 0.0)], -1)


@pytest.mark.parametrize(
    ("own_boxes", "limits"),
    [
        pytest.param(False, {}, id="one box an anchor"),
        pytest.param(True, {}, id="a box for each class"),
        pytest.param(False, {"max_output_size_per_class": 3}, id="few of each class"),
        pytest.param(False, {"clip_boxes": False}, id="boxes as they are"),
        pytest.param(False, {"score_threshold": 0.6}, id="good ones only"),
        pytest.param(False, {"iou_threshold": 0.05}, id="long chains"),
    ],
)
def test_suppression_answers_the_same_without_its_operation(own_boxes, limits, tmp_path):
    fed = drawn(6, 120, 5, 5 if own_boxes else 1)
    graph = graph_of(suppressing(120, 5, own_boxes, **limits), fed)

    unrolled = after("unrolled_nms", graph, tmp_path)

    assert "CombinedNonMaxSuppression" not in operations(unrolled)
    for batch in (fed, fed[:1]):
        np.testing.assert_allclose(answer(unrolled, batch), answer(graph, batch), atol=1e-5)


def test_suppression_that_answers_more_than_it_looks_at_stays(tmp_path):
    fed = drawn(2, 30, 2)
    graph = graph_of(suppressing(30, 2), fed)

    with collected() as heard:
        kept = after("unrolled_nms", graph, tmp_path, candidates="10")

    assert "CombinedNonMaxSuppression" in operations(kept)
    assert "stays: it answers 20 boxes of 10" in heard[0]


def test_the_best_anchors_are_enough_for_the_boxes_that_are_answered(tmp_path):
    fed = drawn(4, 500, 3)
    graph = graph_of(suppressing(500, 3), fed)

    limited = after("limit_candidates", graph, tmp_path, candidates="300")

    assert operations(limited)["TopKV2"] == 1
    np.testing.assert_allclose(answer(limited, fed), answer(graph, fed), atol=1e-6)


@pytest.mark.parametrize("name", ["limit_candidates", "unrolled_nms"])
@pytest.mark.parametrize("candidates", ["0", "many"])
def test_candidates_are_counted(name, candidates, tmp_path):
    with pytest.raises(BuildError, match=f"not '{candidates}'"):
        after(name, graph_of(suppressing(30, 2), drawn(1, 30, 2)), tmp_path, candidates=candidates)


def test_unpacking_becomes_slices_and_a_new_axis_becomes_an_operation(tmp_path):
    def build(x):
        one, two, *_ = tf.unstack(x, axis=-1)
        return tf.concat([(one - two)[:, :, tf.newaxis], x[:, :, :, 1][:, :, tf.newaxis]], 2)

    graph = graph_of(build, PICTURES)

    plain = after("plain_slices", graph, tmp_path)

    assert "Unpack" not in operations(plain)
    assert operations(plain)["ExpandDims"] == 2
    np.testing.assert_array_equal(answer(plain, PICTURES), answer(graph, PICTURES))


def test_the_batch_itself_is_not_taken_apart(tmp_path):
    fed = PICTURES[:2]
    with tf.Graph().as_default() as whole:
        x = tf.compat.v1.placeholder(tf.float32, [2, *fed.shape[1:]], "x")
        tf.identity(tf.unstack(x)[1], "y")
    graph_def = whole.as_graph_def()
    graph = graphs.Graph(graph_def, graphs.DEFAULT_KEY, graphs.signature_of(graph_def, ["x:0"], ["y:0"]))

    assert operations(after("plain_slices", graph, tmp_path))["Unpack"] == 1
