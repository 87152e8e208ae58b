"""Detections: encoded, decoded into pixels, refused when they are none, drawn."""

from __future__ import annotations

import numpy as np
import pytest

from clients import drawing
from evaluation import labels
from evaluation.errors import BadAnswer
from evaluation.tasks import detection, prepared
from evaluation.tasks.detection import Detection
from model_config.errors import SuiteError
from model_config.models import Task
from model_config.signatures import Signature, Tensor

NAMES = {1: "cat", 3: "dog"}


def outputs(**changes):
    given = {
        "detection_boxes": np.array([[[0, 0, 0.5, 0.5], [0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]]], np.float32),
        "detection_classes": np.array([[1, 2, 3]], np.float32),
        "detection_scores": np.array([[0.4, 0.9, 0.8]], np.float32),
        "num_detections": np.array([2], np.float32),
    }
    return {**given, **changes}


def decode(min_score=0.0, **changes):
    return detection.decode(outputs(**changes), [(100, 200)], NAMES, min_score)


def test_boxes_are_in_pixels_best_first_and_only_as_many_as_counted():
    (found,) = decode()

    assert [each.label for each in found] == ["2", "cat"]
    assert found[0].box == pytest.approx((10, 40, 30, 80))
    assert found[1].box == pytest.approx((0, 0, 50, 100))


def test_what_scores_too_little_is_left_out():
    assert [each.number for each in decode(min_score=0.5)[0]] == [2]


@pytest.mark.parametrize(
    "changes",
    [
        {"detection_boxes": np.zeros((1, 3, 5))},
        {"detection_classes": np.zeros((1, 2))},
        {"num_detections": np.zeros(2)},
        {"detection_scores": np.full((1, 3), np.nan)},
        {"detection_boxes": np.full((1, 3, 4), np.inf)},
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(changes):
    with pytest.raises(BadAnswer):
        decode(**changes)


def test_a_missing_output_is_named():
    incomplete = outputs()
    del incomplete["detection_scores"]

    with pytest.raises(BadAnswer, match="detection_scores"):
        detection.decode(incomplete, [(1, 1)], NAMES, 0)


def signature(dtype="uint8", shape=(None, None, None, 3), names=detection.OUTPUTS):
    ends = {name: Tensor(dtype="float32", shape=None) for name in names}
    return Signature(method_name="p", inputs={"image": Tensor(dtype=dtype, shape=shape)}, outputs=ends)


@pytest.mark.parametrize("changes", [{"dtype": "bool"}, {"shape": (None, 10)}, {"names": ("scores",)}])
def test_a_model_that_is_no_detector_is_refused(changes):
    assert prepared.prepared(Task(), signature()).encoder.name == "image"
    with pytest.raises(SuiteError):
        prepared.prepared(Task(), signature(**changes))


def test_drawing_marks_the_box_and_leaves_the_picture_alone():
    picture = np.zeros((60, 80, 3), np.uint8)
    drawn = drawing.draw(picture, [Detection((10, 10, 50, 70), 1, "cat", 0.9)])

    assert not picture.any()
    assert drawn.shape == picture.shape
    assert drawn[30, 10].any()
    assert not drawn[40, 40].any()


def test_small_pictures_are_enlarged_for_drawing():
    assert drawing.draw(np.zeros((60, 80, 3), np.uint8), [], least_side=240).shape == (240, 320, 3)


def test_labels_come_from_a_list_a_file_or_by_name(tmp_path):
    (tmp_path / "labels.txt").write_text("cat\n\ndög\n", encoding="utf-8")

    assert labels.load(("cat", "dog")) == {1: "cat", 2: "dog"}
    assert labels.load(str(tmp_path / "labels.txt")) == {1: "cat", 3: "dög"}
    assert (labels.load("coco")[1], labels.load("coco")[90]) == ("person", "toothbrush")
    assert labels.name({}, 7) == "7"


def test_labels_that_cannot_be_read_are_one_sentence():
    with pytest.raises(SuiteError, match="one label a line, or coco"):
        labels.load("nowhere.txt")
