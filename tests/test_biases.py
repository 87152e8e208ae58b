"""Biases that take back what 8-bit arithmetic moves on average."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import small_layers
import tensorflow as tf
from small_graphs import answer, graph_of
from small_layers import ROWS, convolution, relu, weights

from converters import calibration
from converters.int8.calibrated import Calibrated
from converters.int8.fusing import can_multiply

pytestmark = pytest.mark.skipif(not can_multiply(), reason="this TensorFlow has no 8-bit layer that gives floats")

CUT = 90.0  # percent of the values that ranges hold, so that there is something to take back


def hidden(x):
    return relu(x, channels=16)


def linear(x, channels=8):
    return convolution(x, channels=channels, size=1)


def one_after_the_other(x):
    first = linear(hidden(x))
    second = first + linear(hidden(first))
    return second + linear(hidden(second))


def side_by_side(x):
    read = hidden(x)
    return tf.concat([linear(read, 4), linear(read, 4) * 2], -1)


def dense(x):
    return tf.matmul(tf.reshape(relu(x, channels=4), [-1, 16 * 16 * 4]), weights(16 * 16 * 4, 6))


@pytest.fixture(autouse=True)
def same_weights_in_any_order(monkeypatch):
    monkeypatch.setattr(small_layers, "RNG", np.random.default_rng(5))


@pytest.fixture
def calibrated(rows):
    return lambda graph: Calibrated.of(graph, calibration.locate(Path(rows), len(ROWS)), CUT)


def moved(graph, float_graph):
    """How far the channels' means are off, against the values' own spread."""
    off = answer(graph, ROWS) - answer(float_graph, ROWS)
    return np.abs(off.reshape(-1, off.shape[-1]).mean(axis=0)).max() / answer(float_graph, ROWS).std()


@pytest.mark.parametrize("build", [one_after_the_other, side_by_side, dense])
def test_what_is_cut_off_moves_no_mean(build, calibrated):
    graph = graph_of(build, ROWS)
    each = calibrated(graph)

    assert moved(each.rounded([]), graph) > 0.02
    assert moved(each.quantized([]), graph) < 0.001


def test_what_remains_of_the_error_is_all_but_the_mean(calibrated):
    graph = graph_of(lambda x: linear(hidden(x)), ROWS)
    each, wanted = calibrated(graph), answer(graph, ROWS)
    settled, rounded = (answer(done, ROWS) - wanted for done in (each.quantized([]), each.rounded([])))

    means = rounded.reshape(-1, rounded.shape[-1]).mean(axis=0)
    np.testing.assert_allclose(settled, rounded - means, atol=1e-3)


def test_a_graph_that_only_says_that_it_takes_any_number_is_asked_one_by_one(calibrated):
    graph = graph_of(lambda x: linear(tf.reshape(hidden(x), [1, 16, 16, 16])), ROWS)
    each = calibrated(graph)
    wanted, settled = (np.stack([answer(one, row[None]) for row in ROWS]) for one in (graph, each.quantized([])))
    off = (settled - wanted).reshape(-1, wanted.shape[-1]).mean(axis=0)

    assert np.abs(off).max() < 0.001 * wanted.std()


def test_the_float_graph_stays_as_it_was(calibrated):
    graph = graph_of(one_after_the_other, ROWS)
    before = graph.graph_def.SerializeToString(deterministic=True)
    calibrated(graph).quantized([])

    assert graph.graph_def.SerializeToString(deterministic=True) == before
