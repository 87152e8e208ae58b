"""The loop that prepares picture after picture becomes operations on the whole batch, or stays."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from loops import answers, save, save_functional

from converters import graphs, registry
from converters.remarks import collected

tf1 = tf.compat.v1


def fixed(picture):
    """As the Object Detection API's fixed_shape_resizer does it, with the shape that is not padding."""
    resized = tf1.image.resize_images(picture, [12, 10], align_corners=True)
    return [resized * (2.0 / 255.0) - 1.0, tf.stack([12, 10, tf.shape(picture)[2]])]


def nearest(picture):
    resized = tf1.image.resize_images(picture, [7, 9], tf1.image.ResizeMethod.NEAREST_NEIGHBOR)
    return [resized - tf.constant([123.0, 117.0, 104.0]), tf.shape(resized)]


def padded(picture):
    """As the API's keep_aspect_ratio_resizer does it, the scale from the picture's own size."""
    size = tf.cast(tf.shape(picture)[:2], tf.float32)
    size = tf.cast(tf.round(size * (16.0 / tf.reduce_max(size))), tf.int32)
    resized = tf1.image.resize_images(picture, size)
    missing = 16 - size
    return [tf.pad(resized, [[0, missing[0]], [0, missing[1]], [0, 0]]), tf.concat([size, [3]], 0)]


def standardized(picture):
    """Per picture: its own mean and deviation, other channel order."""
    picture = tf.reverse(tf.transpose(picture, [1, 0, 2]), [-1])
    mean = tf.reduce_mean(picture, [0, 1, 2], keepdims=True)
    deviation = tf.sqrt(tf.reduce_mean(tf.square(picture - mean), [0, 1, 2], keepdims=True))
    return [(picture - mean) / tf.maximum(deviation, 1.0), tf.shape(picture)]


def cropped(picture):
    red, _, blue = tf.unstack(picture[2:-2, 1:20], 3, axis=-1)
    flat = tf.reshape(tf.slice(tf.stack([red, blue], axis=-1), [1, 2, 0], [-1, 5, 2]), [-1, 10])
    return [flat, tf.constant([1, 2, 3])]


def blank(picture):
    """Nothing of the picture but its size."""
    return [tf.fill(tf.shape(picture)[:2], 0.5), tf.shape(picture)]


PREPARATIONS = {each.__name__: each for each in (fixed, nearest, padded, standardized, cropped, blank)}


INPUTS = {"image_tensor": tf.TensorSpec([None, None, None, 3], tf.uint8)}


def graph(prepare, scope="Preprocessor"):
    def build(image_tensor):
        pictures = tf.cast(image_tensor, tf.float32)
        with tf1.name_scope(scope):
            made, shapes = tf.map_fn(prepare, pictures, fn_output_signature=[tf.float32, tf.int32])
        return {"prepared": made + 1.0, "true_shapes": shapes}

    return build


def rewrite(folder, target):
    with collected() as remarks:
        registry.find("vectorize_preprocessing")(folder, target)
    return target, remarks


def operation_types(folder):
    return {node.op for node in graphs.meta_graph(folder).graph_def.node}


def drawn(seed, pictures, height=23, width=31):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (pictures, height, width, 3), np.uint8)


def assert_same_answers(one, other, pictures):
    wanted, got = answers(one, image_tensor=pictures), answers(other, image_tensor=pictures)
    assert wanted.keys() == got.keys()
    for name in wanted:
        assert wanted[name].dtype == got[name].dtype
        np.testing.assert_allclose(got[name], wanted[name], atol=1e-4, err_msg=name)


@pytest.fixture(scope="module", params=["TensorFlow 1", "TensorFlow 2"])
def writer(request):
    return {"TensorFlow 1": save, "TensorFlow 2": save_functional}[request.param]


