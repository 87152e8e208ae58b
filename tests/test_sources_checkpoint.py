"""Checkpoints with their metagraph: cut down to what answers, restored, and refused when files are missing."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tensorflow as tf
from command_line import assert_one_sentence, run_here

from converters import graphs, inspect, sources
from model_config.errors import BadSource, UnknownName
from model_config.models import Model

tf1 = tf.compat.v1
PICTURES = np.random.default_rng(5).normal(size=(3, 8)).astype(np.float32)


def face_net(*, resource=False, switch="placeholder", sharded=False):
    """A training graph as FaceNet's: a queue in front, batch norm and dropout switched, an optimizer with slots."""
    tf1.set_random_seed(11)
    with tf1.variable_scope("net", use_resource=resource):
        queue = tf1.FIFOQueue(10, [tf.float32, tf.int32], [[8], []], name="pictures")
        picture, label = queue.dequeue_up_to(4)
        x = tf.identity(picture, name="input")
        training = (
            tf1.placeholder(tf.bool, [], name="phase_train")
            if switch == "placeholder"
            else tf1.placeholder_with_default(False, [], name="phase_train")
        )
        weights = tf1.get_variable("weights", [8, 4], partitioner=tf1.fixed_size_partitioner(2) if sharded else None)
        maps = tf.matmul(x, weights)
        mean = tf1.get_variable("mean", [4], initializer=tf1.random_normal_initializer(), trainable=False)
        now = tf.reduce_mean(maps, 0)
        maps -= tf.cond(training, lambda: now, lambda: tf.identity(mean))
        maps = tf.cond(training, lambda: tf.nn.dropout(maps, rate=0.5), lambda: maps)
    tf.nn.l2_normalize(maps, 1, name="embeddings")
    step = tf1.train.get_or_create_global_step()
    loss = tf.reduce_mean(maps) * tf.cast(label[0], tf.float32)
    tf1.summary.scalar("loss", loss)
    tf1.train.AdamOptimizer().minimize(loss, step, name="train_op")


def save(folder, build, feeds, fetch, *, saver=lambda: tf1.train.Saver(), name="model.ckpt"):
    """Train nothing, save everything; says what the graph answers."""
    with tf.Graph().as_default(), tf1.Session() as session:
        build()
        session.run([tf1.global_variables_initializer(), tf1.local_variables_initializer(), tf1.tables_initializer()])
        saver().save(session, str(folder / name), global_step=7)
        return session.run(fetch, feeds)


@pytest.fixture
def faces(tmp_path):
    """The folder of a FaceNet-like checkpoint, and its answers to ``PICTURES``."""
    folder = tmp_path / "faces"
    folder.mkdir()
    wanted = save(folder, face_net, {"net/input:0": PICTURES, "net/phase_train:0": False}, "embeddings:0")
    return folder, wanted


CHOICES = {"inputs": ("net/input:0",), "outputs": ("embeddings:0",), "set": {"net/phase_train:0": False}}


def load(path, target, **choices):
    source = sources.locate(Model(name="m", source=path, **choices))
    assert source.format == "checkpoint"
    source.load(target)
    return target


def answer(folder, **feeds):
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return {name: value.numpy() for name, value in signature(**{n: tf.constant(v) for n, v in feeds.items()}).items()}


@pytest.mark.parametrize("name", ["model.ckpt-7.meta", "model.ckpt-7", "model.ckpt-7.index", ""])
def test_it_is_found_by_any_of_its_names(faces, tmp_path, name):
    folder, wanted = faces
    loaded = load(folder / name, tmp_path / "loaded", **CHOICES)

    got = answer(loaded, **{"net/input": PICTURES})
    np.testing.assert_allclose(got["embeddings"], wanted, rtol=1e-6)


@pytest.mark.parametrize("options", [{"resource": True}, {"switch": "default"}, {"sharded": True}])
def test_variables_and_switches_of_every_kind_answer_the_same(tmp_path, options):
    def build():
        face_net(**options)

    wanted = save(tmp_path, build, {"net/input:0": PICTURES, "net/phase_train:0": False}, "embeddings:0")
    choices = dict(CHOICES)
    if options.get("switch") == "default":
        del choices["set"]
    loaded = load(tmp_path, tmp_path / "loaded", **choices)

    np.testing.assert_allclose(answer(loaded, **{"net/input": PICTURES})["embeddings"], wanted, rtol=1e-6)


def test_the_first_form_of_checkpoints_is_read(tmp_path):
    """One file for all variables, as TensorFlow wrote before its version 0.12."""

    def saver():
        return tf1.train.Saver(write_version=tf1.train.SaverDef.V1)

    wanted = save(
        tmp_path, face_net, {"net/input:0": PICTURES, "net/phase_train:0": False}, "embeddings:0", saver=saver
    )
    loaded = load(tmp_path / "model.ckpt-7", tmp_path / "loaded", **CHOICES)

    assert (tmp_path / "model.ckpt-7").is_file()
    np.testing.assert_allclose(answer(loaded, **{"net/input": PICTURES})["embeddings"], wanted, rtol=1e-6)


