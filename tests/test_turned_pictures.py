"""Pictures whose files say how the camera was held: labels are of the stored ones, users look at upright ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from comparing import compared, comparison
from PIL import Image

from clients.comparison import Example
from clients.footage import Still
from clients.report import gallery
from converters import graphs
from converters.graphs import Graph
from converters.judging.held_out import Labelled
from converters.picture_inputs import Way
from evaluation.datasets import loading
from evaluation.tasks.detection import Detected
from model_config.data import Data

STORED, UPRIGHT = (40, 60), (60, 40)  # height, width
_ORIENTATION, _TURNED = 0x0112, 6  # the camera was held on its right side


def photo(path):
    """What lies at the left as it is stored lies on top when it is turned."""
    pixels = np.zeros((*STORED, 3), np.uint8)
    pixels[:, :30] = 255
    exif = Image.Exif()
    exif[_ORIENTATION] = _TURNED
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif)


def coco(folder, **size):
    photo(folder / "images" / "a.jpg")
    index = {
        "images": [{"id": 1, "file_name": "a.jpg", **size}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 30, 40]}],
        "categories": [{"id": 1, "name": "light"}],
    }
    (folder / "instances.json").write_text(json.dumps(index))
    return loading.load(Data(path=folder))


def test_what_a_user_asks_about_is_turned_upright(tmp_path):
    photo(tmp_path / "a.jpg")
    (shown,) = Still(tmp_path / "a.jpg").frames()

    assert shown.shape[:2] == UPRIGHT
    assert shown[:20].min() > 200 > 50 > shown[40:].max()


@pytest.mark.parametrize("size", [{}, {"height": 40, "width": 60}, {"height": 80, "width": 120}])
def test_boxes_lie_on_the_picture_as_it_is_stored(tmp_path, size):
    (question,) = coco(tmp_path, **size).questions

    assert question.read().shape[:2] == STORED
    top, left, bottom, right = map(int, question.label.detections[0].box)
    assert question.read()[top:bottom, left : right - 2].min() > 200


def test_boxes_of_an_index_that_has_turned_the_picture_lie_on_the_upright_one(tmp_path):
    (question,) = coco(tmp_path, height=60, width=40).questions

    assert question.read().shape[:2] == UPRIGHT


def test_a_class_is_told_from_the_stored_picture_and_without_labels_it_is_upright(tmp_path):
    for name in ("cat/a.jpg", "dog/a.jpg"):
        photo(tmp_path / name)

    assert loading.load(Data(path=tmp_path)).questions[0].read().shape[:2] == STORED
    assert loading.load(Data(path=tmp_path / "cat")).questions[0].read().shape[:2] == UPRIGHT


def test_the_page_shows_a_picture_as_it_was_asked_about(tmp_path):
    (question,) = coco(tmp_path).questions
    nothing = Detected(())
    seen = Example(question.name, question.read, question.label, {1: nothing, 2: nothing}, {1: 0.0, 2: 0.0})
    (card,) = gallery.cards(comparison(compared(1, 0.9), compared(2, 0.9), examples=(seen,)))

    assert (card.picture.height, card.picture.width) == STORED


@pytest.mark.parametrize(("height", "width"), [STORED, UPRIGHT])
def test_a_version_is_judged_on_the_picture_that_its_boxes_lie_on(tmp_path, height, width):
    with tf.Graph().as_default() as graph:
        fed = tf.compat.v1.placeholder(tf.uint8, [None, None, None, 3], "x")
        tf.identity(fed, "y")
    signature = graphs.signature_of(graph.as_graph_def(), ["x:0"], ["y:0"])
    dataset = coco(tmp_path, height=height, width=width)
    (row,) = Labelled(dataset, Way(), "").rows(Graph(graph.as_graph_def(), graphs.DEFAULT_KEY, signature))

    assert row["x"].shape == (1, height, width, 3)
