"""Recipe optimized: a real detector without its loops, a model without loops, and what is said about either."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from command_line import run_here
from loops import answers

from converters import graphs, pipeline, recipes
from converters.sources import Source
from evaluation import pictures
from evaluation.datasets import loading
from evaluation.metrics import average_precision
from evaluation.tasks import detection
from model_config import base_path
from model_config.data import Data

LOOPS = {"Enter", "Exit", "TensorArrayV3", "NonMaxSuppressionV3"}


def operation_types(folder):
    return [node.op for node in graphs.meta_graph(folder).graph_def.node]


def test_what_is_not_recognised_is_said_on_the_terminal_and_in_the_manifest(saved_model, tmp_path):
    done = run_here("converters", "build", "tiny", "--source", saved_model, "--version", 7, "--repository", tmp_path)
    steps = {step.name: step for step in base_path.require(tmp_path, "tiny", 7).manifest.steps}

    assert done.returncode == 0, done.stderr
    for name in ("vectorize_preprocessing", "batched_nms"):
        (remark,) = steps[name].remarks
        assert "the graph stays as it was" in remark
        assert remark in done.stderr
    assert steps["fold_constants"].remarks == ()


@pytest.fixture(scope="module")
def ssd(material, tmp_path_factory):
    """The COCO detector as it came and optimized."""
    folder = tmp_path_factory.mktemp("ssd")
    path = material / "models" / "ssd_mobilenet_v1_coco" / "frozen_inference_graph.pb"
    Source(path, "frozen_graph", outputs=detection.OUTPUTS).load(folder / "1")
    records = pipeline.run(recipes.find("optimized").steps, folder / "1", folder / "7", lambda step, record: None)
    return folder, {record.name: record for record in records}


@pytest.mark.slow
def test_the_real_detectors_loops_are_gone_and_that_is_said(ssd):
    folder, records = ssd
    kinds = operation_types(folder / "7")

    assert set(operation_types(folder / "1")) >= LOOPS
    assert not LOOPS & set(kinds)
    assert kinds.count("CombinedNonMaxSuppression") == 1
    assert "90 times NonMaxSuppression became one" in records["batched_nms"].remarks[0]
    assert "IoU 0.6, score 1e-08, 100 a class, 100 in all" in records["batched_nms"].remarks[0]
    assert "on the whole batch" in records["vectorize_preprocessing"].remarks[0]
    assert graphs.signatures(folder / "1") == graphs.signatures(folder / "7")


@pytest.mark.slow
def test_the_real_detector_is_as_precise_and_finds_the_same(ssd, material):
    folder, _ = ssd
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = loading.load(Data(path=material / "data" / "cc0_detection"))
    found = {"1": {}, "7": {}}
    for picture in dataset.questions:
        pixels = pictures.read(picture.path)
        both = {version: answers(folder / version, image_tensor=pixels[None]) for version in found}
        for version, answer in both.items():
            (found[version][picture.id],) = detection.decode(answer, [pixels.shape[:2]], {}, 0.0)
        sure = both["1"]["detection_scores"] >= 0.05
        for name in ("detection_boxes", "detection_scores", "detection_classes"):
            np.testing.assert_allclose(both["7"][name][sure], both["1"][name][sure], atol=1e-4)
    precision = {version: average_precision.average_precision(dataset, each, "mAP") for version, each in found.items()}

    assert precision["7"] == pytest.approx(precision["1"], abs=0.002)


@pytest.mark.slow
def test_the_real_detector_answers_a_batch_as_its_pictures_one_by_one(ssd, material):
    folder, _ = ssd
    picture = pictures.read(material / "data" / "images" / "000000008021.jpg")
    batch = np.stack([np.roll(picture, 40 * place, axis=1) for place in range(8)])
    together = answers(folder / "7", image_tensor=batch)
    alone = [answers(folder / "7", image_tensor=each[None]) for each in batch]

    for name, value in together.items():
        np.testing.assert_allclose(value, np.concatenate([each[name] for each in alone]), atol=1e-5)
