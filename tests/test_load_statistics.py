"""The figures of a load test: percentiles that are seen, rules about enough requests, intervals, windows, outages."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from clients.loadgen import bootstrap
from clients.loadgen.codes import Code
from clients.loadgen.measured import COUNTED, Measured, joined
from clients.loadgen.outages import outages
from clients.loadgen.percentiles import needed, percentile, stays_under
from clients.loadgen.windows import Window, Windows, settled

LATENCIES = arrays.arrays(np.int64, st.integers(1, 300), elements=st.integers(1, 10**9))
PERCENTS = st.floats(1, 99.9)


def samples(*rows: tuple[int, int, Code]) -> np.ndarray:
    """Samples from (due, done, code), in ms."""
    return np.array([(due * 10**6, due * 10**6, done * 10**6, code, 0) for due, done, code in rows], np.int64)


@pytest.mark.parametrize(("percent", "requests"), [(50, 7), (90, 44), (95, 90), (99, 459), (99.9, 4603)])
def test_a_percentile_needs_as_many_requests_as_in_mlperf(percent, requests):
    assert needed(percent) == requests


@given(LATENCIES, PERCENTS)
def test_a_percentile_was_seen_and_is_not_exceeded_by_its_share(values, percent):
    found = percentile(values, percent)

    assert found in values
    assert np.mean(values <= found) >= percent / 100 - 1e-9
    assert np.mean(values < found) <= percent / 100 + 1e-9


@given(LATENCIES, PERCENTS, PERCENTS)
def test_percentiles_rise(values, one, other):
    assert percentile(values, min(one, other)) <= percentile(values, max(one, other))


def test_the_percentile_of_nothing_is_no_number():
    assert math.isnan(percentile(np.empty(0), 50))


@given(st.integers(1, 20_000), st.sampled_from([50.0, 90.0, 99.0, 99.9]))
def test_without_a_slow_request_exactly_the_needed_number_is_enough(requests, percent):
    assert stays_under(0, requests, percent) == (requests >= needed(percent))


@given(st.integers(0, 50), st.integers(50, 20_000))
def test_one_more_slow_request_never_makes_it_surer(over, requests):
    assert stays_under(over, requests, 99) or not stays_under(over + 1, requests, 99)


def test_as_many_slow_requests_as_the_percentile_allows_are_not_sure():
    assert not stays_under(100, 10_000, 99)
    assert stays_under(70, 10_000, 99)
    assert not stays_under(5, 5, 99)


@given(LATENCIES, PERCENTS)
def test_an_interval_lies_within_what_was_measured(values, percent):
    low, high = bootstrap.interval(bootstrap.percentiles(values, [percent])[0])

    assert values.min() <= low <= high <= values.max()


@given(st.integers(1, 10**9), st.integers(1, 200), PERCENTS)
def test_what_is_always_the_same_has_no_width(value, number, percent):
    assert set(bootstrap.percentiles(np.full(number, value), [percent])[0]) == {value}


def test_nineteen_of_twenty_intervals_hold_the_true_percentile():
    rng = np.random.default_rng(5)
    held = {50: 0, 90: 0}
    for seed in range(60):
        drawn = bootstrap.percentiles(rng.exponential(size=1000), list(held), seed)
        for percent, (low, high) in zip(held, map(bootstrap.interval, drawn)):
            held[percent] += low <= -np.log(1 - percent / 100) <= high

    assert min(held.values()) >= 52


def test_requests_that_are_alike_widen_the_interval():
    # a slow moment hits all requests in it, so there are fewer independent ones than it seems
    rng = np.random.default_rng(1)
    moments = np.repeat(rng.exponential(size=50), 100)
    single = rng.permutation(moments)
    apart, together = (np.ptp(bootstrap.interval(*bootstrap.percentiles(each, [50]))) for each in (single, moments))

    assert together > 2 * apart


def test_the_rates_of_an_even_stream_are_its_rate():
    done = np.arange(5 * 10**5, 10**9, 10**6)  # 1,000 in a second

    assert bootstrap.interval(bootstrap.rates(done, 0, 10**9)) == pytest.approx((1000, 1000), rel=0.02)


@given(LATENCIES)
def test_a_measurement_does_not_differ_from_itself(values):
    drawn = [bootstrap.percentiles(values, [50], seed)[0] for seed in (1, 2)]
    low, high = bootstrap.ratio(*drawn)

    assert low <= 1 <= high


def test_three_windows_within_ten_percent_have_settled():
    alike = [Window(100, 5.0), Window(109, 5.2), Window(104, 4.8)]

    assert settled(alike)
    assert settled([Window(1, 1), *alike])
    assert not settled(alike[:2])
    assert not settled([*alike, Window(150, 5.0)])
    assert not settled([*alike[:2], Window(104, 7.0)])


@given(st.lists(st.integers(0, 300), min_size=1, max_size=30))
def test_a_window_lasts_its_time_and_supports_its_percentile(numbers):
    windows, seen = Windows(0, 2 * 10**9, 90), 0
    for second, number in enumerate(numbers, 1):
        before = len(windows.closed)
        windows.add(np.full(number, 10**6), second * 10**9)
        seen += number
        if len(windows.closed) > before:
            assert seen >= needed(90)
            seen = 0

    assert len(windows.closed) <= len(numbers) // 2
    assert all(window.latency_ns == 10**6 for window in windows.closed)


def test_a_server_that_comes_back_was_away_from_the_first_failure_to_the_next_answer():
    taken = samples(
        (0, 10, Code.OK), (20, 100, Code.NO_CONNECTION), (150, 150, Code.NO_CONNECTION), (500, 600, Code.OK)
    )
    (found,) = outages(taken, 0, 10**9)

    assert (found.at_s, found.away_s, found.came_back) == (0.1, 0.5, True)


def test_a_server_that_stays_away_was_away_to_the_end():
    (found,) = outages(samples((0, 10, Code.OK), (20, 100, Code.NO_CONNECTION)), 0, 10**9)

    assert (found.at_s, found.away_s, found.came_back) == (0.1, 0.9, False)


def test_refusals_and_single_lost_connections_are_no_outage():
    taken = samples((0, 10, Code.OK), (0, 11, Code.NO_CONNECTION), (0, 12, Code.OK), (0, 300, Code.UNAVAILABLE))

    assert outages(taken, 0, 10**9) == []


@given(st.lists(st.tuples(st.integers(0, 5000), st.sampled_from([Code.OK, Code.NO_CONNECTION]))))
def test_outages_follow_each_other_and_hold_no_good_answer(rows):
    taken = samples(*((done, done, code) for done, code in rows)).reshape(-1, 5)
    found = outages(taken, 0, 5000 * 10**6)

    ends = [0.0]
    for outage in found:
        assert outage.at_s >= ends[-1]
        ends.append(outage.at_s + outage.away_s)
        inside = (taken[:, 2] > outage.at_s * 1e9 + 1) & (taken[:, 2] < ends[-1] * 1e9 - 1)
        assert not (taken[inside, 3] == Code.OK).any()


def test_runs_are_joined_without_the_pause_between_them():
    parts = [
        Measured(samples((at, at + 1, Code.OK)), samples(), at * 10**6, (at + 2) * 10**6, COUNTED, [], True)
        for at in (0, 1000)
    ]
    whole = joined(parts)

    assert whole.seconds == 0.004
    assert whole.samples[:, 2].tolist() == [10**6, 3 * 10**6]
