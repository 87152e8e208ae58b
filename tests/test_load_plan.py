"""Plans of load tests: when requests are due, what is measured, what is asked, the search for a rate."""

from __future__ import annotations

import heapq
import itertools
import json
from dataclasses import replace

import click
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.loadgen import payload, plan, slo, store, words
from clients.loadgen.measured import SETTLED, Measured
from clients.loadgen.orders import Report
from clients.loadgen.plan import Point, Rules, sweep
from clients.loadgen.schedule import arrivals
from clients.wire import serving_pb2 as wire
from clients.wire import tensors
from model_config.errors import SuiteError
from model_config.signatures import Signature, Tensor


def first(number, *arguments, **kwargs):
    return list(itertools.islice(arrivals(*arguments, **kwargs), number))


@given(st.floats(0.1, 1e6), st.integers(1, 7))
def test_workers_share_constant_arrivals(rate, workers):
    parts = (arrivals(rate, "constant", 0, worker, workers) for worker in range(workers))
    together = list(itertools.islice(heapq.merge(*parts), 50))

    assert together == [round(1e9 * place / rate) for place in range(50)]


@given(st.integers(0, 1000))
def test_the_same_seed_gives_the_same_arrivals(seed):
    assert first(20, 100, "poisson", seed) == first(20, 100, "poisson", seed)
    assert first(20, 100, "poisson", seed) != first(20, 100, "poisson", seed + 1)
    assert first(20, 100, "poisson", seed, 0, 2) != first(20, 100, "poisson", seed, 1, 2)


@pytest.mark.parametrize("workers", [1, 3])
def test_poisson_arrivals_come_at_their_rate_and_independently(workers):
    parts = (arrivals(1000, "poisson", 7, worker, workers) for worker in range(workers))
    gaps = np.diff(list(itertools.islice(heapq.merge(*parts), 20_000))) / 1e9

    assert gaps.mean() == pytest.approx(1e-3, rel=0.03)
    assert gaps.std() == pytest.approx(1e-3, rel=0.05)  # of an exponential distribution, as its mean


@pytest.mark.parametrize(
    "fields", [{}, {"in_flight": 0}, {"in_flight": 1, "rate": 2.0}, {"in_flight": -1}, {"rate": -1.0}]
)
def test_a_load_is_either_callers_or_a_rate(fields):
    with pytest.raises(SuiteError, match="callers or a rate"):
        Point(1, **fields)


@pytest.mark.parametrize(
    "fields", [{"requests": 0}, {"warm_up": -1}, {"limit_s": 0}, {"percent": 100}, {"connections": -1}]
)
def test_rules_that_cannot_be_followed_are_refused(fields):
    with pytest.raises(SuiteError, match=r"must be|from 1"):
        Rules(**fields)


def test_a_sweep_has_every_combination_once_and_versions_side_by_side():
    points = list(sweep([1, 2], [1, 8], [1, 4], [50.0], "constant", 3))

    assert len(points) == len(set(points)) == 2 * 2 * 3
    assert [point.version for point in points[:4]] == [1, 2, 1, 2]


def test_every_scenario_is_a_load():
    for scenario in plan.SCENARIOS.values():
        Point(1, scenario.batch, scenario.in_flight, 0.0 if scenario.in_flight else 1.0, scenario.arrival or "poisson")


@pytest.mark.parametrize(("text", "number"), [("7ms", 7), ("0.5s", 500), ("12", 12), ("1.5ms", 1.5)])
def test_times_are_read_in_milliseconds(text, number):
    assert words.milliseconds(text) == number


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (words.milliseconds, "0"),
        (words.milliseconds, "7m"),
        (words.integers, "1,x"),
        (words.sizes, "3x"),
        (words.rates, ""),
    ],
)
def test_what_cannot_be_read_is_refused(read, text):
    with pytest.raises(click.BadParameter, match="such as"):
        read(text)


@given(st.floats(0.5, 1e5), st.floats(0.5, 1e5))
def test_the_search_finds_the_highest_rate_that_keeps_the_promise(true, start):
    found = slo.search(lambda rate: rate <= true, start, 0.25)

    assert found.rate <= true < found.broken
    assert found.broken / found.rate <= 1.05 + 1e-9


def test_a_promise_that_no_rate_keeps_is_given_up():
    found = slo.search(lambda _: False, 100, 1)

    assert found.rate is None
    assert min(rate for rate, _ in found.tried) < 2


SIGNATURE = Signature(
    method_name="tensorflow/serving/predict",
    inputs={
        "x": Tensor(dtype="float32", shape=(None, 3, None)),
        "mask": Tensor(dtype="bool", shape=(None,)),
        "n": Tensor(dtype="int8", shape=(2,)),
    },
    outputs={},
)


def test_random_inputs_fit_the_signature():
    arrays = next(payload.random_inputs(SIGNATURE, 4, (5,), 0))

    assert {name: (array.dtype.name, array.shape) for name, array in arrays.items()} == {
        "x": ("float32", (4, 3, 5)),
        "mask": ("bool", (4,)),
        "n": ("int8", (2,)),
    }


