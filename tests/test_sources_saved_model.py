"""SavedModels with other tags, several signatures, text files, tables; version 1 stays what came."""

from __future__ import annotations

import shutil

import pytest
import tensorflow as tf
import tiny
from command_line import assert_one_sentence, run_here
from google.protobuf import text_format

from converters import graphs, sources
from converters.build import build
from converters.checking import verify
from model_config import base_path
from model_config.errors import BadSource
from model_config.models import Model

tf1 = tf.compat.v1


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    """A SavedModel with the signatures serving_default, add and slen."""
    return tiny.save_dense(tmp_path_factory.mktemp("dense") / "dense")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A TensorFlow 1 SavedModel of three graphs: train, serve and serve on a GPU; each scales by another number."""
    folder = tmp_path_factory.mktemp("trained") / "trained"
    builder = tf1.saved_model.Builder(str(folder))
    for place, (tags, number) in enumerate(((["train"], 2.0), (["serve"], 3.0), (["serve", "gpu"], 4.0))):
        with tf.Graph().as_default(), tf1.Session() as session:
            x = tf1.placeholder(tf.float32, [None], name="x")
            y = tf.identity(tf1.get_variable("scale", initializer=1.0) * x * number)
            session.run(tf1.global_variables_initializer())
            signature = tf1.saved_model.predict_signature_def({"x": x}, {"y": y})
            if place == 0:
                builder.add_meta_graph_and_variables(session, tags, {"serving_default": signature})
            else:
                builder.add_meta_graph(tags, {"serving_default": signature})
    builder.save()
    return folder


def load(path, target, *, whole=True, **choices):
    sources.locate(Model(name="m", source=path, **choices)).load(target, whole=whole)
    return target


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def scaled(folder):
    signature = tf.saved_model.load(str(folder), tags=["serve"]).signatures["serving_default"]
    return float(signature(x=tf.constant([1.0]))["y"])


def test_the_graph_that_servers_load_is_converted(trained, tmp_path):
    whole, narrow = load(trained, tmp_path / "whole"), load(trained, tmp_path / "narrow", whole=False)

    assert content(whole) == content(trained)
    assert len(graphs.saved_model(narrow).meta_graphs) == 1
    assert scaled(whole) == scaled(narrow) == 3.0


@pytest.mark.parametrize(("tags", "number"), [(("train",), 2.0), (("gpu", "serve"), 4.0)])
def test_other_tags_become_the_one_that_servers_load(trained, tmp_path, tags, number):
    loaded = load(trained, tmp_path / "loaded", tags=tags)

    assert scaled(loaded) == number
    assert [list(each.meta_info_def.tags) for each in graphs.saved_model(loaded).meta_graphs] == [["serve"]]


def test_tags_that_are_not_there_show_those_that_are(trained, tmp_path):
    with pytest.raises(BadSource, match=r"no graph tagged 'tpu' \(tags: train; serve; serve,gpu\).*--tags"):
        load(trained, tmp_path / "loaded", tags=("tpu",))


@pytest.mark.slow
def test_a_model_without_the_serving_tag_says_how_to_choose(trained, tmp_path):
    path = shutil.copytree(trained, tmp_path / "path")
    found = graphs.saved_model(path)
    del found.meta_graphs[1:]
    (path / "saved_model.pb").write_bytes(found.SerializeToString())
    done = run_here("converters", "build", "m", "--source", path, "--version", 1, "--repository", tmp_path / "models")
    retagged = ("--tags", "train", "--version", 1, "--version", 2)
    built = run_here("converters", "build", "m", "--source", path, *retagged, "--repository", tmp_path / "models")

    assert_one_sentence(done, "no graph tagged 'serve' (tags: train)", "--tags")
    assert built.returncode == 0, built.stderr
    assert scaled(tmp_path / "models" / "m" / "2") == pytest.approx(2.0)


@pytest.mark.slow
def test_a_chosen_signature_is_converted_and_version_1_keeps_all(dense, tmp_path):
    versions = ("--version", 1, "--version", 2, "--signature", "add")
    done = run_here("converters", "build", "m", "--source", dense, *versions, "--repository", tmp_path)

    assert done.returncode == 0, done.stderr
    manifests = {number: each.manifest for number, each in base_path.scan(tmp_path, "m").items()}
    assert set(manifests[1].signatures) == {"serving_default", "add", "slen"}
    assert set(manifests[2].signatures) == {"add"}
    assert manifests[1].signatures["add"] == manifests[2].signatures["add"]
    for path, before in content(dense).items():
        assert (tmp_path / "m" / "1" / path).read_bytes() == before


@pytest.mark.slow
def test_another_choice_is_another_version(dense, tmp_path):
    build = ("converters", "build", "m", "--source", dense, "--version", 2, "--repository", tmp_path)

    assert run_here(*build, "--signature", "add").returncode == 0
    assert_one_sentence(run_here(*build), "--replace")


def test_an_unknown_operation_inside_a_function_is_named_with_its_library(dense, tmp_path):
    path = shutil.copytree(dense, tmp_path / "path")
    found = graphs.saved_model(path)
    body = found.meta_graphs[0].graph_def.library.function[0].node_def
    body.add(name="strange", op="SentencepieceTokenizeOp")
    (path / "saved_model.pb").write_bytes(found.SerializeToString())

    with pytest.raises(BadSource, match=r"SentencepieceTokenizeOp \(in strange\), .* comes from tensorflow-text"):
        load(path, tmp_path / "loaded")


def test_an_unknown_signature_shows_those_that_are_there(dense, tmp_path):
    with pytest.raises(BadSource, match=r"no signature 'ad' \(signatures: add, serving_default, slen\).*--signature"):
        load(dense, tmp_path / "loaded", signature="ad")


def test_a_model_without_any_signature_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "mute"))
    done = run_here("converters", "build", "m", "--source", tmp_path / "mute", "--version", 1, "--repository", tmp_path)

    assert_one_sentence(done, "has no signature", "export it with one")
    assert not (tmp_path / "m" / "1").exists()


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A TensorFlow 1 classifier: scores from one signature, their words by way of a table from the other."""
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "words.txt").write_text("cat\ndog\n")
    with tf.Graph().as_default(), tf1.Session() as session:
        x = tf1.placeholder(tf.float32, [None, 2], name="x")
        scores = x * tf1.get_variable("scale", initializer=2.0)
        index = tf1.lookup.TextFileIndex
        rows = tf1.lookup.TextFileInitializer(
            str(folder / "words.txt"), tf.int64, index.LINE_NUMBER, tf.string, index.WHOLE_LINE
        )
        words = tf1.lookup.StaticHashTable(rows, "none").lookup(tf.argmax(scores, 1))
        session.run([tf1.global_variables_initializer(), tf1.tables_initializer()])
        predict = tf1.saved_model.predict_signature_def
        builder = tf1.saved_model.Builder(str(folder / "labelled"))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": predict({"x": x}, {"word": words}), "scores": predict({"x": x}, {"scores": scores})},
            assets_collection=tf1.get_collection(tf1.GraphKeys.ASSET_FILEPATHS),
            main_op=tf1.tables_initializer(),
        )
        builder.save()
    (folder / "words.txt").unlink()
    return folder / "labelled"


