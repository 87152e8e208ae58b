"""What a model is asked with before it is published, as far as its signature and its graph tell."""

from __future__ import annotations

import shutil

import pytest
import tensorflow as tf
import tiny

from converters import graphs
from converters.checking import checks, inputs, verify
from model_config import base_path
from model_config.models import Model
from model_config.signatures import Signature, Tensor

KEY = graphs.DEFAULT_KEY
X = tf.TensorSpec([None, 3], tf.float32, name="x")


def checked(source, folder, model=None, key=KEY):
    """The checks of a model against itself, and its copy with what was put beside it."""
    copy = shutil.copytree(source, folder / "result")
    model = model or Model(name="m", batch_sizes=(1, 4))
    return checks.check(copy, source, key, model, verify.ask), copy


def test_what_the_source_model_refuses_itself_is_a_remark(tmp_path):
    picky = tiny.save_function(tmp_path / "picky", lambda x: {"y": tf.debugging.check_numerics(x / 0.0, "never")}, X)
    found, servable = checked(picky, tmp_path)

    assert all("the source model itself refuses random values: never" in check.remark for check in found)
    assert not (servable / base_path.WARM_UP).exists()


def test_strings_that_the_graph_does_not_explain_are_not_asked(tmp_path):
    found, servable = checked(tiny.save_dense(tmp_path / "dense"), tmp_path, key="slen")

    assert {check.remark for check in found} == {
        "the graph does not show what the strings of s hold, so none were sent"
    }
    assert [check.batch_size for check in found] == [1, 4]
    assert not (servable / base_path.WARM_UP).exists()


def test_a_model_of_one_batch_size_is_asked_in_that_one(tmp_path):
    fixed = tf.TensorSpec([4, 3], tf.float32, name="x")
    found, _ = checked(tiny.save_function(tmp_path / "fixed", lambda x: {"y": x}, fixed), tmp_path)

    assert [(check.batch_size, check.remark) for check in found] == [(4, None), (1, "the model takes 4 at a time")]


def test_encoded_pictures_are_sent_as_the_graph_decodes_them(tmp_path):
    def shape_of(files):
        decode = lambda file: tf.shape(tf.io.decode_jpeg(file, channels=3))  # noqa: E731
        return {"shape": tf.map_fn(decode, files, fn_output_signature=tf.int32)}

    source = tiny.save_function(tmp_path / "encoded", shape_of, tf.TensorSpec([None], tf.string, name="files"))
    found, _ = checked(source, tmp_path)

    assert [check.outputs["shape"].shape for check in found] == [(1, 3), (4, 3)]


def test_examples_are_made_of_the_features_the_graph_parses(tmp_path):
    def parsed(serialized):
        wanted = {"a": tf.io.FixedLenFeature([2], tf.float32), "b": tf.io.FixedLenFeature([], tf.int64)}
        return tf.io.parse_example(serialized, {**wanted, "c": tf.io.FixedLenFeature([], tf.string)})

    source = tiny.save_function(tmp_path / "examples", parsed, tf.TensorSpec([None], tf.string, name="serialized"))
    found, _ = checked(source, tmp_path)

    assert {name: each.shape for name, each in found[1].outputs.items()} == {"a": (4, 2), "b": (4,), "c": (4,)}


@pytest.mark.parametrize(
    "name", ["tensorflow_template_application_model/1", "deep_image_model/1", "tensorflow_estimator_model/1533527330"]
)
def test_real_models_of_the_first_tensorflow_answer(name, material, tmp_path):
    found, _ = checked(material / "models" / "simple_saved_models" / "models" / name, tmp_path)

    assert [check.remark for check in found] == [None, None]
    assert all(check.outputs for check in found)


@pytest.mark.parametrize(
    ("tensor", "shape"),
    [
        (Tensor(dtype="uint8", shape=(None, None, None, 3)), (2, 320, 320, 3)),
        (Tensor(dtype="float32", shape=(None, 224, 224, 3)), (2, 224, 224, 3)),
        (Tensor(dtype="float16", shape=(None, 3, None, None)), (2, 3, 320, 320)),
        (Tensor(dtype="float32", shape=(None, None, None, None)), (2, 320, 320, 3)),
        (Tensor(dtype="bfloat16", shape=None), (2, 320, 320, 3)),
        (Tensor(dtype="uint8", shape=(None, None, 3)), (320, 320, 3)),
        (Tensor(dtype="int64", shape=(None, None)), (2, 16)),
        (Tensor(dtype="bool", shape=()), ()),
        (Tensor(dtype="complex64", shape=(None,)), (2,)),
    ],
    ids=str,
)
def test_open_sizes_get_sensible_ones(tensor, shape):
    meta = tf.compat.v1.MetaGraphDef()
    info = meta.signature_def[KEY].inputs["x"]
    info.dtype = tf.as_dtype(tensor.dtype).as_datatype_enum
    info.tensor_shape.CopyFrom(tf.TensorShape(tensor.shape).as_proto())
    made, again = (inputs.request(meta, KEY, 2, None).inputs["x"] for _ in range(2))

    assert (made.shape, tf.as_dtype(made.dtype).name) == (shape, tensor.dtype)
    assert made.tobytes() == again.tobytes()


def test_a_picture_without_a_batch_is_taken_one_at_a_time():
    signature = Signature(method_name="", inputs={"x": Tensor(dtype="uint8", shape=(None, None, 3))}, outputs={})

    assert inputs.batch_sizes(signature, (1, 8)) == (1,)
