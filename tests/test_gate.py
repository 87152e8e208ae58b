"""The gate where something that it tries cannot be built: it says so and goes on to what comes next."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import graph_of

from converters import graphs
from converters.judging import gate
from converters.judging.judge import judge_for
from converters.passes import quantize_nodes_calibrated as quantization
from converters.recipes import Step
from model_config import models
from model_config.errors import BuildError

ROWS = np.random.default_rng(5).normal(size=(24, 8, 8, 8)).astype(np.float32)
KEY = graphs.DEFAULT_KEY


def network(x):
    draw = np.random.default_rng(8)
    for _ in range(4):
        x = tf.nn.relu(tf.nn.conv2d(x, (draw.normal(size=(3, 3, 8, 8)) / 8).astype(np.float32), 1, "SAME"))
    return tf.reduce_mean(x, (1, 2))


@pytest.fixture
def climbing(tmp_path, monkeypatch):
    """A gate whose first rung cannot be built, and what it says."""
    np.save(tmp_path / "rows.npy", ROWS)
    graphs.write(graph_of(network, ROWS), tmp_path / "source")
    rungs = (("data that is nowhere", lambda _: {"calibration": str(tmp_path / "nowhere")}),)
    monkeypatch.setattr(gate, "_WAYS", MappingProxyType({quantization.NAME: gate._Way("keep_float", rungs=rungs)}))
    step = Step(quantization.NAME, {"calibration": str(tmp_path / "rows.npy"), "pictures": "100"}, calibrated=True)
    said = []
    (tmp_path / "draft").mkdir()
    target = tmp_path / "draft" / "servable"
    return gate.Gate([step], tmp_path / "source", target, lambda *_: None, gate.Teller(said.append), True), said


def judge(tmp_path, **goals):
    entry = {"source": tmp_path, "calibration": {"path": tmp_path / "rows.npy"}, "goals": {"accuracy": goals}}
    return judge_for(models.parse("x", entry, "test"), tmp_path / "source", KEY)


def test_what_cannot_be_built_is_told_and_the_search_goes_on(climbing, tmp_path):
    climber, said = climbing
    passed = climber.run(lambda: judge(tmp_path, threshold=2))

    assert any(line.startswith("data that is nowhere: cannot be built, as") for line in said)
    declared, rung, *others = passed.accuracy.tried
    assert declared.value is not None
    assert rung.value is None
    assert rung.words in said
    assert others
    assert all(each.value is not None for each in others)
    assert climber.target.is_dir()


def test_without_a_try_that_may_be_published_the_reason_is_the_goal(climbing, tmp_path):
    climber, _ = climbing
    climber.below_goal = False

    with pytest.raises(BuildError, match="misses the accuracy goal"):
        climber.run(lambda: judge(tmp_path, threshold=2))


def test_where_no_layer_can_be_taken_back_the_first_try_is_what_is_left(climbing, tmp_path, monkeypatch):
    climber, said = climbing
    # as if layers were taken back by naming data that is nowhere
    monkeypatch.setattr(gate, "_WAYS", MappingProxyType({quantization.NAME: gate._Way("calibration", "in floats")}))
    passed = climber.run(lambda: judge(tmp_path, threshold=2))

    declared, *others = passed.accuracy.tried
    assert others
    assert {each.value for each in others} == {None}
    assert passed.accuracy.value == declared.value
    assert any("1 of 4 layers in floats" in line and "cannot be built, as" in line for line in said)
