"""Calibration data: how pictures become inputs of a graph, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import graph_of

from converters import graphs, registry
from converters.calibration import locate
from converters.picture_inputs import Way
from model_config.errors import BuildError, SuiteError

ROWS = np.random.default_rng(2).normal(size=(32, 16, 16, 8)).astype(np.float32)


def convolution(x):
    return tf.nn.conv2d(x, np.ones((3, 3, x.shape[-1], 8), np.float32), 1, "SAME")


def picture_graph(dtype, shape):
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(dtype, shape, "x")
        tf.identity(convolution(tf.cast(x, tf.float32)), "y")
    graph_def = graph.as_graph_def()
    return graphs.Graph(graph_def, graphs.DEFAULT_KEY, graphs.signature_of(graph_def, ["x:0"], ["y:0"]))


@pytest.fixture
def folder(tmp_path, pictures):
    (tmp_path / "pictures" / "images").mkdir(parents=True)
    for number, picture in enumerate(pictures[:3]):
        path = tmp_path / "pictures" / "images" / f"{number}.png"
        path.write_bytes(tf.io.encode_png(picture).numpy())
    return tmp_path / "pictures"


def feeds(path, graph, count=100, pixels=(0.0, 255.0)):
    return [feed["x:0"] for feed in locate(path, count, Way(pixels)).feeds(graph)]


def test_pictures_are_fed_as_they_are(folder, pictures):
    fed = feeds(folder, picture_graph(tf.uint8, [None, None, None, 3]), count=2)

    assert len(fed) == 2
    np.testing.assert_array_equal(fed[1][0], pictures[1])


def test_pictures_are_resized_and_scaled_where_the_graph_wants_it(folder, pictures):
    fed = feeds(folder, picture_graph(tf.float32, [None, 24, 24, 3]), pixels=(-1.0, 1.0))

    assert fed[0].shape == (1, 24, 24, 3)
    assert fed[0].dtype == np.float32
    assert -1 <= fed[0].min() < 0 < fed[0].max() <= 1


def refused(folder, graph, words):
    with pytest.raises(SuiteError, match=words):
        feeds(folder, graph)


def test_calibration_data_that_does_not_fit_is_refused(folder, tmp_path):
    takes_rows = picture_graph(tf.float32, [None, 16, 16, 8])
    np.save(tmp_path / "double.npy", ROWS.astype(np.float64))
    np.savez(tmp_path / "named.npz", z=ROWS)

    refused(folder, takes_rows, "but pictures come with 3 channels")
    refused(tmp_path / "double.npy", takes_rows, "gives float64")
    refused(tmp_path / "named.npz", takes_rows, "name its arrays as the inputs: x")


def test_calibration_data_that_is_not_there_is_refused(tmp_path):
    graph = picture_graph(tf.uint8, [None, None, None, 3])
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "1.jpg").write_bytes(b"no picture")

    refused(tmp_path / "gone", graph, "does not exist")
    refused(tmp_path / "empty", graph, "holds no pictures")
    refused(tmp_path / "broken", graph, "does not decode")


def test_without_calibration_data_nothing_is_built(tmp_path):
    graphs.write(graph_of(convolution, ROWS), tmp_path / "source")

    with pytest.raises(BuildError, match="name a folder of pictures with --calibration"):
        registry.find("quantize_nodes_calibrated")(tmp_path / "source", tmp_path / "target")
