"""Goals in models.yaml: what they mean, and what is said of one that is met or missed or misspelt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_config import goal_options, goals, models
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


@given(
    st.sampled_from(list(goals.Goals.model_fields)),
    st.sampled_from(["max_degradation", "percent_max_degradation", "percent_min_improvement", "threshold"]),
    st.floats(0.01, 90),
    st.floats(0.01, 1e6),
)
def test_the_limit_of_a_goal_just_meets_it(quantity, word, number, reference):
    goal = Goal(**{word: number})
    edge = goals.limit(quantity, goal, reference)
    worse = -1 if quantity in goals.HIGHER_IS_BETTER else 1

    assert goals.meets(quantity, goal, edge, reference).met
    assert not goals.meets(quantity, goal, edge + worse * 1e-3 * max(1.0, abs(edge), reference), reference).met


def test_goals_of_the_command_line_replace_those_of_the_same_quantity():
    declared = parsed(accuracy={"max-degradation": 0.01}, p99={"threshold": 20})
    found = goal_options.with_given(declared, ["p99:threshold=7,priority=2", "size:percent-min-improvement=50"])

    assert found.accuracy == declared.accuracy
    assert found.p99 == Goal(threshold=7, priority=2)
    assert found.size == Goal(percent_min_improvement=50)


@pytest.mark.parametrize(
    ("quantity", "value", "words"), [("size", 2.26e6, "2.26 MB"), ("p99", 7.0, "7 ms"), ("accuracy", 0.955, "0.955")]
)
def test_values_are_told_in_the_unit_that_people_read(quantity, value, words):
    assert goals.in_unit(quantity, value) == words
