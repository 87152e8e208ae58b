"""The loop around NonMaxSuppression becomes one operation with the same answers, or stays."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from loops import Detector, answers, random_boxes, save, save_functional

from converters import graphs, registry
from converters.remarks import collected
from model_config.errors import BuildError

FORMS = {
    "filtered": Detector(),
    "filtered, cut off but not pruned": Detector(prune=False),
    "filtered, not cut off": Detector(clip=None),
    "filtered, a window for each picture": Detector(own_window=True, first_class=0.0),
    "filtered, the oldest operation": Detector(nms=2),
    "filtered, one class": Detector(classes=1, anchors=50, total=20, per_class=20),
    "padded": Detector("padded", clip="after", nms=5),
    "padded, a window for each picture": Detector("padded", clip="after", nms=5, own_window=True),
    "padded, not cut off": Detector("padded", clip=None, nms=5, score=0.3, iou=0.3),
    "RetinaNet": Detector("labels", clip=None, first_class=0.0, score=0.2, iou=0.5),
    "filtered, counted in the window": Detector(own_window=True, relative=True),
    "padded, counted in the window": Detector("padded", clip="after", nms=5, own_window=True, relative=True),
    "boxes of their own for each class": Detector(own_boxes=True),
    "filtered, with properties": Detector(properties=True),
    "padded, with properties": Detector("padded", clip="after", nms=5, properties=True, own_window=True),
    "boxes of their own and properties": Detector("padded", clip=None, nms=5, properties=True, own_boxes=True),
    "many classes": Detector(classes=40, per_class=100, total=100, anchors=50, score=1e-8),
    "other names and numbers": Detector(scope="a/b", classes=7, iou=0.35, score=0.4, per_class=3, total=15),
}


def rewrite(folder, target, **params):
    with collected() as remarks:
        registry.find("batched_nms")(folder, target, **params)
    return target, remarks


def operation_types(folder):
    return [node.op for node in graphs.meta_graph(folder).graph_def.node]


def drawn(detector, seed, pictures, anchors=50):
    rng = np.random.default_rng(seed)
    shape = (pictures, anchors, detector.classes) if detector.own_boxes else (pictures, anchors)
    inputs = random_boxes(rng, shape, detector.classes)
    if detector.own_window:
        low, size = rng.uniform(0, 0.3, (pictures, 2)), rng.uniform(0.4, 0.7, (pictures, 2))
        inputs["window"] = np.concatenate([low, low + size], 1).astype(np.float32)
    return inputs


def assert_same_answers(one, other, inputs):
    wanted, got = answers(one, **inputs), answers(other, **inputs)
    assert wanted.keys() == got.keys()
    for name in wanted:
        assert wanted[name].dtype == got[name].dtype
        np.testing.assert_allclose(got[name], wanted[name], atol=1e-5, err_msg=name)


@pytest.fixture(scope="module", params=FORMS.values(), ids=FORMS.keys())
def pair(request, tmp_path_factory):
    """A detector's post-processing, and what the pass made of it."""
    folder = tmp_path_factory.mktemp("nms")
    before = request.param.save(folder / "before")
    after, remarks = rewrite(before, folder / "after")
    return request.param, before, after, remarks


def test_one_operation_takes_the_place_of_all(pair):
    detector, before, after, remarks = pair

    assert operation_types(after).count("CombinedNonMaxSuppression") == 1
    assert not {"NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionV5"} & set(operation_types(after))
    assert not {"Enter", "Exit", "TensorArrayV3"} & set(operation_types(after))
    assert graphs.signatures(before) == graphs.signatures(after)
    assert f"IoU {detector.iou:g}, score {detector.score:g}, {detector.per_class} a class" in remarks[0]
    assert f"{detector.total} in all" in remarks[0]


@pytest.mark.parametrize("pictures", [1, 2, 5])
def test_answers_are_the_loops(pair, pictures):
    detector, before, after, _ = pair

    assert_same_answers(before, after, drawn(detector, pictures, pictures))


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), pictures=st.integers(1, 3), quiet=st.floats(0, 1))
def test_drawn_boxes_are_answered_as_by_the_loop(pair, seed, pictures, quiet):
    detector, before, after, _ = pair
    inputs = drawn(detector, seed, pictures)
    inputs["scores"] *= np.random.default_rng(seed).random(inputs["scores"].shape) >= quiet

    assert_same_answers(before, after, inputs)


def test_a_batch_is_answered_as_its_pictures_one_by_one(pair):
    detector, _, after, _ = pair
    inputs = drawn(detector, 5, 8)
    together = answers(after, **inputs)
    alone = [answers(after, **{name: value[place : place + 1] for name, value in inputs.items()}) for place in range(8)]

    for name, value in together.items():
        np.testing.assert_allclose(value, np.concatenate([each[name] for each in alone]), atol=1e-6)


