"""TensorRT on a real GPU, by the commands that users type: engines, proof, batch sizes, INT8's ladder, refusals."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml
from command_line import assert_one_sentence, run
from small_graphs import graph_of

from clients import client
from clients.connection import Connection
from clients.errors import ClientError, WrongBatch
from converters import graphs
from converters.passes import tf_trt
from converters.tensorrt import machine, proof
from model_config import base_path
from serving import address

_LADDER_S = 1200  # every try builds engines

pytestmark = [pytest.mark.gpu, pytest.mark.slow, pytest.mark.timeout(_LADDER_S + 300)]

ROWS = np.random.default_rng(5).normal(size=(32, 16, 16, 8)).astype(np.float32)
BATCHES = (1, 4)


def network(x):
    """Eight convolutions and a softmax, seeded."""
    draw = np.random.default_rng(8)
    for _ in range(8):
        x = tf.nn.relu(tf.nn.conv2d(x, (draw.normal(size=(3, 3, 8, 8)) / 8).astype(np.float32), 1, "SAME"))
    return tf.nn.softmax(9 * tf.reduce_mean(x, (1, 2)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The model, its calibration data, and an entry in a file of models."""
    folder = tmp_path_factory.mktemp("gpu")
    graphs.write(graph_of(network, ROWS), folder / "source")
    np.save(folder / "rows.npy", ROWS)
    return folder


@pytest.fixture(scope="module")
def build(folder):
    """Builds versions of the model with more in its entry than is usual; the process, and the manifest of the last."""

    def build(name, *numbers, **more):
        usual = {"source": f"{folder}/source", "batch_sizes": list(BATCHES)}
        usual["calibration"] = {"path": f"{folder}/rows.npy", "batch_size": 4}
        (folder / "models.yaml").write_text(yaml.safe_dump({"models": {name: {**usual, **more}}}))
        wanted = [word for number in numbers for word in ("--version", number)]
        where = ("--models", folder / "models.yaml", "--repository", folder / "models")
        done = run("converters", "build", name, *wanted, *where, timeout=_LADDER_S)
        found = base_path.scan(folder / "models", name).get(numbers[-1])
        return done, found and found.manifest

    return build


@pytest.fixture(scope="module")
def versions(build, folder):
    """Versions 1, 4, 5 and 6, by number."""
    done, _ = build("net", 1, 4, 5, 6, goals={"accuracy": {"max-degradation": 1}})
    assert done.returncode == 0, done.stderr
    return base_path.scan(folder / "models", "net")


@pytest.mark.parametrize(("number", "precision"), [(4, "FP16"), (5, "INT8"), (6, "FP32")])
def test_the_manifest_proves_that_tensorrt_ran(versions, number, precision):
    told = versions[number].manifest
    engines = told.tensorrt

    assert engines.verified_on == engines.gpu == machine.here().gpu
    assert {engine.precision for engine in engines.engines} == {precision}
    assert engines.arithmetic_inside > 0.95
    assert engines.calibration_batches == (6 if precision == "INT8" else 0)
    assert [check.batch_size for check in told.checks if check.outputs] == list(BATCHES)


@pytest.fixture(scope="module")
def server(versions, folder):
    port = address.free_ports()
    wanted = [word for number in versions for word in ("--version", number)]
    up = ("serving", "up", "--model", "net", *wanted, "--repository", folder / "models")
    done = run(*up, "--backend", "embedded", "--port", port, "--detach", cwd=folder)
    assert done.returncode == 0, done.stderr
    yield f"{address.LOCAL}:{port}"
    assert run("serving", "down", "--port", port, cwd=folder).returncode == 0


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_every_batch_up_to_the_largest_is_answered_as_version_1_answers(server, batch):
    with client.Client(Connection(server)) as asked:
        answers = {n: asked.predict("net", {"x": ROWS[:batch]}, version=n).outputs["y"] for n in (1, 4, 5, 6)}

    for number, tolerance in ((4, 0.01), (5, 0.1), (6, 0.005)):
        np.testing.assert_allclose(answers[number], answers[1], atol=tolerance)