@pytest.mark.slow
def test_a_table_and_its_vocabulary_come_along_in_every_version(labelled, tmp_path):
    versions = (1, 2, 7)
    numbers = [word for number in versions for word in ("--version", number)]
    done = run_here("converters", "build", "m", "--source", labelled, "--repository", tmp_path, *numbers)

    assert done.returncode == 0, done.stderr
    for number in versions:
        folder = shutil.copytree(tmp_path / "m" / str(number), tmp_path / f"moved_{number}")
        served = tf.saved_model.load(str(folder)).signatures["serving_default"]
        assert served(x=tf.constant([[0.0, 1.0], [1.0, 0.0]]))["word"].numpy().tolist() == [b"dog", b"cat"]
        assert (folder / "assets" / "words.txt").read_text() == "cat\ndog\n"
        operations = {node.op for node in graphs.meta_graph(folder).graph_def.node}
        assert ("VarHandleOp" in operations) == (number == 1)


def test_a_table_of_constants_stays_filled(tmp_path):
    """Words to numbers: strings in, looked up in a table that no file is needed for."""
    with tf.Graph().as_default(), tf1.Session() as session:
        words = tf1.placeholder(tf.string, [None], name="words")
        rows = tf1.lookup.KeyValueTensorInitializer(["cat", "dog"], tf.constant([3, 5], tf.int64))
        numbers = tf1.lookup.StaticHashTable(rows, -1).lookup(words)
        weights = tf1.get_variable("weights", initializer=tf.reshape(tf.range(7.0), [7, 1]))
        session.run([tf1.global_variables_initializer(), tf1.tables_initializer()])
        answers = {"y": tf.gather(weights, tf.maximum(numbers, 0))}
        tf1.saved_model.simple_save(
            session, str(tmp_path / "source"), {"words": words}, answers, legacy_init_op=tf1.tables_initializer()
        )
    build = ("converters", "build", "m", "--source", tmp_path / "source", "--version", 7, "--repository", tmp_path)
    done = run_here(*build)
    served = tf.saved_model.load(str(tmp_path / "m" / "7")).signatures["serving_default"]

    assert done.returncode == 0, done.stderr
    assert served(words=tf.constant(["dog", "cow", "cat"]))["y"].numpy().tolist() == [[5.0], [0.0], [3.0]]


