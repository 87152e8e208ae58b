"""Frozen graphs: their ends found, what is in front of them cut off, all else kept."""

from __future__ import annotations

import pytest
import tensorflow as tf
from google.protobuf import text_format

from converters import graphs, sources
from model_config.errors import BadSource
from model_config.models import Model

tf1 = tf.compat.v1
OUTPUTS = ("detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0")


def load(tmp_path, path, **model):
    sources.locate(Model(name="m", source=path, **model)).load(tmp_path / "loaded")
    return graphs.signatures(tmp_path / "loaded")["serving_default"]


def test_a_frozen_graph_gets_its_own_names_without_the_zero(frozen_graph, tmp_path):
    signature = load(tmp_path, frozen_graph, outputs=OUTPUTS)

    assert set(signature.inputs) == {"image_tensor"}
    assert set(signature.outputs) == {name.removesuffix(":0") for name in OUTPUTS}
    assert signature.inputs["image_tensor"].dtype == "uint8"
    assert signature.inputs["image_tensor"].shape == (None, None, None, 3)
    assert signature.method_name == "tensorflow/serving/predict"


def test_a_detectors_outputs_are_known(frozen_graph, tmp_path):
    assert set(load(tmp_path, frozen_graph).outputs) == {name.removesuffix(":0") for name in OUTPUTS}


def test_names_may_come_without_the_zero(frozen_graph, tmp_path):
    signature = load(tmp_path, frozen_graph, inputs=("image_tensor",), outputs=("num_detections",))

    assert set(signature.outputs) == {"num_detections"}


def test_a_graph_with_an_operation_tensorflow_lacks_is_refused(frozen_graph, tmp_path):
    graph_def = sources.read_graph_def(frozen_graph)
    next(node for node in graph_def.node if node.op == "Conv2D").op = "Conv2DOfSomebody"
    path = tmp_path / "model.pb"
    path.write_bytes(graph_def.SerializeToString())

    with pytest.raises(BadSource, match="Conv2DOfSomebody"):
        load(tmp_path, path, outputs=OUTPUTS)


def test_several_ends_must_be_chosen_from(tmp_path):
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        tf.identity(x, name="one"), tf.identity(x, name="two")
    path = tmp_path / "model.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())

    with pytest.raises(BadSource, match=r"2 ends; say which .* one:0, two:0"):
        load(tmp_path, path)


def test_a_graph_in_text_form_is_the_same_model(frozen_graph, tmp_path):
    path = tmp_path / "graph.pbtxt"
    path.write_text(text_format.MessageToString(sources.read_graph_def(frozen_graph)))
    load(tmp_path, frozen_graph)
    (tmp_path / "loaded").rename(tmp_path / "binary")
    load(tmp_path, path)

    assert graphs.read(tmp_path / "loaded") == graphs.read(tmp_path / "binary")


def test_a_truncated_graph_in_text_form_is_refused(frozen_graph, tmp_path):
    path = tmp_path / "graph.pbtxt"
    path.write_text(text_format.MessageToString(sources.read_graph_def(frozen_graph))[:-100])

    with pytest.raises(BadSource, match="truncated or damaged: as a GraphDef in text form"):
        load(tmp_path, path)


@pytest.mark.parametrize(
    ("operation", "library"),
    [
        ("SentencepieceTokenizeOp", "tensorflow-text"),
        ("Addons>ImageProjectiveTransformV2", "tensorflow-addons"),
        ("Resampler", "tensorflow.contrib"),
        ("TFLite_Detection_PostProcess", "TensorFlow Lite"),
    ],
)
def test_an_unknown_operation_is_named_with_its_library(frozen_graph, tmp_path, operation, library):
    graph_def = sources.read_graph_def(frozen_graph)
    next(node for node in graph_def.node if node.op == "Conv2D").op = operation
    path = tmp_path / "model.pb"
    path.write_bytes(graph_def.SerializeToString())

    with pytest.raises(BadSource, match=f"{operation} .* which comes from {library}.*export the model without it"):
        load(tmp_path, path)


def write_graph(path, build):
    with tf.Graph().as_default() as graph:
        build()
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def test_an_unknown_operation_that_nothing_needs_is_left_out(tmp_path):
    def build():
        x = tf1.placeholder(tf.float32, [None], name="x")
        tf.identity(x, name="y"), tf.identity(x, name="z")

    path = write_graph(tmp_path / "model.pb", build)
    graph_def = sources.read_graph_def(path)
    next(node for node in graph_def.node if node.name == "z").op = "OfSomebody"
    path.write_bytes(graph_def.SerializeToString())

    assert set(load(tmp_path, path, outputs=("y",)).outputs) == {"y"}


def test_an_iterator_in_front_of_the_inputs_is_cut_off(tmp_path):
    def build():
        data = tf.data.Dataset.from_tensors(([1.0, 2.0], [3])).batch(1)
        picture, number = tf1.data.make_one_shot_iterator(data).get_next()
        tf.add(picture * 2.0, tf.cast(number, tf.float32), name="y")

    path = write_graph(tmp_path / "model.pb", build)
    inputs = ("IteratorGetNext:0", "IteratorGetNext:1")
    signature = load(tmp_path, path, inputs=inputs, outputs=("y",))
    loaded = tf.saved_model.load(str(tmp_path / "loaded")).signatures["serving_default"]

    assert {name: each.dtype for name, each in signature.inputs.items()} == {
        "IteratorGetNext": "float32",
        "IteratorGetNext_1": "int32",
    }
    feeds = {"IteratorGetNext": tf.constant([[1.0, 2.0]]), "IteratorGetNext_1": tf.constant([[10]])}
    assert loaded(**feeds)["y"].numpy().tolist() == [[12.0, 14.0]]
    operations = {node.op for node in graphs.nodes(graphs.meta_graph(tmp_path / "loaded").graph_def)}
    assert not operations & {"OneShotIterator", "IteratorGetNext", "BatchDatasetV2"}


