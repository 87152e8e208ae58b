"""Calibration data: it becomes what the graph takes, as clients' pictures do; what is wrong with it is found early."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from command_line import assert_one_sentence, run
from small_graphs import graph_of

from converters import calibration, graphs
from converters.build import build
from converters.calibration import locate
from converters.checking import verify
from converters.graphs import Graph
from converters.picture_inputs import Way
from evaluation import pictures as files
from evaluation.tasks import encoding
from model_config import models
from model_config.errors import BuildError, SuiteError
from model_config.tasks import Encode

v1 = tf.compat.v1


@pytest.fixture
def photos(tmp_path, pictures):
    for number, picture in enumerate(pictures[:3]):
        files.write(picture, tmp_path / "photos" / f"{number}.png")
    return tmp_path / "photos"


def taking(**inputs):
    """A graph whose inputs have these types and shapes."""
    with tf.Graph().as_default() as graph:
        for name, (dtype, shape) in inputs.items():
            v1.placeholder(dtype, shape, name)
        tf.constant(0.0, name="y")
    graph_def = graph.as_graph_def()
    signature = graphs.signature_of(graph_def, [f"{name}:0" for name in inputs], ["y:0"])
    return Graph(graph_def, graphs.DEFAULT_KEY, signature)


def rows(path, graph, way=None):
    return list(locate(path, 100, way).rows(graph))


@pytest.mark.parametrize(
    ("encode", "dtype", "shape"),
    [
        ({"mean": 127.5, "scale": 127.5, "colour": "bgr", "fit": "pad"}, tf.float32, [None, 24, 24, 3]),
        ({"mean": (1.0, 2.0, 3.0), "scale": 58, "layout": "nchw", "fit": "crop"}, tf.float32, [None, 3, 24, 24]),
        ({"colour": "grey", "layout": "flat", "size": (28, 28), "scale": 255}, tf.float32, [None, 784]),
        ({"per_picture": True, "size": (16, 16), "interpolation": "area"}, tf.float16, [None, None, None, 3]),
        ({"size": (20, 30)}, tf.uint8, [None, None, None, 3]),
    ],
)
def test_pictures_become_what_clients_send_by_the_same_words(photos, encode, dtype, shape):
    graph, how = taking(x=(dtype, shape)), Encode(**encode)
    sent = encoding.encoder(graphs.plain(graph.signature), how)

    for path, row in zip(sorted(photos.iterdir()), rows(photos, graph, Way(encode=how))):
        np.testing.assert_array_equal(row["x"], sent.encode([files.read(path)])[0]["x"])


def test_the_way_travels_in_the_parameters_of_a_pass():
    for way in (Way((-1.0, 1.0)), Way(encode=Encode(mean=(1.0, 2.0, 3.0), scale=2, fit="pad"))):
        words = way.words()
        assert Way.from_words(words.get("pixels", ""), words.get("encode", "")) == way


def test_saying_twice_how_pictures_become_inputs_is_refused(photos):
    entry = {"calibration": {"path": photos, "pixels": [0, 1]}, "task": {"encode": {"scale": 255}}}

    with pytest.raises(BuildError, match=r"says twice .*delete calibration.pixels"):
        calibration.of(models.parse("m", entry, "test"))


def test_a_range_without_width_is_refused(photos):
    with pytest.raises(SuiteError, match="pixels"):
        models.parse("m", {"calibration": {"path": photos, "pixels": [1, 1]}}, "test")


def test_examples_of_inputs_without_a_batch_are_fed_as_they_are(tmp_path):
    graph = taking(picture=(tf.float32, [4, 4, 3]), scale=(tf.float32, []), rows=(tf.float32, [None, 2]))
    values = {"picture": np.ones((5, 4, 4, 3), np.float32), "scale": np.arange(5, dtype=np.float32)}
    np.savez(tmp_path / "rows.npz", **values, rows=np.ones((5, 2), np.float32))
    found = rows(tmp_path / "rows.npz", graph)

    assert [float(each["scale"]) for each in found] == [0, 1, 2, 3, 4]
    assert {each["picture"].shape for each in found} == {(4, 4, 3)}
    assert {each["rows"].shape for each in found} == {(1, 2)}


def test_words_are_bytes_of_any_length(tmp_path):
    graph = taking(x=(tf.string, [None]))
    for number, words in enumerate((np.array(["cat", "Käfer"]), np.array(["cat", "Käfer".encode()], "S"))):
        np.save(tmp_path / f"{number}.npy", words)
        assert [each["x"].tolist() for each in rows(tmp_path / f"{number}.npy", graph)] == [
            [b"cat"],
            ["Käfer".encode()],
        ]


def test_records_are_fed_one_by_one(tmp_path):
    records = [tf.train.Example().SerializeToString(), b"two\0"]
    with tf.io.TFRecordWriter(str(tmp_path / "some.tfrecord")) as writer:
        for record in records:
            writer.write(record)

    assert len(locate(tmp_path, 100)) == 2
    assert [each["x"].tolist() for each in rows(tmp_path, taking(x=(tf.string, [None])))] == [
        [each] for each in records
    ]


def test_pictures_for_strings_that_hold_none_are_refused(photos):
    with pytest.raises(
        BuildError, match=r"does not decode pictures from the strings of x; calibrate with what it takes"
    ):
        rows(photos, taking(x=(tf.string, [None])))


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.tfrecord"])
def test_a_damaged_file_of_examples_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"nothing of the kind, and long enough for a header")

    with pytest.raises(BuildError, match=rf"{name} is damaged .*write it anew"):
        rows(tmp_path / name, taking(x=(tf.float32, [None, 2])))


def test_an_array_for_one_of_several_inputs_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 2), np.float32))

    with pytest.raises(BuildError, match=r"the graph takes x, z, .* calibrate with .npz files"):
        rows(tmp_path / "x.npy", taking(x=(tf.float32, [None, 2]), z=(tf.float32, [None, 2])))


@pytest.fixture(scope="module")
def convolution(tmp_path_factory):
    """A SavedModel that takes pictures of 16 by 16 in floats."""
    fed = np.ones((1, 16, 16, 3), np.float32)
    kernel = np.ones((3, 3, 3, 4), np.float32)
    folder = tmp_path_factory.mktemp("convolution") / "source"
    graphs.write(graph_of(lambda x: tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME")), fed), folder)
    return folder


def wrong(tmp_path, photos, problem):
    """Calibration data and data to judge by, one of them with a problem, and the words that tell it."""
    path = tmp_path / "wrong"
    path.mkdir()
    if problem == "shape":
        np.save(path / "x.npy", np.ones((3, 9, 9, 3), np.float32))
        return path, None, r"x.npy gives float32 of shape \[1, 9, 9, 3\], but the graph takes"
    if problem == "type":
        np.save(path / "x.npy", np.ones((3, 16, 16, 3)))
        return path, None, "gives float64"
    if problem == "no example":
        np.save(path / "x.npy", np.ones((0, 16, 16, 3), np.float32))
        return path, None, "holds no calibration examples"
    if problem == "empty":
        return path, None, "holds no pictures"
    if problem == "no data":
        return photos, path / "gone", "gone does not exist"
    (path / "9.png").write_bytes(b"no picture")
    return (path, None, "9.png does not decode") if problem == "picture" else (photos, path, "9.png does not decode")


@pytest.mark.parametrize(
    "problem", ["shape", "type", "no example", "empty", "picture", "no data", "a picture of the data"]
)
def test_bad_data_is_found_before_anything_is_built(problem, convolution, photos, tmp_path):
    path, data, words = wrong(tmp_path, photos, problem)
    entry = {"source": convolution, "calibration": {"path": path}, **({"data": data} if data else {})}
    begun = []

    with pytest.raises(BuildError, match=words):
        build(
            models.parse("m", entry, "test"),
            3,
            tmp_path / "models",
            lambda step, record: begun.append(step.name),
            ask=verify.ask,
        )
    assert begun == []
    assert not (tmp_path / "models" / "m").exists()


@pytest.mark.parametrize("option", ["--calibration", "--data"])
def test_a_misspelt_folder_is_named_whatever_is_built(option, convolution, tmp_path):
    build_it = ("converters", "build", "m", "--source", convolution, "--version", 1, "--repository", tmp_path)

    assert_one_sentence(run(*build_it, option, tmp_path / "gone"), f"{option}: ", "gone does not exist")
