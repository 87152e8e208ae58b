"""Goals in models.yaml: what they mean, and what is said of one that is met or missed or misspelt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_config import goals, models
from model_config.errors import BadModelsFile
from model_config.goals import Goal


def parsed(**entry):
    return models.parse("x", {"goals": entry}, "file: models.x").goals


@pytest.mark.parametrize(
    ("quantity", "goal", "value", "reference", "met"),
    [
        ("accuracy", Goal(max_degradation=0.05), 0.95, 1.0, True),
        ("accuracy", Goal(max_degradation=0.05), 0.94, 1.0, False),
        ("accuracy", Goal(percent_max_degradation=10), 0.45, 0.5, True),
        ("accuracy", Goal(percent_max_degradation=10), 0.44, 0.5, False),
        ("accuracy", Goal(threshold=0.5), 0.49, 0.4, False),
        ("p99", Goal(percent_min_improvement=20), 8.0, 10.0, True),
        ("p99", Goal(percent_min_improvement=20), 8.1, 10.0, False),
        ("p99", Goal(threshold=20), 19.0, 10.0, True),
        ("throughput", Goal(percent_min_improvement=50), 140.0, 100.0, False),
        ("size", Goal(threshold=1e6, max_degradation=0), 1.1e6, 2e6, False),
        ("memory", Goal(max_degradation=0), 99.0, 100.0, True),
    ],
)
def test_a_goal_is_met_or_missed(quantity, goal, value, reference, met):
    assert goals.meets(quantity, goal, value, reference).met is met


@given(st.sampled_from(list(goals.Goals.model_fields)), st.floats(0.01, 1e9))
def test_what_is_as_good_as_version_1_degrades_nothing_and_improves_nothing(quantity, value):
    assert goals.meets(quantity, Goal(max_degradation=0, percent_max_degradation=0), value, value).met
    assert not goals.meets(quantity, Goal(percent_min_improvement=1), value, value).met


def test_the_sentence_names_what_was_missed():
    verdict = goals.meets("accuracy", Goal(max_degradation=0.01, threshold=0.9), 0.8, 0.85)

    assert verdict.words == "0.8 against 0.85 of version 1 misses max-degradation 0.01 and threshold 0.9"


def test_models_yaml_speaks_with_dashes():
    found = parsed(accuracy={"max-degradation": 0.01}, p99={"percent-min-improvement": 20, "priority": 2})

    assert found.accuracy == Goal(max_degradation=0.01)
    assert found.p99 == Goal(percent_min_improvement=20, priority=2)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"acuracy": {"threshold": 1}}, "goals.acuracy: no such key; did you mean 'accuracy'"),
        ({"accuracy": {"max-degradatoin": 1}}, "did you mean 'max-degradation'"),
        ({"accuracy": {"priority": 1}}, "a goal needs one of max-degradation"),
        ({"accuracy": {"max-degradation": -1}}, "greater than or equal to 0"),
    ],
)
def test_a_goal_that_says_nothing_is_refused_in_a_sentence(entry, words):
    with pytest.raises(BadModelsFile, match=words):
        parsed(**entry)