def test_a_larger_batch_is_refused_before_it_is_sent(server, folder):
    asked = client.Client(Connection(server), repository=folder / "models")
    with asked, pytest.raises(WrongBatch, match="declares batches of 1, 4; send at most 4"):
        asked.predict("net", {"x": ROWS[:5]}, version=4)


def test_a_larger_batch_sent_all_the_same_harms_no_later_request(server):
    with client.Client(Connection(server)) as asked:
        before = asked.predict("net", {"x": ROWS[:4]}, version=4).outputs["y"]
        with contextlib.suppress(ClientError):
            asked.predict("net", {"x": ROWS[:5]}, version=4)
        after = asked.predict("net", {"x": ROWS[:4]}, version=4).outputs["y"]

    np.testing.assert_array_equal(before, after)


def test_preflight_knows_this_machine(versions, folder):
    ask = ("serving", "preflight", "net", "--version", 4, "--repository", folder / "models", "--backend", "embedded")
    refused = run(*ask, "--gpu", "Tesla V100-SXM2-16GB")

    assert run(*ask).returncode == 0
    assert_one_sentence(refused, "Tesla V100-SXM2-16GB")


def test_too_little_inside_the_engines_is_refused_with_the_list(build):
    inside = [node.name for node in graph_of(network, ROWS).graph_def.node if node.op == "Conv2D"]
    done, published = build("outside", 4, tensorrt={"exclude": inside[:4]})

    assert published is None
    assert_one_sentence(done, "of the arithmetic, less than the 90%", "Conv2D")


def test_int8_climbs_its_ladder_and_publishes_nothing_that_misses_the_goal(build):
    done, published = build("ladder", 1, 5, goals={"accuracy": {"threshold": 2}})

    assert published is None
    assert_one_sentence(done, "misses threshold 2", "nothing was published")
    assert "four times the calibration pictures" in done.stderr
    assert "engines of 50 operations and more: cannot be built, as" in done.stderr  # this model has fewer
    assert "in FP16" in done.stderr


def test_operations_left_in_half_precision_get_engines_of_their_own(folder, tmp_path):
    data = {"calibration": f"{folder}/rows.npy", "pictures": "8", "calibration_batch": "4"}
    tf_trt.tf_trt(folder / "source", tmp_path / "mixed", precision="INT8", half="Conv2D_3", **data)
    engines = proof.take(tmp_path / "mixed").engines

    assert sorted(engine.precision for engine in engines) == ["FP16", "INT8", "INT8"]


def test_int8_publishes_the_first_try_that_meets_the_goal(build):
    done, easy = build("easy", 1, 5, goals={"accuracy": {"threshold": 0.5}})

    assert done.returncode == 0, done.stderr
    assert easy.accuracy.met
    assert len(easy.accuracy.tried) == 1


def test_too_little_memory_says_what_to_change(build):
    done, published = build("cramped", 4, tensorrt={"gpu_memory_mib": 1})

    assert published is None
    assert_one_sentence(done, "gpu_memory_mib (now 1)", "workspace_mib")


def test_an_interrupted_build_leaves_nothing_and_frees_the_gpu(build, folder, versions):
    command = ["converters", "build", "net", "--version", "4", "--force", "--models", folder / "models.yaml"]
    build("net", 1, goals={"accuracy": {"max-degradation": 1}})  # writes the file of models
    before = versions[4].manifest.created
    words = [sys.executable, "-m", *map(str, command), "--repository", str(folder / "models")]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as started:
        while not conversions(folder) and started.poll() is None:
            time.sleep(0.1)
        started.send_signal(signal.SIGINT)
        _, told = started.communicate(timeout=60)

    assert started.returncode == 130
    assert b"error: interrupted" in told
    assert base_path.scan(folder / "models", "net")[4].manifest.created == before
    assert not conversions(folder)


def conversions(folder):
    """The command lines of conversions that run below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            found.append(process.read_bytes())
    return [line for line in found if b"converters.tensorrt.convert" in line and str(folder).encode() in line]


def test_the_manifest_names_the_data_and_the_driver(versions):
    told = versions[5].manifest

    assert told.tensorrt.driver == machine.here().driver
    assert (told.calibration.files, len(told.calibration.sha256)) == (1, 64)
