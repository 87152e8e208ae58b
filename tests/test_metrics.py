"""Metrics against the field's own programs, and what is drawn again against asking again."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

from evaluation.datasets.questions import Dataset, Pair, Question, Subject
from evaluation.metrics import agreement, bootstrap
from evaluation.metrics.average_precision import AveragePrecision
from evaluation.metrics.drift import Drifting
from evaluation.metrics.first_guesses import FirstGuesses
from evaluation.metrics.ranking import Ranking
from evaluation.metrics.verification import Verification
from evaluation.tasks.classification import Classified, Guess
from evaluation.tasks.detection import Detected, Detection
from evaluation.tasks.embedding import Embedded, Shown
from evaluation.tasks.multi_label import MultiLabelled

PICTURES, CLASSES = 30, (1, 2, 7)


def question(number):
    return Question(number, f"q{number}", None, Subject("x"), lambda: np.zeros((1, 1, 3), np.uint8))


def index(boxes, pictures):
    """COCO's index of boxes (picture, class, x, y, w, h, crowd) in these pictures."""
    coco = COCO()
    coco.dataset = {
        "images": [{"id": n} for n in pictures],
        "categories": [{"id": n, "name": f"class {n}"} for n in CLASSES],
        "annotations": [
            {"id": n, "image_id": p, "category_id": c, "bbox": [x, y, w, h], "area": w * h, "iscrowd": crowd}
            for n, (p, c, x, y, w, h, crowd) in enumerate(boxes, start=1)
        ],
    }
    coco.createIndex()
    return coco


def drawn_boxes(seed):
    """Boxes, some of them crowds, and detections around them with a few that are wrong."""
    rng = np.random.default_rng(seed)
    boxes, found = [], {n: [] for n in range(PICTURES)}
    for picture in range(PICTURES):
        for _ in range(rng.integers(0, 5)):
            x, y, w, h = rng.uniform(0, 60), rng.uniform(0, 60), rng.uniform(5, 30), rng.uniform(5, 30)
            number = int(rng.choice(CLASSES))
            boxes.append((picture, number, x, y, w, h, int(rng.random() < 0.1)))
            if rng.random() < 0.8:
                x, y, w, h = np.array([x, y, w, h]) + rng.normal(0, 1.5, 4)
                said = number if rng.random() < 0.9 else int(rng.choice(CLASSES))
                found[picture].append(Detection((y, x, y + h, x + w), said, "", float(rng.random())))
        for _ in range(rng.integers(0, 3)):
            x, y = rng.uniform(0, 80, 2)
            found[picture].append(
                Detection((y, x, y + 9, x + 9), int(rng.choice(CLASSES)), "", float(rng.random() / 2))
            )
    return boxes, found


