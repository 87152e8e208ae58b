"""The main job on a real COCO detector in the form of a TensorFlow 1 model-zoo export."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from command_line import run, run_here

from clients.ask import Detector
from clients.client import Client
from clients.compare import judging
from clients.compare import run as comparing
from converters import sources
from evaluation import labels, pictures
from evaluation.datasets import loading
from evaluation.metrics import average_precision
from evaluation.tasks import detection
from model_config import base_path
from model_config.data import Data
from model_config.models import Task
from serving import address

NAME = "ssd_mobilenet_v1_coco"
ENDS = [f"{name}:0" for name in detection.OUTPUTS]
# measured with TensorFlow's own JPEG decoder, whose faster arithmetic moves these by up to 0.03 from OpenCV's
FLOAT_SCORES = [0.752, 0.676, 0.658, 0.551]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def frozen(material):
    return material / "models" / NAME / "frozen_inference_graph.pb"


@pytest.fixture(scope="module")
def ssd(frozen, material, tmp_path_factory):
    """All versions, built by the command the README shows."""
    repository = tmp_path_factory.mktemp("ssd")
    versions = ("--version", 1, "--version", 2, "--version", 3, "--repository", repository)
    calibration = ("--calibration", material / "data" / "coco_calibration")
    done = run_here(
        "converters", "build", NAME, "--source", frozen, "--outputs", ",".join(ENDS), *calibration, *versions
    )
    assert done.returncode == 0, done.stderr
    return repository


@pytest.fixture(scope="module")
def ssd_server(ssd, tmp_path_factory):
    port, folder = address.free_ports(), tmp_path_factory.mktemp("serving")
    versions = ("--version", 1, "--version", 2, "--version", 3, "--repository", ssd, "--port", port, "--detach")
    done = run("serving", "up", "--model", NAME, *versions, "--backend", "embedded", cwd=folder)
    assert done.returncode == 0, done.stderr
    yield f"{address.LOCAL}:{port}"
    assert run("serving", "down", "--port", port, cwd=folder).returncode == 0


@pytest.fixture(scope="module")
def detectors(ssd_server):
    with Client(ssd_server) as client:
        yield {version: Detector.connect(client, NAME, version, labels.load("coco")) for version in (1, 2, 3)}


def test_the_signature_has_the_graphs_names_and_8_bits_take_a_quarter_of_the_room(ssd):
    versions = base_path.scan(ssd, NAME)

    for version in versions.values():
        signature = version.manifest.signatures["serving_default"]
        assert set(signature.inputs) == {"image_tensor"}
        assert set(signature.outputs) == set(detection.OUTPUTS)
    assert versions[2].size_bytes <= 0.28 * versions[1].size_bytes
    assert versions[3].size_bytes <= 0.34 * versions[1].size_bytes


@pytest.mark.parametrize("version", [1, 2, 3])
def test_it_finds_the_people_and_draws_them(ssd_server, material, version, tmp_path):
    image = material / "data" / "images" / "000000008021.jpg"
    arguments = ("--server", ssd_server, "--model", NAME, "--version", version, "--image", image)
    done = run("clients", "predict", *arguments, "--output", tmp_path / "out.jpg", "--json")
    answer = json.loads(done.stdout)
    people = [each for each in answer["detections"] if each["label"] == "person" and each["score"] >= 0.5]

    assert (answer["model"], answer["version"]) == (NAME, version)
    assert [each["score"] for each in people] == pytest.approx(FLOAT_SCORES, abs=0.05)
    for each in people:
        ymin, xmin, ymax, xmax = each["box"]
        assert -1 <= ymin < ymax <= 481
        assert -1 <= xmin < xmax <= 641
    assert pictures.read(tmp_path / "out.jpg").shape == (480, 640, 3)


@pytest.mark.parametrize("batch", [2, 8])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_batches_are_answered_as_their_pictures_one_by_one(detectors, material, batch, version):
    picture = pictures.read(material / "data" / "images" / "000000008021.jpg")
    turned = [np.roll(picture, 40 * place, axis=1) for place in range(batch)]
    _, together = detectors[version].detect(turned, 0.3)
    alone = [detectors[version].detect([each], 0.3)[1][0] for each in turned]

    assert [[each.number for each in found] for found in together] == [[e.number for e in found] for found in alone]
    scores = [[each.score for each in found] for found in together]
    for one, other in zip(scores, alone):
        assert one == pytest.approx([each.score for each in other], abs=1e-4)


def test_a_comparison_finds_the_average_precision_and_what_differs(ssd, ssd_server, material, tmp_path):
    data = material / "data" / "cc0_detection"
    (tmp_path / "models.yaml").write_text(f"models: {{{NAME}: {{source: x, task: {{labels: coco}}, data: {data}}}}}")
    places = ("--models", tmp_path / "models.yaml", "--repository", ssd, "--output", tmp_path / "out")
    load = ("--requests", 2, "--warm-up", 0, "--batch", 1, "--concurrency", 1)
    chosen = ("--server", ssd_server, "--model", NAME, "--version", 1, "--version", 3)
    done = run("clients", "compare", *chosen, *places, *load)

    assert done.returncode in (0, 3), done.stderr  # whatever the verdict is
    with comparing.stores(tmp_path / "out", (1, 3)) as files:
        found = judging.judge(files, loading.load(Data(path=data)), Task(labels="coco"))
    first, third = (found.accuracy[version].scores[0] for version in (1, 3))
    assert 0.545 <= first.value <= 0.565
    assert third.value == pytest.approx(first.value, abs=0.02)
    assert third.difference.low <= third.difference.value <= third.difference.high
    assert found.accuracy[3].agreement.value > 0.9
    assert found.accuracy[1].per_class.keys() == found.accuracy[3].per_class.keys()
    assert len(found.accuracy[1].per_class) == 14


def in_process(frozen, dataset):
    """What the frozen graph itself answers, without anything of ours between it and the pictures."""
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(sources.read_graph_def(frozen), name="")
    found = {}
    with tf.compat.v1.Session(graph=graph) as session:
        for picture in dataset.questions:
            pixels = pictures.read(picture.path)
            answers = dict(zip(detection.OUTPUTS, session.run(ENDS, {"image_tensor:0": pixels[None]})))
            (found[picture.id],) = detection.decode(answers, [pixels.shape[:2]], {}, 0.0)
    return found


def test_average_precision_through_the_server_is_that_of_the_frozen_graph(detectors, frozen, material):
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = loading.load(Data(path=material / "data" / "cc0_detection"))
    served = {
        version: {picture.id: detector.detect([pictures.read(picture.path)])[1][0] for picture in dataset.questions}
        for version, detector in detectors.items()
    }
    precision = {
        version: average_precision.average_precision(dataset, found, "mAP") for version, found in served.items()
    }

    assert 0.545 <= precision[1] <= 0.565
    assert precision[1] == pytest.approx(
        average_precision.average_precision(dataset, in_process(frozen, dataset), "mAP"), abs=1e-4
    )
    assert precision[2] == pytest.approx(precision[1], abs=0.01)
    assert precision[3] == pytest.approx(precision[1], abs=0.005)
