"""Models as they come: found out, read, or refused with what to do."""

from __future__ import annotations

import json
import shutil

import pytest
import tensorflow as tf
from command_line import run

from converters import graphs, inspect, sources
from model_config.errors import BadSource, UnknownName
from model_config.models import Model

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


def test_a_saved_model_stays_byte_for_byte(saved_model, tmp_path):
    load(tmp_path, saved_model)

    for path in saved_model.rglob("*"):
        if path.is_file():
            assert (tmp_path / "loaded" / path.relative_to(saved_model)).read_bytes() == path.read_bytes()


def test_every_byte_counts_in_the_hash(saved_model, tmp_path):
    copy = shutil.copytree(saved_model, tmp_path / "copy")
    same = sources.Source(copy, "saved_model").sha256()
    (copy / "more").write_bytes(b"x")

    assert same == sources.Source(saved_model, "saved_model").sha256()
    assert same != sources.Source(copy, "saved_model").sha256()


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        (("detection_box:0",), "did you mean 'detection_boxes'"),
        (("nothing_like_it:0",), "no operation called 'nothing_like_it'"),
    ],
)
def test_an_unknown_output_shows_the_near_misses(frozen_graph, tmp_path, outputs, words):
    with pytest.raises(UnknownName, match=words):
        load(tmp_path, frozen_graph, outputs=outputs)


def test_a_tensor_the_operation_does_not_have_is_refused(frozen_graph, tmp_path):
    with pytest.raises(BadSource, match="no tensor 'num_detections:7'"):
        load(tmp_path, frozen_graph, outputs=("num_detections:7",))


def test_a_missing_source_shows_what_is_there_instead(frozen_graph):
    with pytest.raises(BadSource, match=r"does not exist; .*did you mean 'frozen.pb'"):
        sources.locate(Model(name="m", source=frozen_graph.with_name("frozn.pb")))


def test_no_source_at_all_names_the_option():
    with pytest.raises(BadSource, match="--source"):
        sources.locate(Model(name="m"))


@pytest.mark.parametrize("content", [b"", b"hello, this is no graph at all", b"\x0a"])
def test_a_file_that_is_no_graph_is_refused(tmp_path, content):
    path = tmp_path / "model.pb"
    path.write_bytes(content)

    with pytest.raises(BadSource, match="no frozen graph"):
        load(tmp_path, path)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_graph_is_refused(frozen_graph, tmp_path, share):
    content = frozen_graph.read_bytes()
    path = tmp_path / "model.pb"
    path.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(BadSource):
        load(tmp_path, path)


def test_a_folder_that_is_no_saved_model_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()

    with pytest.raises(BadSource, match=r"no SavedModel; name the folder that holds saved_model.pb"):
        load(tmp_path, tmp_path / "folder")


def test_the_folder_above_a_saved_model_shows_the_right_one(saved_model, tmp_path):
    with pytest.raises(BadSource, match=f"did you mean {saved_model}"):
        load(tmp_path, saved_model.parent)


def test_a_truncated_saved_model_is_refused(saved_model, tmp_path):
    copy = shutil.copytree(saved_model, tmp_path / "copy")
    content = (copy / "saved_model.pb").read_bytes()
    (copy / "saved_model.pb").write_bytes(content[: len(content) // 2])

    with pytest.raises(BadSource, match="truncated or damaged"):
        load(tmp_path, copy)


def test_a_saved_models_file_in_place_of_its_folder_is_refused(saved_model, tmp_path):
    with pytest.raises(BadSource, match="name the folder"):
        load(tmp_path, saved_model / "saved_model.pb")


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


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "model.ckpt.meta", "graph.pbtxt"])
def test_formats_that_are_not_read_yet_say_what_to_do(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")

    with pytest.raises(BadSource, match="not read yet; export the model as a SavedModel"):
        load(tmp_path, tmp_path / name)


def test_an_unknown_format_shows_the_near_miss(saved_model):
    with pytest.raises(UnknownName, match="did you mean 'saved_model'"):
        sources.locate(Model(name="m", source=saved_model, format="savedmodel"))


def test_inspecting_a_frozen_graph_shows_what_could_be_fed_and_fetched(frozen_graph):
    found = inspect.inspect(frozen_graph)
    ends = list(inspect.ends(found))

    assert ("candidates", "input", "image_tensor", "uint8", "[?, ?, ?, 3]") in ends
    assert {name.removesuffix(":0") for name in OUTPUTS} <= {name for _, side, name, _, _ in ends if side == "output"}
    assert found["operations"]["Conv2D"] == 3


def test_inspecting_a_saved_model_shows_its_signatures(saved_model):
    ends = list(inspect.ends(inspect.inspect(saved_model)))

    assert ends[0] == ("serving_default", "input", "inputs", "uint8", "[?, ?, ?, 3]")


def test_inspecting_prints_both(frozen_graph):
    done = run("converters", "inspect", frozen_graph)

    assert "image_tensor" in done.stdout
    assert "CombinedNonMaxSuppression" in done.stdout
    assert json.loads(run("converters", "inspect", frozen_graph, "--json").stdout)["format"] == "frozen_graph"