@pytest.mark.parametrize(("choices", "answer"), [({}, 3.0), ({"set": {"scale": 5}}, 5.0)])
def test_a_default_stays_unless_it_is_set(tmp_path, choices, answer):
    def build():
        scale = tf1.placeholder_with_default(3.0, [], name="scale")
        tf.multiply(tf1.placeholder(tf.float32, [None], name="x"), scale, name="y")

    signature = load(tmp_path, write_graph(tmp_path / "model.pb", build), **choices)
    loaded = tf.saved_model.load(str(tmp_path / "loaded")).signatures["serving_default"]

    assert set(signature.inputs) == {"x"}
    assert loaded(x=tf.constant([1.0]))["y"].numpy().tolist() == [answer]


def test_a_switch_can_be_an_input(tmp_path):
    def build():
        scale = tf1.placeholder_with_default(3.0, [], name="scale")
        tf.multiply(tf1.placeholder(tf.float32, [None], name="x"), scale, name="y")

    assert set(load(tmp_path, write_graph(tmp_path / "model.pb", build), inputs=("x", "scale")).inputs) == {
        "x",
        "scale",
    }


def test_only_placeholders_that_the_outputs_need_are_inputs(tmp_path):
    def build():
        tf.identity(tf1.placeholder(tf.float32, [None], name="x"), name="y")
        tf.identity(tf1.placeholder(tf.float32, [None], name="label"), name="loss")

    assert set(load(tmp_path, write_graph(tmp_path / "model.pb", build), outputs=("y",)).inputs) == {"x"}


def test_a_graph_of_an_operation_that_was_given_up_is_read(tmp_path):
    """Old graphs say which version of the operations they were written for, and that must not get lost."""

    def build():
        tf1.placeholder(tf.float32, [None, 1, 1, 3], name="x")

    path = write_graph(tmp_path / "model.pb", build)
    graph_def = sources.read_graph_def(path)
    old = graph_def.node.add(name="y", op="BatchNormWithGlobalNormalization")
    old.input.append("x")
    for name, value in (("mean", 1.0), ("variance", 4.0), ("beta", 0.5), ("gamma", 2.0)):
        constant = graph_def.node.add(name=name, op="Const")
        constant.attr["dtype"].type = tf.float32.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([value] * 3, tf.float32))
        old.input.append(name)
    old.attr["T"].type = tf.float32.as_datatype_enum
    old.attr["variance_epsilon"].f = 0.0
    old.attr["scale_after_normalization"].b = True
    graph_def.versions.producer = 8
    path.write_bytes(graph_def.SerializeToString())
    load(tmp_path, path, outputs=("y",))

    with tf.Graph().as_default(), tf1.Session() as session:  # as servers load it
        tf1.saved_model.load(session, ["serve"], str(tmp_path / "loaded"))
        assert session.run("y:0", {"x:0": [[[[5.0, 5.0, 5.0]]]]}).tolist() == [[[[4.5, 4.5, 4.5]]]]


def test_loops_and_branches_in_functions_stay_whole(tmp_path):
    """Control flow of TensorFlow 2 with a TensorList, nested; only functions nothing calls are left out."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.float16, name="x"), tf.TensorSpec([], tf.int32, name="times")])
    def grow(x, times):
        rows = tf.TensorArray(tf.float16, size=times)
        for place in tf.range(times):
            rows = rows.write(place, tf.cond(place > 1, lambda: x * 2, lambda: x))
        return tf.identity(rows.stack(), name="y")

    graph_def = grow.get_concrete_function().graph.as_graph_def()
    unused = graph_def.library.function.add()
    unused.signature.name = "of_nobody"
    path = tmp_path / "model.pb"
    path.write_bytes(graph_def.SerializeToString())
    signature = load(tmp_path, path, outputs=("y",))

    loaded = tf.saved_model.load(str(tmp_path / "loaded")).signatures["serving_default"]
    functions = [each.signature.name for each in graphs.meta_graph(tmp_path / "loaded").graph_def.library.function]
    assert loaded(x=tf.constant(1.5, tf.float16), times=tf.constant(3))["y"].numpy().tolist() == [1.5, 1.5, 3.0]
    assert signature.inputs["x"].shape == ()
    assert functions
    assert "of_nobody" not in functions


def test_the_classifiers_of_mnist_and_imagenet_load(material, tmp_path):
    digits = load(tmp_path, material / "models" / "mnist_fc" / "frozen.pb")
    (tmp_path / "loaded").rename(tmp_path / "digits")
    things = load(tmp_path, material / "models" / "mobilenet_v2_imagenet" / "mobilenet_v2_1.0_224_frozen.pb")

    assert (set(digits.inputs), set(digits.outputs)) == ({"X"}, {"output"})
    assert (set(things.inputs), set(things.outputs)) == ({"input"}, {"output_probabilities"})