def by_pycocotools(coco, found):
    """All twelve of its own numbers."""
    rows = [
        {"image_id": n, "category_id": d.number, "bbox": [d.box[1], d.box[0], d.box[3] - d.box[1], d.box[2] - d.box[0]],
         "score": d.score}
        for n, each in found.items() for d in each
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco, coco.loadRes(rows), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def gathered(coco, found):
    evidence = AveragePrecision(Dataset("x", (), "", index=coco))
    for number, detections in found.items():
        evidence.add(question(number), None, Detected(tuple(detections)))
    return evidence


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_pycocotools_to_the_last_bit(seed):
    boxes, found = drawn_boxes(seed)
    coco = index(boxes, range(PICTURES))
    theirs, ours = by_pycocotools(coco, found), gathered(coco, found)

    assert ours.values().tolist() == theirs.stats[:3].tolist()
    precision = theirs.eval["precision"][:, :, :, 0, -1]
    expected = {f"class {n}": precision[:, :, place].mean() for place, n in enumerate(CLASSES)}
    assert ours.per_class() == pytest.approx(expected)


def test_pictures_drawn_several_times_are_as_if_they_were_there_several_times():
    boxes, found = drawn_boxes(9)
    counts = np.random.default_rng(1).integers(0, 3, PICTURES)
    copies = [(number, copy) for number, count in enumerate(counts) for copy in range(count)]
    again = {1000 * copy + number: found[number] for number, copy in copies}
    many = [(1000 * copy + box[0], *box[1:]) for number, copy in copies for box in boxes if box[0] == number]
    theirs = by_pycocotools(index(many, again), again)

    drawn = gathered(index(boxes, range(PICTURES)), found).drawn(counts)

    assert drawn == pytest.approx(theirs.stats[:3], abs=1e-9)


def classified(*numbers):
    return Classified(tuple(Guess(number, str(number), 1 / place) for place, number in enumerate(numbers, start=1)))


def test_top_1_and_top_5_count_the_first_and_the_first_five():
    evidence = FirstGuesses()
    for number, guessed in enumerate([(3, 1, 2, 4, 5), (1, 3, 2, 4, 5), (1, 2, 4, 5, 3), (1, 2, 4, 5, 6)]):
        evidence.add(question(number), classified(3), classified(*guessed))

    assert evidence.values().tolist() == [0.25, 0.75]
    assert evidence.drawn(np.array([3, 1, 0, 0])).tolist() == [0.75, 1.0]
    assert evidence.per_class() == {"3": 0.25}


def findings(values, present=None):
    there = [False] * len(values) if present is None else present
    return MultiLabelled(tuple(Guess(n, f"f{n}", v, bool(p)) for n, (v, p) in enumerate(zip(values, there))))


@settings(max_examples=40)
@given(st.integers(0, 2**31))
def test_auroc_is_scikit_learns_with_ties_and_drawn_questions(seed):
    rng = np.random.default_rng(seed)
    scores, present = rng.integers(0, 6, (40, 3)) / 5, rng.random((40, 3)) < 0.4
    present[0], present[1] = True, False
    counts = rng.integers(0, 3, 40)
    counts[:2] = 1
    evidence = Ranking()
    for number in range(40):
        evidence.add(question(number), findings([0, 0, 0], present[number]), findings(scores[number]))

    for found, weights in ((evidence.values(), None), (evidence.drawn(counts), counts)):
        expected = [roc_auc_score(present[:, n], scores[:, n], sample_weight=weights) for n in range(3)]
        assert found[0] == pytest.approx(np.mean(expected))


def test_a_finding_that_nobody_has_is_left_out_of_the_mean():
    evidence = Ranking()
    for number, score in enumerate((0.9, 0.1)):
        evidence.add(question(number), findings([0, 0], [number == 0, False]), findings([score, 0.5]))

    assert evidence.values().tolist() == [1.0]
    assert evidence.per_class() == {"f0": 1.0}


def verification(distances, same):
    """Evidence of pairs with vectors so far apart."""
    pairs = [Pair(2 * n, 2 * n + 1, bool(s), n % 10) for n, s in enumerate(same)]
    evidence = Verification(Dataset("x", (), "", pairs=tuple(pairs)))
    for number, distance in enumerate(distances):
        for place, vector in enumerate(([0.0, number], [distance, number])):
            evidence.add(question(2 * number + place), Shown("x"), Embedded(np.array(vector)))
    return evidence


def test_verification_is_that_of_thresholds_tried_one_by_one():
    rng = np.random.default_rng(5)
    same = rng.random(200) < 0.5
    distances = np.where(same, rng.normal(0.8, 0.3, 200), rng.normal(1.4, 0.3, 200)).clip(0.01)
    evidence = verification(distances, same)
    rounded = distances.astype(np.float32)
    folds = []
    for train, test in KFold(10).split(same):
        held = np.arange(200) % 10 == test[0] // 20
        train = ~held
        tried = [np.mean((rounded[train] <= t) == same[train]) for t in np.sort(rounded)]
        threshold = np.sort(rounded)[int(np.argmax(tried))]
        folds.append(np.mean((rounded[held] <= threshold + 1e-6) == same[held]))
    accuracy, at_far, auc = evidence.values()

    assert evidence.names == ("accuracy", "TAR@FAR=0.001", "AUC")
    assert accuracy == pytest.approx(np.mean(folds), abs=0.02)
    assert at_far == pytest.approx(np.mean(rounded[same] < rounded[~same].min()))
    assert auc == pytest.approx(roc_auc_score(same, -rounded))
    assert evidence.drawn(np.ones(200, int)).tolist() == evidence.values().tolist()


def test_pairs_without_one_of_their_pictures_are_left_out():
    evidence = verification([0.1, 2.0, 0.2], [True, False, True])
    del evidence._vectors[5]
    evidence._ready = None

    assert len(evidence) == 2
    assert evidence.values().tolist()[1:] == [1.0, 1.0]


def guesses(right):
    evidence = FirstGuesses()
    for number, hit in enumerate(right):
        evidence.add(question(number), classified(1), classified(1 if hit else 2))
    return evidence


def test_equal_answers_do_not_differ_and_a_clear_loss_is_significant():
    rng = np.random.default_rng(2)
    start = rng.random(300) < 0.9
    worse = start & (rng.random(300) < 0.8)
    same, lost = bootstrap.differences(guesses(start), [guesses(start), guesses(worse)])

    assert same[0] == (0.0, 0.0, 0.0)
    assert lost[0].high < 0
    assert lost[0].value == pytest.approx(worse.mean() - start.mean())
    assert lost[0].low < lost[0].value < lost[0].high


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng, held = np.random.default_rng(0), 0
    for _ in range(60):
        start, other = rng.random(120) < 0.8, rng.random(120) < 0.75
        ((interval, _),) = bootstrap.differences(guesses(start), [guesses(other)], draws=200)
        held += interval.low <= -0.05 <= interval.high

    assert held >= 50


def test_one_question_makes_no_interval():
    assert bootstrap.differences(guesses([True]), [guesses([False])]) == [(None, None)]


def detected(*scores, shift=0.0, number=1):
    return Detected(
        tuple(Detection((0, 20.0 * n + shift, 10, 20.0 * n + 10 + shift), number, "", s) for n, s in enumerate(scores))
    )


def test_answers_are_apart_by_what_a_user_would_see():
    assert agreement.apart(detected(0.9, 0.8), detected(0.9, 0.8)) == 0.0
    assert agreement.apart(detected(0.9, 0.8), detected(0.9)) == pytest.approx(0.5)
    assert agreement.apart(detected(0.9), detected(0.7)) == pytest.approx(0.2)
    assert agreement.apart(classified(1, 2), classified(2, 1)) > 0.5
    assert agreement.apart(findings([0.2, 0.9]), findings([0.5, 0.9])) == pytest.approx(0.3)
    assert agreement.apart(Embedded(np.array([1.0, 0])), Embedded(np.array([-1.0, 0]))) == 1.0


def test_agreement_has_the_terms_of_each_task():
    assert agreement.agreed(classified(1), classified(2)) == (0, 1)
    assert agreement.agreed(findings([0.1, 0.9], [0, 1]), findings([0.6, 0.9], [1, 1])) == (1, 2)
    assert agreement.agreed(detected(0.9, 0.8), detected(0.9, 0.3)) == (2, 3)


def test_drift_of_boxes_is_that_of_the_same_box_wherever_it_stands_in_the_answer():
    drifting = Drifting()
    other = Detected(tuple(reversed(detected(0.6, 0.95, shift=2.0).detections)))
    drifting.add_detected(detected(0.9, 0.8), other)

    assert drifting.outputs["score"].largest == pytest.approx(0.3)
    assert drifting.outputs["position"].largest == 2.0
    assert drifting.outputs["position"].mean == 1.0


def test_drift_of_numbers_is_largest_mean_and_the_smallest_cosine():
    drifting = Drifting()
    drifting.add({"y": np.array([[3.0, 4.0]])}, {"y": np.array([[3.0, 4.0]])})
    drifting.add({"y": np.array([[1.0, 0.0]])}, {"y": np.array([[0.0, 2.0]])})
    found = drifting.outputs["y"]

    assert (found.largest, found.mean, found.cosine) == (2.0, 0.75, 0.0)
