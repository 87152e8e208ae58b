"""TF-TRT up to where a GPU is needed: calibration batches, what its log tells, names, the proof, refusals."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from command_line import assert_one_sentence, run
from small_graphs import any_size, convolved, graph_of, resized
from tensorflow.core.framework.graph_pb2 import GraphDef

from converters import container, graphs, progress
from converters.picture_inputs import Way
from converters.tensorrt import calibrating, machine, naming, process, proof, segments
from converters.tensorrt.plan import Calibration, Wishes, decide
from model_config import manifest, models
from model_config.errors import BuildError

PICTURES = np.random.default_rng(0).random((3, 8, 8, 3)).astype(np.float32)

# as TF-TRT logged it on an H200 of a detector
REPORT = """
################################################################################
TensorRT unsupported/non-converted OP Report:
\t- Cast -> 4x
\t\t- [Count: 1x] Cast op is not supported - Allowed input dtypes: [float, half]. Received: int32
\t\t- [Count: 2x] excluded by segmenter option. Most likely an input or output node.

\t- Reshape -> 1x
\t\t- [Count: 1x] Data type bool is not supported for Reshape, must be one of [float, int32, half]

--------------------------------------------------------------------------------
\t- Total nonconverted OPs: 13
\t- Total nonconverted OP Types: 6
################################################################################
2026-11-20 14:33:44: I convert_graph.cc:913] Replaced segment 0 consisting of 469 nodes by TRTEngineOp_000_000.
"""


@pytest.fixture
def photos(tmp_path):
    draw = np.random.default_rng(1)
    for number in range(11):
        cv2.imwrite(str(tmp_path / f"{number:02}.png"), draw.integers(0, 256, (20 + number, 30, 3), np.uint8))
    return tmp_path


def test_calibration_comes_in_batches_of_one_shape_and_the_rest_is_left_out(photos):
    graph = any_size(resized, tf.uint8)

    found = calibrating.batches(graph, Calibration(photos, 100, Way(), 4), {"x": (1, 16, 24, 3)})

    assert [batch["x"].shape for batch in found] == [(4, 16, 24, 3)] * 2
    assert {batch["x"].dtype for batch in found} == {np.dtype(np.uint8)}


def test_less_than_one_batch_is_refused(photos):
    graph = any_size(resized, tf.uint8)

    with pytest.raises(BuildError, match="holds 11 calibration examples, which is less than one batch of 16"):
        calibrating.batches(graph, Calibration(photos, 100, Way(), 16), {"x": (1, 16, 24, 3)})


def test_the_log_tells_why_operations_stay_outside():
    found = segments.with_reasons({"Cast": 4, "Reshape": 1, "NoOp": 1}, REPORT)

    assert [(each.operation, each.count, len(each.reasons)) for each in found] == [
        ("Cast", 4, 2),
        ("Reshape", 1, 1),
        ("NoOp", 1, 0),
    ]
    assert found[1].reasons[0].startswith("Data type bool is not supported")


def with_engine():
    """A graph in which one of two convolutions is an engine's, as TF-TRT writes it."""
    with tf.Graph().as_default() as native:
        x = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "x")
        tf.identity(convolved(x), "y")
    inside = native.as_graph_def()
    graph = GraphDef(versions=inside.versions)
    function = graph.library.function.add()
    function.signature.name = "TRTEngineOp_000_000_native_segment"
    function.signature.input_arg.add(name="in", type=tf.float32.as_datatype_enum)
    function.signature.output_arg.add(name="out", type=tf.float32.as_datatype_enum)
    for node in inside.node:
        if node.op in ("Const", "Conv2D"):
            function.node_def.add().CopyFrom(node)
            function.node_def[-1].input[:] = ["in", "Const:output:0"] if node.op == "Conv2D" else []
    weights = next(node.name for node in inside.node if node.op == "Const")
    function.node_def[-1].input[:] = ["in", f"{weights}:output:0"]
    function.ret["out"] = "Conv2D:output:0"
    for node in inside.node:
        graph.node.add().CopyFrom(node)
    engine = graph.node.add(name="part/TRTEngineOp_000_000", op="TRTEngineOp", input=["x"])
    engine.attr["segment_func"].func.name = function.signature.name
    engine.attr["precision_mode"].s = b"FP16"
    for key in ("InT", "OutT"):
        engine.attr[key].list.type.append(tf.float32.as_datatype_enum)
    return graph


def test_the_share_of_the_arithmetic_inside_is_counted():
    found = segments.describe(with_engine(), {"x": (1, 8, 8, 3)})

    assert found.inside_share == pytest.approx(0.5)
    assert [(each.precision, each.operations) for each in found.engines] == [("FP16", {"Conv2D": 1})]
    assert found.outside == {"Conv2D": 1}