@pytest.fixture(scope="module", params=PREPARATIONS.values(), ids=PREPARATIONS.keys())
def pair(request, writer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("preparation")
    before = writer(folder / "before", graph(request.param), INPUTS)
    after, remarks = rewrite(before, folder / "after")
    return before, after, remarks


def test_no_loop_is_left(pair):
    before, after, remarks = pair

    assert {"Enter", "Exit"} <= operation_types(before)
    assert not {"Enter", "Exit", "TensorArrayV3", "TensorListStack"} & operation_types(after)
    assert graphs.signatures(before) == graphs.signatures(after)
    assert "operations on the whole batch" in remarks[0]


@settings(max_examples=8)
@given(seed=st.integers(0, 2**31), pictures=st.integers(1, 4), height=st.integers(8, 60), width=st.integers(24, 60))
def test_pictures_are_prepared_as_by_the_loop(pair, seed, pictures, height, width):
    before, after, _ = pair

    assert_same_answers(before, after, drawn(seed, pictures, height, width))


def test_a_batch_is_prepared_as_its_pictures_one_by_one(pair):
    _, after, _ = pair
    pictures = drawn(1, 8)
    together = answers(after, image_tensor=pictures)
    alone = [answers(after, image_tensor=picture[None]) for picture in pictures]

    for name, value in together.items():
        np.testing.assert_allclose(value, np.concatenate([each[name] for each in alone]), atol=1e-5)


def test_a_second_run_changes_nothing(pair, tmp_path):
    _, after, _ = pair
    again, remarks = rewrite(after, tmp_path / "again")

    assert graphs.meta_graph(again).graph_def == graphs.meta_graph(after).graph_def
    assert "no loop" in remarks[0]


def test_names_do_not_matter(tmp_path):
    before = save(tmp_path / "before", graph(fixed, "my/own/words"), INPUTS)
    after, _ = rewrite(before, tmp_path / "after")

    assert "Enter" not in operation_types(after)
    assert_same_answers(before, after, drawn(2, 3))


def random_brightness(picture):
    return [picture * tf.random.uniform([]), tf.shape(picture)]


def largest_only(picture):
    bright = tf.boolean_mask(tf.reshape(picture, [-1]), tf.reshape(picture, [-1]) > 200.0)
    return [tf.reduce_sum(bright), tf.shape(picture)]


@pytest.mark.parametrize(("prepare", "words"), [(random_brightness, "RandomUniform"), (largest_only, "Where")])
def test_what_has_no_batched_form_stays_and_is_named(prepare, words, tmp_path):
    before = save(tmp_path / "before", graph(prepare), INPUTS)
    after, remarks = rewrite(before, tmp_path / "after")

    assert words in remarks[0]
    assert graphs.meta_graph(after).graph_def == graphs.meta_graph(before).graph_def


def test_a_loop_whose_rounds_see_each_other_stays(tmp_path):
    def build(image_tensor):
        pictures = tf.cast(image_tensor, tf.float32)
        return {"sums": tf.scan(lambda before, picture: before + picture, pictures)}

    before = save(tmp_path / "before", build, INPUTS)
    after, remarks = rewrite(before, tmp_path / "after")

    assert "no loop over pictures" in remarks[0]
    assert graphs.meta_graph(after).graph_def == graphs.meta_graph(before).graph_def


def test_a_loop_that_counts_its_pictures_stays(tmp_path):
    def build(image_tensor):
        pictures = tf.cast(image_tensor, tf.float32)
        numbered = tf.TensorArray(tf.float32, tf.shape(pictures)[0]).unstack(pictures)

        def body(number, made):
            return number + 1, made.write(number, numbered.read(number) * tf.cast(number, tf.float32))

        made = tf.TensorArray(tf.float32, tf.shape(pictures)[0])
        return {"made": tf.while_loop(lambda n, _: n < tf.shape(pictures)[0], body, [0, made])[1].stack()}

    before = save(tmp_path / "before", build, INPUTS)
    after, remarks = rewrite(before, tmp_path / "after")

    assert "no loop over pictures" in remarks[0]
    assert graphs.meta_graph(after).graph_def == graphs.meta_graph(before).graph_def