@pytest.mark.parametrize(
    ("tensor", "word"),
    [
        (Tensor(dtype="string", shape=(None,)), "--data"),
        (Tensor(dtype="float32", shape=None), "--data"),
        (Tensor(dtype="float32", shape=(None, None)), "--size"),
    ],
)
def test_what_cannot_be_made_up_says_what_to_give(tensor, word):
    signature = replace(SIGNATURE, inputs={"x": tensor})
    with pytest.raises(SuiteError, match=f"input x .*{word}"):
        next(payload.random_inputs(signature, 1, (), 0))


def test_sizes_that_nothing_leaves_open_are_refused():
    with pytest.raises(SuiteError, match="no input leaves more than 1 open"):
        next(payload.random_inputs(SIGNATURE, 1, (5, 3), 0))


@pytest.mark.parametrize(("rows", "batch", "requests"), [(5, 2, 3), (1, 4, 1), (4, 4, 1)])
def test_recorded_rows_fill_every_batch_in_their_order(tmp_path, rows, batch, requests):
    np.savez(tmp_path / "data.npz", x=np.arange(rows), y=np.arange(rows) * 10)
    batches = payload.recorded_inputs(tmp_path / "data.npz", batch)

    assert len(batches) == requests
    together = np.concatenate([each["x"] for each in batches])
    assert together.tolist() == [place % rows for place in range(batch * requests)]
    assert all((each["y"] == 10 * each["x"]).all() for each in batches)


def test_a_recording_that_is_none_is_one_sentence(tmp_path):
    (tmp_path / "a.npz").write_text("no")
    np.savez(tmp_path / "b.npz", x=np.zeros(2), y=np.zeros(3))
    for name, text in (("a", "cannot read"), ("b", "one number of rows"), ("c", "cannot read")):
        with pytest.raises(SuiteError, match=text):
            payload.recorded_inputs(tmp_path / f"{name}.npz", 1)


def test_an_answer_ends_in_its_version():
    requests = payload.requests("m", [{"x": np.zeros(3)}], 7)
    answer = wire.PredictResponse()
    tensors.encode(np.arange(5.0), answer.outputs["y"])
    answer.model_spec.CopyFrom(requests[0].model_spec)
    answer.model_spec.signature_name = "serving_default"
    tails = tuple(payload.of_requests(requests).tails)

    assert answer.SerializeToString().endswith(tails)
    answer.model_spec.version.value = 8
    assert not answer.SerializeToString().endswith(tails)


def measured(number: int) -> Measured:
    rng = np.random.default_rng(number)
    taken = np.sort(rng.integers(10**9, 2 * 10**9, (number, 5)), axis=1)
    taken[:, 3:] = 0
    return Measured(taken, taken[:5], 10**9, 2 * 10**9, SETTLED, [Report(1.0, 2.0, 0.1, {"OK": ""})], True)


def relative(samples: np.ndarray, start: int) -> list[list[int]]:
    return (samples - [start, start, start, 0, 0]).tolist()


def test_what_was_kept_comes_back(tmp_path):
    path = tmp_path / "deep" / "samples.jsonl"
    subject = store.Subject("m", "h:1", Rules(), {"cores": "2"})
    points = [store.Kept(Point(v, in_flight=1), measured(2500 + v), {"recipe": "original"}) for v in (1, 2)]
    assert store.begin(path, subject) == []
    for point in points:
        store.add(path, point)
    again, kept = store.read(path)

    assert again == subject
    for before, after in zip(points, kept):
        assert (after.point, after.extra) == (before.point, before.extra)
        assert after.measured.samples.tolist() == relative(before.measured.samples, 10**9)
        assert after.measured.warm_up.tolist() == relative(before.measured.warm_up, 10**9)
        assert list(after.measured.reports) == before.measured.reports
    assert all(json.loads(line) for line in path.read_text().split("\n") if line)


@given(cut=st.integers(2, 400))
def test_a_point_that_was_broken_off_does_not_count_and_spoils_nothing(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("samples") / "samples.jsonl"
    subject = store.Subject("m", "h:1", Rules(), {})
    store.begin(path, subject)
    for version in (1, 2):
        store.add(path, store.Kept(Point(version, in_flight=1), measured(30)))
    path.write_text(path.read_text()[:-cut])

    assert [kept.point.version for kept in store.begin(path, subject)] == [1]
    store.add(path, store.Kept(Point(3, in_flight=1), measured(30)))
    assert [kept.point.version for kept in store.read(path)[1]] == [1, 3]


def test_a_file_of_another_measurement_is_not_mixed_with_this_one(tmp_path):
    path = tmp_path / "samples.jsonl"
    store.begin(path, store.Subject("m", "h:1", Rules(), {}))
    with pytest.raises(SuiteError, match="another --output"):
        store.begin(path, store.Subject("other", "h:1", Rules(), {}))


@pytest.mark.parametrize("text", ["", "no json\n", '{"bench": 99}\n'])
def test_a_file_that_bench_did_not_write_is_refused(tmp_path, text):
    (tmp_path / "file").write_text(text)
    with pytest.raises(SuiteError, match="not written by bench"):
        store.read(tmp_path / "file")
