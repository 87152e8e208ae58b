"""Accuracy by COCO's own tool, agreement as its docstring defines it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation import pictures
from evaluation.datasets import loading
from evaluation.errors import BadDataset
from evaluation.metrics import agreement, average_precision, matching
from evaluation.tasks.detection import Detection
from model_config.data import Data

BOXES = [(10, 10, 20, 20), (5, 30, 25, 50)]  # ymin, xmin, ymax, xmax


@pytest.fixture
def folder(tmp_path):
    """Two pictures with one cat and one dog each."""
    (tmp_path / "images").mkdir()
    for number in (1, 2):
        pictures.write(np.full((40, 60, 3), 99, np.uint8), tmp_path / "images" / f"{number}.png")
    annotations = [
        {"id": 10 * image + category, "image_id": image, "category_id": category, "bbox": [x0, y0, x1 - x0, y1 - y0]}
        for image in (1, 2)
        for category, (y0, x0, y1, x1) in zip((1, 2), BOXES)
    ]
    for each in annotations:
        each.update(area=each["bbox"][2] * each["bbox"][3], iscrowd=0)
    images = [{"id": number, "file_name": f"{number}.png", "height": 40, "width": 60} for number in (1, 2)]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    index = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "instances.json").write_text(json.dumps(index))
    return tmp_path


def found(*numbers, score=0.9, shift=0.0):
    return [Detection(tuple(edge + shift for edge in BOXES[n - 1]), n, str(n), score) for n in numbers]


def test_the_truth_comes_with_each_picture(folder):
    first = loading.load(Data(path=folder)).questions[0]

    assert first.path.name == "1.png"
    assert [(each.label, each.box) for each in first.label.detections] == list(zip(("cat", "dog"), BOXES))


@pytest.mark.parametrize("metric", ["mAP", "mAP@0.5"])
def test_all_found_is_one_and_nothing_found_is_none(folder, metric):
    dataset = loading.load(Data(path=folder))

    assert average_precision.average_precision(dataset, {1: found(1, 2), 2: found(1, 2)}, metric) == 1.0
    assert average_precision.average_precision(dataset, {1: [], 2: []}, metric) == 0.0


def test_the_looser_metric_forgives_a_shift(folder):
    dataset = loading.load(Data(path=folder))
    shifted = {1: found(1, 2, shift=1.0), 2: found(1, 2, shift=1.0)}

    assert average_precision.average_precision(dataset, shifted, "mAP@0.5") == 1.0
    assert average_precision.average_precision(dataset, shifted, "mAP") < 0.9


def test_one_class_missing_costs_its_half(folder):
    dataset = loading.load(Data(path=folder))

    assert average_precision.average_precision(dataset, {1: found(1), 2: found(1)}, "mAP@0.5") == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: f.rename(f.with_name("away")), "no data at"),
        (lambda f: (f / "instances.json").write_text("{"), "not COCO's instances.json"),
        (lambda f: (f / "instances.json").write_text("[]"), "not COCO's instances.json"),
        (lambda f: (f / "instances.json").write_text('{"images": []}'), "lists no pictures"),
    ],
)
def test_data_that_cannot_be_used_is_named(folder, spoil, words):
    spoil(folder)

    with pytest.raises(BadDataset, match=words):
        loading.load(Data(path=folder))


def test_the_same_answers_agree_fully():
    assert agreement.agreement([found(1, 2), []], [found(1, 2), []]) == 1.0


def test_one_of_two_missing_is_two_thirds():
    assert agreement.agreement([found(1, 2)], [found(1)]) == pytest.approx(2 / 3)


def test_another_class_or_place_or_a_low_score_does_not_agree():
    other_class = [Detection(BOXES[0], 2, "dog", 0.9)]

    assert agreement.agreement([found(1)], [other_class]) == 0.0
    assert agreement.agreement([found(1)], [found(1, shift=8.0)]) == 0.0
    assert agreement.agreement([found(1)], [found(1, score=0.4)]) == 0.0


def test_nothing_shown_by_both_is_agreement():
    assert agreement.agreement([[]], [[]]) == 1.0


EDGES = st.floats(0, 100)
BOX = st.builds(lambda y, x, h, w: (y, x, y + h, x + w), EDGES, EDGES, EDGES, EDGES)
DETECTIONS = st.lists(st.builds(Detection, BOX, st.integers(1, 3), st.just(""), st.floats(0, 1)), max_size=6)


@given(DETECTIONS, DETECTIONS)
def test_agreement_is_a_share(one, other):
    assert 0.0 <= agreement.agreement([one], [other]) <= 1.0


@given(BOX, BOX)
def test_overlap_is_a_share_and_has_no_direction(one, other):
    first, second = np.array([one]), np.array([other])

    assert 0.0 <= matching.overlaps(first, second)[0, 0] <= 1.0 + 1e-9
    assert matching.overlaps(first, second) == matching.overlaps(second, first)