def test_a_second_run_changes_nothing(pair, tmp_path):
    _, _, after, _ = pair
    again, remarks = rewrite(after, tmp_path / "again")

    assert graphs.meta_graph(again).graph_def == graphs.meta_graph(after).graph_def
    assert "no loop" in remarks[0]


@pytest.mark.parametrize(
    "detector",
    [
        Detector(),
        Detector("padded", clip="after", nms=5, own_window=True, properties=True),
        Detector("labels", clip=None, first_class=0.0),
    ],
    ids=["filtered", "padded", "RetinaNet"],
)
def test_loops_that_tensorflow_2_wrote_are_found_as_well(detector, tmp_path):
    before = save_functional(tmp_path / "before", detector.build, detector.inputs)
    after, _ = rewrite(before, tmp_path / "after")

    assert "CombinedNonMaxSuppression" in operation_types(after)
    assert "TensorListStack" not in operation_types(after)
    assert_same_answers(before, after, drawn(detector, 4, 3))


@pytest.mark.parametrize("save_it", [save, save_functional], ids=["TensorFlow 1", "TensorFlow 2"])
@pytest.mark.parametrize("properties", [False, True])
def test_a_batch_of_one_needs_no_loop_to_be_found(save_it, properties, tmp_path):
    detector = Detector("padded", pictures=1, clip="after", nms=5, own_window=True, properties=properties)
    before = save_it(tmp_path / "before", detector.build, detector.inputs)
    after, remarks = rewrite(before, tmp_path / "after")

    assert "CombinedNonMaxSuppression" in operation_types(after), remarks
    assert "NonMaxSuppressionV5" not in operation_types(after)
    for seed in range(5):
        assert_same_answers(before, after, drawn(detector, seed, 1))


def test_what_scores_more_than_the_last_candidate_is_as_without_a_limit(tmp_path):
    detector = Detector(classes=20, per_class=30, total=60)
    before = detector.save(tmp_path / "before")
    after, _ = rewrite(before, tmp_path / "after", candidates="40")
    inputs = drawn(detector, 3, 4, anchors=200)
    scores = inputs["scores"]
    limits = np.maximum(np.sort(scores.max(-1), 1)[:, -40], np.sort(scores.reshape(4, -1), 1)[:, -4 * 40])
    wanted, got = answers(before, **inputs), answers(after, **inputs)

    for picture, limit in enumerate(limits):
        sure = wanted["detection_scores"][picture] > limit
        assert sure.any()
        for name in ("detection_boxes", "detection_scores", "detection_classes"):
            np.testing.assert_allclose(got[name][picture][sure], wanted[name][picture][sure], atol=1e-5)


class Uneven(Detector):
    """Looks like a detector, but no two classes have one threshold."""

    thresholds = itertools.count(1)

    def _suppress(self, boxes, scores):
        return tf.image.non_max_suppression(boxes, scores, self.per_class, 0.1 * next(self.thresholds))


class Halved(Detector):
    """Looks like a detector, but every box is made smaller before suppression."""

    def _filtered(self, boxes, scores, window):
        return super()._filtered(boxes * 0.5, scores, window)


class Squared(Detector):
    """Looks like a detector, but other scores decide."""

    def _filtered(self, boxes, scores, window):
        return super()._filtered(boxes, [each * each for each in scores], window)


class Soft(Detector):
    """Lowers scores instead of dropping boxes."""

    def _suppress(self, boxes, scores):
        return tf.image.non_max_suppression_with_scores(boxes, scores, 8, self.iou, 0.1, soft_nms_sigma=0.5)[0]


@pytest.mark.parametrize(
    ("detector", "words"),
    [
        (Uneven(), "its classes differ in their IoU threshold"),
        (Halved(), "does not answer drawn boxes as it does"),
        (Squared(), "does not answer drawn boxes as it does"),
        (Soft(), "soft NMS"),
        (Detector(score=2.0), "does not answer drawn boxes as it does"),
    ],
    ids=["different thresholds", "other boxes", "other scores", "soft", "nothing is ever found"],
)
def test_what_only_looks_like_it_stays_and_says_why(detector, words, tmp_path):
    before = detector.save(tmp_path / "before")
    after, remarks = rewrite(before, tmp_path / "after")

    assert words in remarks[0]
    assert graphs.meta_graph(after).graph_def == graphs.meta_graph(before).graph_def


@pytest.mark.parametrize("candidates", ["0", "many", "-3"])
def test_a_number_of_candidates_is_a_number(candidates, tmp_path):
    before = Detector().save(tmp_path / "before")

    with pytest.raises(BuildError, match="candidates"):
        rewrite(before, tmp_path / "after", candidates=candidates)