def test_only_what_answers_is_left(faces, tmp_path):
    folder, _ = faces
    loaded = load(folder, tmp_path / "loaded", **CHOICES)
    operations = {node.op for node in graphs.nodes(graphs.meta_graph(loaded).graph_def)}
    stored = {name for name, _ in tf.train.list_variables(str(loaded / "variables" / "variables"))}

    assert not operations & {"FIFOQueueV2", "QueueDequeueUpToV2", "ApplyAdam", "ScalarSummary"}
    assert stored == {"net/weights", "net/mean"}


def test_a_moving_average_is_restored_into_the_variable_it_stands_for(tmp_path):
    """The training's own saver decides what goes where, not the names."""

    def build():
        x = tf1.placeholder(tf.float32, [None, 2], name="x")
        weights = tf1.get_variable("weights", initializer=[[1.0], [2.0]])
        tf.matmul(x, weights, name="y")

    def saver():
        return tf1.train.Saver({"weights/ExponentialMovingAverage": tf1.global_variables()[0]})

    save(tmp_path, build, {"x:0": [[0.0, 0.0]]}, "y:0", saver=saver)
    loaded = load(tmp_path, tmp_path / "loaded")

    assert answer(loaded, x=np.float32([[1, 1]]))["y"].tolist() == [[3.0]]


@pytest.mark.slow
def test_versions_1_and_2_build_and_answer_the_same(faces, tmp_path):
    folder, wanted = faces
    options = ("--inputs", "net/input:0", "--outputs", "embeddings:0", "--set", "net/phase_train:0=false")
    versions = ("--version", 1, "--version", 2)
    done = run_here(
        "converters", "build", "faces", "--source", folder, *options, *versions, "--repository", tmp_path / "m"
    )

    assert done.returncode == 0, done.stderr
    got = answer(tmp_path / "m" / "faces" / "2", **{"net/input": PICTURES})
    np.testing.assert_allclose(got["embeddings"], wanted, atol=0.05)


def test_a_graph_file_without_the_step_in_its_name_goes_with_its_only_checkpoint(faces, tmp_path):
    folder, wanted = faces
    (folder / "model.ckpt-7.meta").rename(folder / "model.meta")
    for part in folder.glob("model.ckpt-7.*"):
        part.rename(folder / part.name.replace("model.ckpt-7", "model.ckpt-275"))
    (folder / "checkpoint").unlink()

    for number, name in enumerate(("model.meta", "model.ckpt-275", "")):
        loaded = load(folder / name, tmp_path / f"loaded-{number}", **CHOICES)
        np.testing.assert_allclose(answer(loaded, **{"net/input": PICTURES})["embeddings"], wanted, rtol=1e-6)


def test_a_signature_in_the_metagraph_is_taken(tmp_path):
    with tf.Graph().as_default(), tf1.Session() as session:
        x = tf1.placeholder(tf.float32, [None], name="x")
        y = tf1.get_variable("scale", initializer=3.0) * x
        info = {side: {name: tf1.saved_model.build_tensor_info(t)} for side, name, t in (("i", "a", x), ("o", "b", y))}
        signature = tf1.saved_model.build_signature_def(info["i"], info["o"], "tensorflow/serving/predict")
        session.run(tf1.global_variables_initializer())
        saver = tf1.train.Saver()
        prefix = saver.save(session, str(tmp_path / "model.ckpt"), write_meta_graph=False)
        meta = tf1.train.export_meta_graph(saver_def=saver.saver_def)
        meta.signature_def["scaled"].CopyFrom(signature)
        (tmp_path / "model.ckpt.meta").write_bytes(meta.SerializeToString())
    loaded = load(tmp_path / "model.ckpt", tmp_path / "loaded", signature="scaled")

    assert prefix.endswith("model.ckpt")
    assert set(graphs.signatures(loaded)) == {"scaled"}
    assert graphs.signatures(loaded)["scaled"].inputs.keys() == {"a"}


