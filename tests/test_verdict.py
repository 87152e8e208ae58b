"""Which version is named to be shipped, what is said of the others, and what of doubts."""

from __future__ import annotations

import pytest
from comparing import bounded, compared, comparison, load
from hypothesis import given
from hypothesis import strategies as st

from clients import verdict
from model_config.goals import Goal, Goals

NEAR = Goals(accuracy=Goal(max_degradation=0.01))


def test_the_fastest_that_meets_every_goal_wins_and_the_others_hear_why():
    found = comparison(compared(1, 0.9), compared(2, 0.895), compared(3, 0.8), compared(4, 0.9, load(150.0)))
    judged = verdict.of(found, NEAR)

    assert judged.winner == 2
    assert judged.sentence.startswith(
        "Ship version 2 (recipe_2): it meets the goal and answers 200 images/s, 2.00 times"
    )
    assert "AP 0.8 against 0.9 of version 1 misses max-degradation 0.01" in judged.reasons[3]
    assert "answers 0.75 times as many images a second as version 2" in judged.reasons[4]
    assert set(judged.reasons) == {1, 3, 4}


def test_the_busiest_load_decides_unless_a_bound_was_searched():
    slow_start = compared(2, 0.9, load(50.0), load(900.0, batch=8, callers=4))
    assert verdict.of(comparison(compared(1, 0.9), slow_start), NEAR).winner == 2

    kept = compared(1, 0.9, load(100.0), bounded(80.0, kept=True))
    faster = compared(2, 0.9, load(900.0), bounded(60.0, kept=True))
    assert verdict.of(comparison(kept, faster), NEAR).winner == 1


def test_where_no_rate_keeps_the_bound_the_version_is_out():
    lost = compared(2, 0.9, load(900.0), bounded(60.0, kept=False))
    judged = verdict.of(comparison(compared(1, 0.9, load(100.0), bounded(80.0, kept=True)), lost), NEAR)

    assert judged.winner == 1
    assert judged.reasons[2] == "no rate surely keeps p99 under 7 ms"


def test_when_none_meets_all_goals_those_that_count_first_say_what_is_nearest():
    goals = Goals(
        accuracy=Goal(threshold=0.85), p99=Goal(threshold=1.0, priority=2), size=Goal(threshold=1.5e6, priority=3)
    )
    judged = verdict.of(comparison(compared(1, 0.8), compared(2, 0.9)), goals)

    assert judged.winner is None
    assert not judged.any_fits
    assert judged.sentence.startswith("No version meets every goal. Nearest is version 2 (recipe_2): p99 5 ms against")


def test_what_is_not_known_meets_no_goal():
    found = comparison(compared(1, 0.9, load(100.0, p99=None)))
    judged = verdict.of(found, Goals(p99=Goal(threshold=9), memory=Goal(threshold=1)))

    assert not judged.any_fits
    assert "its p99 is not known from 500 requests; give --requests more" in judged.reasons[1]
    assert "its memory is not known for version 1" in judged.reasons[1]


def test_of_one_version_alone_nothing_is_said_of_others():
    judged = verdict.of(comparison(compared(1, 0.9)), NEAR)

    assert judged.sentence == "Ship version 1 (recipe_1): it meets the goal and answers 100 images/s."


def test_a_threshold_asks_for_no_figure_of_the_reference():
    found = comparison(compared(1, 0.9, load(100.0, p99=None)), compared(2, 0.9, load(200.0, p99=8.0)))
    judged = verdict.of(found, Goals(p99=Goal(threshold=9)))
    relative = verdict.of(found, Goals(p99=Goal(threshold=9, max_degradation=1)))

    assert judged.winner == 2
    assert [each.findings[0].words for each in judged.judged][1] == "p99 8 ms meets threshold 9"
    assert relative.reasons[2] == "its p99 is not known from 500 requests; give --requests more"


def test_a_difference_on_both_sides_of_the_goal_is_a_doubt():
    unsure = compared(2, 0.895, gap=(-0.02, 0.01))
    sure = compared(2, 0.895, gap=(-0.008, 0.001))

    assert "on both sides of max-degradation 0.01" in verdict.of(comparison(compared(1, 0.9), unsure), NEAR).doubts[0]
    assert verdict.of(comparison(compared(1, 0.9), sure), NEAR).doubts == ()


def test_speeds_whose_intervals_overlap_are_a_doubt():
    judged = verdict.of(comparison(compared(1, 0.9, load(100.0)), compared(2, 0.9, load(101.0))), NEAR)

    assert judged.doubts == ("version 1 may be as fast as version 2: their intervals overlap",)


def test_without_goals_mlperfs_holds():
    judged = verdict.of(comparison(compared(1, 0.9), compared(2, 0.892), compared(3, 0.88)), Goals())

    assert judged.usual
    assert judged.winner == 2


def test_without_speed_the_fit_ones_are_named_and_none_is_shipped():
    found = comparison(*(compared(number, 0.9) for number in (1, 2)))
    still = comparison(*(type(each)(**{**vars(each), "speed": ()}) for each in found.versions))
    judged = verdict.of(still, NEAR)

    assert judged.winner is None
    assert judged.any_fits
    assert "Speed was not measured" in judged.sentence


@given(st.lists(st.tuples(st.floats(0.5, 1), st.floats(1, 1000)), min_size=1, max_size=6), st.floats(0, 0.5))
def test_no_version_that_meets_the_goals_is_faster_than_the_winner(versions, allowed):
    found = comparison(*(compared(n, value, load(rate)) for n, (value, rate) in enumerate(versions, start=1)))
    judged = verdict.of(found, Goals(accuracy=Goal(max_degradation=allowed)))
    rates = {n: rate for n, (_, rate) in enumerate(versions, start=1)}
    fit = [each.version for each in judged.judged if each.meets_all]

    assert judged.winner in fit
    assert rates[judged.winner] == max(rates[number] for number in fit)


def test_goals_are_held_against_the_version_that_is_the_reference():
    first = compared(4, 0.9)
    judged = verdict.of(comparison(first, compared(5, 0.5)), NEAR)

    assert "of version 4" in judged.reasons[5]


@pytest.mark.parametrize("quantity", ["size", "memory", "throughput", "p99", "accuracy"])
def test_every_quantity_can_be_a_goal(quantity):
    low = quantity in ("size", "memory", "p99")
    goals = Goals(**{quantity: Goal(threshold=1e12 if low else 0.0)})
    found = comparison(compared(1, 0.9, memory_bytes=10**6), compared(2, 0.9, memory_bytes=10**6))

    assert verdict.of(found, goals).winner == 2
