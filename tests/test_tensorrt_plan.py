"""How engines are to be built: what suits the graph, what models.yaml wishes, what cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from command_line import assert_one_sentence, run
from small_graphs import any_size, convolved, graph_of, resized

from converters import recipes
from converters.picture_inputs import Way
from converters.tensorrt import plan
from converters.tensorrt.plan import Calibration, Wishes, decide
from model_config import models
from model_config.errors import BuildError
from model_config.tasks import Encode

PICTURES = np.random.default_rng(0).random((3, 8, 8, 3)).astype(np.float32)


def test_a_classifier_gets_an_engine_for_each_batch_size():
    planned = decide(graph_of(convolved, PICTURES), Wishes("FP16", (8, 1, 32)))

    assert not planned.dynamic
    # from small to large, as none is built for what an earlier one takes
    assert planned.shapes == tuple({"x": (batch, 8, 8, 3)} for batch in (1, 8, 32))
    assert planned.exclude == ()


def test_a_detector_gets_one_engine_that_takes_every_batch_from_1_on():
    def picking(x):
        rows = tf.reshape(convolved(x), [-1, 64, 2])
        return tf.gather(rows, tf.math.top_k(rows[..., 0], 5).indices, batch_dims=1)

    planned = decide(graph_of(picking, PICTURES), Wishes("FP16", (8,)))

    assert planned.dynamic
    assert [shape["x"][0] for shape in planned.shapes] == [1, 8]
    assert "picks other rows in each picture" in planned.reasons[0]


def test_what_brings_pictures_to_one_size_stays_in_tensorflow():
    planned = decide(any_size(resized, tf.uint8), Wishes("FP16"))

    types = {node.name: node.op for node in any_size(resized, tf.uint8).graph_def.node}
    assert {types[name] for name in planned.exclude} == {"Cast", "ResizeBilinear"}
    assert "2 operations on pictures of any size stay in TensorFlow" in planned.reasons


def test_layers_of_any_size_want_the_sizes_said():
    with pytest.raises(BuildError, match=r"input_sizes: \[\[640, 640\]\]"):
        decide(any_size(), Wishes("FP16"))


def test_layers_of_several_sizes_get_one_engine_for_all():
    planned = decide(any_size(), Wishes("FP16", (2,), input_sizes=((8, 8), (8, 16))))

    assert planned.dynamic
    assert [each["x"] for each in planned.shapes] == [(1, 8, 8, 3), (1, 8, 16, 3), (2, 8, 8, 3), (2, 8, 16, 3)]
    assert planned.exclude == ()


def test_wishes_come_before_what_suits_the_graph():
    planned = decide(graph_of(convolved, PICTURES), Wishes("FP32", shapes="dynamic", exclude=("Conv2D",)))

    assert planned.dynamic
    assert planned.exclude == ("Conv2D",)


def test_operations_to_exclude_must_be_there():
    with pytest.raises(BuildError, match="no operation 'Conv3D' to exclude"):
        decide(graph_of(convolved, PICTURES), Wishes("FP32", exclude=("Conv3D",)))


def test_int8_wants_calibration_data():
    with pytest.raises(BuildError, match="INT8 needs calibration data; name a folder"):
        decide(graph_of(convolved, PICTURES), Wishes("INT8"))


def test_a_plan_travels_as_text(tmp_path):
    calibration = Calibration(tmp_path, 47, Way((-1.0, 1.0), Encode(mean=3)), 8, hold_out=True)
    planned = decide(graph_of(convolved, PICTURES), Wishes("INT8", (1, 8)), calibration, half=("Conv2D",))

    assert plan.Plan.from_json(planned.to_json()) == planned
    assert planned.exclude == ("Conv2D",)


def test_the_model_decides_how_engines_are_built():
    model = models.parse(
        "m",
        {
            "source": "x.pb",
            "batch_sizes": [1, 8],
            "input_sizes": [[480, 640]],
            "tensorrt": {"workspace_mib": 512, "exclude": ["a", "b"], "minimum_inside": 0.5},
            "calibration": {"path": "photos", "batch_size": 4},
        },
        "models.yaml",
    )

    steps = {step.name: step.params for step in recipes.find("trt_int8").steps_for(model)}

    assert steps["fix_input_size"] == {"size": "480x640"}
    told = steps["tf_trt"]
    assert told["precision"] == "INT8"
    assert (told["batch_sizes"], told["input_sizes"], told["exclude"]) == ("1,8", "480x640", "a,b")
    assert (told["workspace_mib"], told["calibration_batch"], told["minimum_inside"]) == ("512", "4", "0.5")


def test_unknown_keys_of_tensorrt_show_the_near_miss(tmp_path):
    file = tmp_path / "models.yaml"
    file.write_text(json.dumps({"models": {"m": {"source": "x", "tensorrt": {"workspace": 5}}}}))

    assert_one_sentence(run("model_config", "show", "--models", file), "did you mean 'workspace_mib'?")