def test_engines_of_two_versions_never_share_a_name():
    graph = with_engine()
    holder = graph.library.function.add()
    holder.signature.name = "creator"
    created = holder.node_def.add(name="CreateTRTResourceHandle", op="CreateTRTResourceHandle")
    created.attr["resource_name"].s = b"part/TRTEngineOp_000_000"
    graph.node.add(name="z", op="Identity", input=["part/TRTEngineOp_000_000:0", "^part/TRTEngineOp_000_000"])

    naming.rename_engines(graph, "1a2b")

    named = "part/TRTEngineOp_000_000_1a2b"
    assert [node.name for node in segments.engine_nodes(graph)] == [named]
    assert list(graph.node[-1].input) == [f"{named}:0", f"^{named}"]
    assert graph.library.function[-1].node_def[0].attr["resource_name"].s.decode() == named


@pytest.fixture
def without_tensorrt():
    """Only where there is none, or no GPU."""
    try:
        machine.here()
    except BuildError:
        return
    pytest.skip("TensorRT and a GPU are here")


@pytest.mark.usefixtures("without_tensorrt")
@pytest.mark.parametrize("name", ["trt_fp16", "trt_int8", "trt_fp32"])
def test_without_tensorrt_one_sentence_says_what_is_missing_and_where_it_works(name, saved_model, tmp_path):
    number = {recipe: number for number, recipe in models.DEFAULT_VERSIONS.items()}[name]

    done = run("converters", "build", "t", "--source", saved_model, "--version", number, "--repository", tmp_path)

    assert_one_sentence(done, "TensorRT", "not here", "converter image", "BACKEND=docker")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_tensorrt")
def test_in_the_converter_image_nobody_is_sent_to_the_converter_image(monkeypatch):
    dockerfile = Path(__file__).parents[1] / container.DOCKERFILE
    (variable,) = re.findall(r"(TF_\w+)=1$", dockerfile.read_text(), re.MULTILINE)
    monkeypatch.setenv(variable, "1")
    with pytest.raises(BuildError, match="docker run --gpus all") as caught:
        machine.here()

    assert "BACKEND" not in str(caught.value)


def test_a_conversion_that_dies_is_one_sentence(tmp_path):
    graph = graph_of(convolved, PICTURES)
    graphs.write(graph, tmp_path / "source")
    planned = decide(graph, Wishes("FP32"))

    with pytest.raises(BuildError, match=r"the conversion to TensorRT (ended with|was killed by signal)"):
        process.convert(tmp_path / "source", tmp_path / "target", planned)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (
            "Engine creation for TRTEngineOp_000_001 failed. Reason: INTERNAL: no layer",
            "built no engine: Engine creation",
        ),
        ("W: Out of memory while building", None),
        ("Engine creation for A failed\nOOM when allocating tensor", "lower tensorrt.workspace_mib (now 4096)"),
    ],
)
def test_what_the_log_says_of_failure_is_said(log, words):
    planned = decide(graph_of(convolved, PICTURES), Wishes("FP32"))

    told = process.failure(log, planned)

    assert told is None if words is None else words in told


def test_progress_is_heard_from_inside_a_pass():
    heard = []
    with progress.followed(lambda *told: heard.append(told)):
        progress.advance(1, 3, "calibrating")
    progress.advance(2, 3, "unheard")

    assert heard == [(1, 3, "calibrating")]


def facts(**changed):
    told = {
        **{name: "?" for name in ("tensorflow", "tensorrt", "cuda", "cudnn", "compute_capability", "driver")},
        "gpu": "NVIDIA H200",
        "precision": "FP16",
        "dynamic": True,
        "shapes": ({"x": (1, 8, 8, 3)},),
        "minimum_segment_size": 3,
        "workspace_mib": 4096,
        "engines": (),
        "outside": (),
        "arithmetic_inside": 0.97,
        "engine_bytes": 5,
    }
    return manifest.TensorRT(**{**told, **changed})


def test_the_proof_moves_into_the_manifest(tmp_path):
    proof.write(facts(), tmp_path)

    assert proof.take(tmp_path) == facts()
    assert proof.take(tmp_path) is None


def test_verified_is_what_answered_in_every_batch_size():
    output = manifest.OutputCheck(dtype="float32", shape=(1,), nan=0, inf=0, largest_difference=0.0)
    answered = manifest.Check(signature="s", batch_size=1, inputs="random", outputs={"y": output})
    silent = manifest.Check(signature="s", batch_size=8, inputs="none")

    assert proof.verified(facts(), [answered]).verified_on == "NVIDIA H200"
    assert proof.verified(facts(), [answered, silent]).verified_on is None
    assert proof.verified(facts(), []).verified_on is None


def test_the_conversion_is_a_program_of_its_own():
    assert "converters.tensorrt.convert" not in sys.modules
