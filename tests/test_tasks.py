"""Tasks: one contract over all of them, and the ways of well-known models as data alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from described import boxes, signature

from clients import drawing, showing
from evaluation.errors import BadAnswer
from evaluation.tasks import prepared
from evaluation.tasks.detection import Detected
from model_config.errors import SuiteError
from model_config.models import Task


def rows(name, width):
    return lambda count: {name: np.random.default_rng(count).normal(size=(8, width))[:count].astype(np.float32)}


# by type of task: an answer to so many pictures, as a model would give it
ANSWERS = {
    "detection": boxes,
    "classification": rows("probabilities", 10),
    "multi_label": rows("probabilities", 14),
    "embedding": rows("embeddings", 128),
}


def test_every_task_keeps_the_contract_below():
    assert set(ANSWERS) == set(prepared.KINDS)


@pytest.fixture(params=ANSWERS)
def kind(request):
    return request.param


@pytest.fixture
def ready(kind):
    return prepared.prepared(Task(type=kind, labels=("eins", "zwei")), signature(ANSWERS[kind](1)))


def decoded(ready, kind, pictures, change=lambda arrays: arrays):
    _, places = ready.encode(pictures)
    return ready.decode(change(ANSWERS[kind](len(pictures))), places)


def test_pictures_are_encoded_as_the_signature_wants_them(ready, pictures):
    inputs, places = ready.encode(pictures)

    assert set(inputs) == {"image"}
    assert inputs["image"].dtype == np.uint8
    assert np.array_equal(inputs["image"], np.stack(pictures))
    assert len(places) == len(pictures)


@pytest.mark.parametrize("count", [1, 8])
def test_there_is_one_answer_a_picture_and_it_can_be_written_and_shown(ready, kind, pictures, count):
    answers = decoded(ready, kind, pictures[:count])

    assert len(answers) == count
    for answer in answers:
        assert json.loads(json.dumps(answer.to_json())) == answer.to_json()
        header, lines = showing.table(answer)
        assert {len(line) for line in lines} <= {len(header)}


def test_a_batch_is_read_as_its_pictures_one_by_one(ready, kind, pictures):
    together = decoded(ready, kind, pictures)

    for place, answer in enumerate(together):
        one = {name: array[place : place + 1] for name, array in ANSWERS[kind](8).items()}
        (alone,) = ready.decode(one, ready.encode(pictures[place : place + 1])[1])
        assert alone.to_json() == answer.to_json()


def test_drawing_leaves_the_picture_alone(ready, kind, pictures):
    before = pictures[0].copy()
    (answer,) = decoded(ready, kind, pictures[:1])
    drawn = drawing.annotated(answer, pictures[0])

    assert np.array_equal(pictures[0], before)
    assert drawn.shape == before.shape
    assert not np.shares_memory(drawn, pictures[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: {name: array[:-1] for name, array in arrays.items()},
        lambda arrays: {name: np.full_like(array, np.nan) for name, array in arrays.items()},
        lambda arrays: {},
    ],
    ids=["too few", "no numbers", "nothing"],
)
def test_an_answer_that_makes_no_sense_is_refused(ready, kind, pictures, change):
    with pytest.raises(BadAnswer):
        decoded(ready, kind, pictures, change)


def test_a_signature_that_takes_no_pictures_is_refused(kind):
    for changes in ({"dtype": "bool"}, {"shape": (None, 10)}, {"shape": (None, 8, 8, 7)}, {"inputs": ("a", "b")}):
        with pytest.raises(SuiteError, match=r"encode\.|decode\."):
            prepared.prepared(Task(type=kind), signature(ANSWERS[kind](1), **changes))


def test_a_signature_without_the_outputs_is_refused(kind):
    with pytest.raises(SuiteError, match=r"decode\.outputs"):
        prepared.prepared(Task(type=kind), signature(("one", "another")))


# how models.yaml describes well-known models


def test_what_scores_less_can_be_left_out(pictures):
    (answer,) = decoded(prepared.prepared(Task(), signature(boxes(1))), "detection", pictures[:1])

    assert isinstance(answer, Detected)
    assert [each.score for each in answer.above(0.5).detections] == pytest.approx([0.9, 0.8])