def test_a_signature_beside_the_table_is_frozen(labelled, tmp_path):
    build = ("converters", "build", "m", "--source", labelled, "--repository", tmp_path)
    done = run_here(*build, "--version", 2, "--signature", "scores")

    assert done.returncode == 0, done.stderr
    assert graphs.meta_graph(tmp_path / "m" / "2").graph_def.versions.producer > 0
    served = tf.saved_model.load(str(tmp_path / "m" / "2")).signatures["scores"]
    assert served(x=tf.constant([[0.0, 1.0]]))["scores"].numpy().tolist() == [[0.0, 2.0]]


@pytest.mark.slow
def test_a_model_in_text_form_is_the_same_model(dense, tmp_path):
    text = shutil.copytree(dense, tmp_path / "text")
    (text / "saved_model.pbtxt").write_text(text_format.MessageToString(graphs.saved_model(dense)))
    (text / "saved_model.pb").unlink()
    versions = ("--version", 1, "--version", 2)
    done = run_here("converters", "build", "m", "--source", text, *versions, "--repository", tmp_path / "models")

    assert done.returncode == 0, done.stderr
    assert graphs.signatures(tmp_path / "models" / "m" / "1") == graphs.signatures(dense)
    assert (tmp_path / "models" / "m" / "1" / "saved_model.pbtxt").read_bytes() == (
        text / "saved_model.pbtxt"
    ).read_bytes()


def test_a_truncated_text_is_refused(dense, tmp_path):
    text = shutil.copytree(dense, tmp_path / "text")
    (text / "saved_model.pbtxt").write_text(text_format.MessageToString(graphs.saved_model(dense))[:-50])
    (text / "saved_model.pb").unlink()

    with pytest.raises(BadSource, match="truncated or damaged"):
        load(text, tmp_path / "loaded")


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("deep_image_model/1", "predict"),
        ("preprocess_simplest_model/1", "predict"),
        ("tensorflow_estimator_model/1533527330", "classify"),
        ("tensorflow_template_application_model/1", "classify"),
        ("tensorflow_template_application_model/2", "predict"),
    ],
)
def test_real_models_of_tensorflow_1_stay_what_they_are_and_convert(material, tmp_path, name, method):
    path = material / "models" / "simple_saved_models" / "models" / name
    model = Model(name="m", source=path)
    made = {number: build(model, number, tmp_path, lambda step, record: None, ask=verify.ask) for number in (1, 2, 7)}
    signature = made[1].manifest.signatures["serving_default"]

    assert signature.method_name == f"tensorflow/serving/{method}"
    for built in made.values():
        assert built.manifest.signatures["serving_default"] == signature
        assert max(built.manifest.differences.values()) < 1e-3
    for place, before in content(path).items():
        assert (made[1].version.path / place).read_bytes() == before
