"""What answers are worth where there is little or nothing to tell it by: never more than is known."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from comparing import compared, comparison, example
from publisher import publishing
from speaking import prediction, server

from clients import costs, verdict
from clients.compare import worst
from clients.loadgen.measure import Target
from clients.report import table, write
from evaluation.datasets.questions import Dataset, Flags, Pair, Question
from evaluation.errors import BadAnswer
from evaluation.metrics.first_guesses import FirstGuesses
from evaluation.metrics.ranking import Ranking
from evaluation.metrics.verification import Verification
from evaluation.tasks import detection
from evaluation.tasks.classification import Guess
from evaluation.tasks.embedding import Embedded, Shown
from evaluation.tasks.multi_label import MultiLabelled
from model_config.goals import Goal, Goals, meets

NAN = float("nan")


def question(number):
    return Question(number, f"q{number}", None, Flags(()), lambda: np.zeros((1, 1, 3), np.uint8))


def verification(distances, same, folds):
    """Every pair has a picture at 0 and one at its distance."""
    asked = tuple(question(number) for number in range(2 * len(distances)))
    pairs = tuple(Pair(2 * n, 2 * n + 1, bool(each), int(fold)) for n, (each, fold) in enumerate(zip(same, folds)))
    evidence = Verification(Dataset("pictures", asked, "", pairs=pairs))
    for number, distance in enumerate(distances):
        evidence.add(asked[2 * number], Shown(""), Embedded(np.array([0.0])))
        evidence.add(asked[2 * number + 1], Shown(""), Embedded(np.array([float(distance)])))
    return evidence


def best_threshold(distances, same):
    """The lowest of the best, half way between two distances, by trying all of them."""
    places = np.sort(distances)
    tried = [places[0] - 1, *(places[:-1] + places[1:]) / 2, places[-1]]
    return max(tried, key=lambda each: (np.mean((distances <= each) == same), -each))


def test_the_threshold_of_a_fold_is_found_without_looking_at_it():
    rng = np.random.default_rng(5)
    for _ in range(20):
        same, folds = rng.random(30) < 0.5, np.arange(30) % 10
        distances = np.float32(np.where(same, rng.normal(1, 0.5, 30), rng.normal(2, 0.5, 30))).clip(0).astype(float)
        wanted = []
        for fold in range(10):
            held = folds == fold
            threshold = best_threshold(distances[~held], same[~held])
            wanted.append(np.mean((distances[held] <= threshold) == same[held]))

        assert verification(distances, same, folds).values()[0] == pytest.approx(np.mean(wanted))


def test_of_one_fold_alone_there_is_no_accuracy_but_the_rest():
    accuracy, at_far, auc = verification([0.1, 0.2, 3.0, 4.0], [True, True, False, False], [0] * 4).values()

    assert math.isnan(accuracy)
    assert (at_far, auc) == (1.0, 1.0)


def test_two_findings_of_one_name_both_count():
    ranking, rng = Ranking(), np.random.default_rng(1)
    for number in range(40):
        there = rng.random(2) < 0.5
        truth = MultiLabelled(tuple(Guess(n, "mass", float(each), bool(each)) for n, each in enumerate(there)))
        said = MultiLabelled(tuple(Guess(n, "mass", float(rng.random())) for n in range(2)))
        ranking.add(question(number), truth, said)

    assert ranking.values() == pytest.approx(ranking.drawn(np.ones(40, int)))


def test_without_answers_nothing_is_known():
    assert np.isnan(FirstGuesses().values()).tolist() == [True, True]


@pytest.mark.parametrize("goal", [Goal(percent_max_degradation=1), Goal(threshold=0), Goal(max_degradation=1)])
@pytest.mark.parametrize(("value", "reference"), [(NAN, 0.9), (NAN, NAN)])
def test_what_is_no_number_meets_no_goal(goal, value, reference):
    assert not meets("accuracy", goal, value, reference).met


@pytest.fixture
def untold(tmp_path):
    """Two versions on questions that cannot tell how good they are, and a picture of one row."""
    versions = [compared(1, NAN), replace(compared(2, NAN), accuracy=compared(1, NAN).accuracy)]
    row = np.zeros((1, 3000, 3), np.uint8)
    shown = replace(example(tmp_path), read=lambda: row, truth=Shown('Ann "A" <Lee>'))
    return comparison(*versions, examples=(shown,))


def test_a_metric_that_cannot_be_told_is_unknown_everywhere(untold, tmp_path, capsys):
    judged = verdict.of(untold, Goals())
    summary, page = write.write(untold, judged, tmp_path / "out")
    table.show(untold, judged, "markdown")

    assert judged.winner is None
    assert "its accuracy cannot be told from these 100 questions; ask more" in judged.sentence
    assert capsys.readouterr().out.count("| unknown |") >= 2
    row = json.loads(summary.read_text(), parse_constant=pytest.fail)["rows"][0]
    assert row["metric"]["value"] is None
    specs = re.search(r'id="specs">(.*?)</script>', page.read_text(), re.DOTALL)
    assert "accuracy" not in json.loads(specs[1], parse_constant=pytest.fail)
    assert "Ann &#34;A&#34; &lt;Lee&gt;" in page.read_text()


def test_versions_in_another_order_are_not_said_to_be_sorted(tmp_path):
    for versions, sorts in (((compared(1, 0.9), compared(2, 0.9)), 1), ((compared(2, 0.9), compared(1, 0.9)), 0)):
        found = comparison(*versions)
        _, page = write.write(found, verdict.of(found, Goals()), tmp_path)

        assert page.read_text().count('aria-sort="ascending"') == sorts


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (100, 3000), (2, 2)])
def test_versions_are_drawn_side_by_side_whatever_the_form_of_the_picture(tmp_path, size):
    drawn = worst.beside(example(tmp_path), np.zeros((*size, 3), np.uint8))

    assert drawn.shape[0] < 600
    assert drawn.shape[1] < 3 * 2000


def test_the_number_of_detections_may_come_as_one_number_but_not_as_several_a_picture():
    answer = {name: np.ones((1, 2), np.float32) for name in detection.OUTPUTS}
    answer["detection_boxes"] = np.ones((1, 2, 4), np.float32)

    assert len(detection.decode({**answer, "num_detections": np.float32(1)}, [(8, 8)], {}, 0.5)[0]) == 1
    with pytest.raises(BadAnswer, match="shapes do not fit"):
        detection.decode(answer, [(8, 8)], {}, 0.5)


def test_whatever_listens_where_metrics_would_be_costs_are_only_unknown():
    with server(lambda *_: prediction()) as address:
        port = int(address.rpartition(":")[2])
        assert costs.metrics_of(Target(f"localhost:{port - 1}")) == ""
    with publishing() as other:
        other.files["/metrics"] = b"<!doctype html><p>hello, world {"
        assert costs.load_seconds(costs.metrics_of(Target("localhost:1"), other.url("/metrics"))) == {}