def lookup(words):
    """Words to values, by way of their line in a file."""
    index = tf1.lookup.TextFileIndex
    rows = tf1.lookup.TextFileInitializer(str(words), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
    place = tf1.lookup.StaticHashTable(rows, -1).lookup(tf1.placeholder(tf.string, [None], name="word"))
    tf.gather(tf1.get_variable("values", initializer=[5.0, 6.0]), tf.maximum(place, 0), name="value")


def test_tables_and_their_vocabulary_come_along(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")

    wanted = save(tmp_path, lambda: lookup(words), {"word:0": [b"dog", b"cat"]}, "value:0")
    loaded = load(tmp_path, tmp_path / "loaded", outputs=("value",))
    words.unlink()

    assert answer(loaded, word=[b"dog", b"cat"])["value"].tolist() == wanted.tolist() == [6.0, 5.0]


def test_a_vocabulary_that_has_moved_is_found_beside_the_checkpoint_or_named(tmp_path):
    words = tmp_path / "elsewhere" / "words.txt"
    words.parent.mkdir()
    words.write_text("cat\ndog\n")
    save(tmp_path, lambda: lookup(words), {"word:0": [b"dog"]}, "value:0")
    words.rename(tmp_path / "words.txt")
    loaded = load(tmp_path, tmp_path / "loaded", outputs=("value",))
    (tmp_path / "words.txt").unlink()

    assert answer(loaded, word=[b"dog", b"cat"])["value"].tolist() == [6.0, 5.0]
    with pytest.raises(BadSource, match=r"needs .*words.txt, which is not there; put it beside the checkpoint"):
        load(tmp_path, tmp_path / "other", outputs=("value",))


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("model.ckpt-7.data-00000-of-00001", "lacks model.ckpt-7.data-00000-of-00001"),
        ("model.ckpt-7.index", "no model.ckpt-7.index"),
        ("model.ckpt-7.meta", "has no .meta"),
    ],
)
def test_a_missing_file_is_named_and_nothing_is_published(faces, tmp_path, gone, words):
    folder, _ = faces
    (folder / gone).unlink()
    path = folder / ("model.ckpt-7" if gone.endswith("meta") else "model.ckpt-7.meta")
    done = run_here("converters", "build", "m", "--source", path, "--version", 1, "--repository", tmp_path / "models")

    assert_one_sentence(done, words)
    assert not (tmp_path / "models" / "m" / "1").exists()


def test_missing_shards_are_named(faces, tmp_path):
    folder, _ = faces
    data = folder / "model.ckpt-7.data-00000-of-00001"
    data.rename(folder / "model.ckpt-7.data-00001-of-00003")

    with pytest.raises(BadSource, match=r"lacks model.ckpt-7.data-00000-of-00003, model.ckpt-7.data-00002-of-00003; "):
        load(folder, tmp_path / "loaded", **CHOICES)


@pytest.mark.parametrize("name", ["model.ckpt-7.index", "model.ckpt-7.data-00000-of-00001", "model.ckpt-7.meta"])
def test_a_truncated_file_is_refused(faces, tmp_path, name):
    folder, _ = faces
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])

    with pytest.raises(BadSource, match=r"cannot be restored|truncated or damaged"):
        load(folder / "model.ckpt-7.meta", tmp_path / "loaded", **CHOICES)


def test_a_switch_nobody_sets_is_named(faces, tmp_path):
    folder, _ = faces
    choices = {**CHOICES, "set": {}}

    with pytest.raises(BadSource, match=r"placeholder net/phase_train:0, .*--set net/phase_train:0=VALUE"):
        load(folder, tmp_path / "loaded", **choices)


def test_a_queue_in_front_of_the_outputs_is_named(faces, tmp_path):
    folder, _ = faces

    with pytest.raises(BadSource, match=r"DequeueUpTo:0, where a pipeline hands over"):
        load(folder, tmp_path / "loaded", inputs=("net/phase_train",), outputs=("embeddings",))


def test_a_value_of_the_wrong_kind_is_refused(faces, tmp_path):
    folder, _ = faces

    with pytest.raises(BadSource, match="net/phase_train is bool and cannot be set to 'maybe'"):
        load(folder, tmp_path / "loaded", **{**CHOICES, "set": {"net/phase_train:0": "maybe"}})
    with pytest.raises(UnknownName, match="did you mean 'net/phase_train'"):
        load(folder, tmp_path / "other", **{**CHOICES, "set": {"net/phase_trian:0": False}})


def test_inspecting_shows_candidates_and_weights(faces):
    found = inspect.inspect(faces[0])
    inputs = [each["tensor"] for each in found["candidates"] if each["side"] == "input"]
    outputs = [each["tensor"] for each in found["candidates"] if each["side"] == "output"]

    assert inputs == ["net/phase_train:0", "net/pictures_DequeueUpTo:0"]
    assert "embeddings:0" in outputs
    assert found["parameters"] > 0


def test_every_file_counts_in_the_hash(faces, tmp_path):
    folder, _ = faces
    before = sources.Source(folder, "checkpoint").sha256()
    copy = shutil.copytree(folder, tmp_path / "copy")
    same = sources.Source(copy, "checkpoint").sha256()
    data = copy / "model.ckpt-7.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1] + b"\x00\x01")

    assert before == same != sources.Source(copy, "checkpoint").sha256()
