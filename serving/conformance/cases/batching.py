"""Batching: what is put together, what is filled up, what is refused."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from clients.wire import tensors
from serving.conformance.asking import Answer
from serving.conformance.case import Bench, case, rows
from serving.conformance.cases.predict import INPUTS, WHICH, answer
from serving.conformance.questions import X, predict

_NODE = "\n\t [[{{node StatefulPartitionedCall/StatefulPartitionedCall/add}}]]"


def _rows(count: int, version: int = 2, width: int = 3) -> Any:
    x = np.arange(count * width, dtype=np.float32).reshape(count, width)
    return predict(inputs={"x": x}, version=version, signature="rows")


rows("Batching", {name: row for name, row in WHICH.items() if "label" not in name}, "batching")
# what batching itself refuses stands below
_OWN = {"[] for [?,3]", "[2,4] for [?,3]", "[3] for [?,3]", "batch of 0", "2 rows and 3", "1 row and 3"}
rows("Batching", {name: row for name, row in INPUTS.items() if name not in _OWN}, "batching")
rows(
    "Batching",
    {
        "a scalar": (
            predict(inputs={"x": np.float32(1)}),
            "INVALID_ARGUMENT",
            "Batching Run() input tensors must have at least one dimension",
        ),
        "inputs of 2 rows and 3": (
            predict(inputs={"a": np.ones(2, np.int32), "b": np.ones(3, np.int32)}, signature="add"),
            "INVALID_ARGUMENT",
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
        "more rows than a batch holds": (
            predict(inputs={"x": np.ones((17, 3), np.float32)}),
            "INVALID_ARGUMENT",
            "Task size 17 is larger than maximum input batch size 16",
        ),
        "a batch of 0, not filled up": (
            predict(inputs={"x": X[:0]}, version=1),
            "OK",
            answer("", 1, "dim { } dim { size: 2 }"),
        ),
        "[2,4] is filled up before the graph refuses it": (
            predict(inputs={"x": np.ones((2, 4), np.float32)}),
            "INVALID_ARGUMENT",
            "Matrix size-incompatible: In[0]: [4,4], In[1]: [3,2]" + _NODE,
        ),
    },
    "batching",
)


def _values(got: Answer) -> dict[str, list[Any]]:
    return {name: tensors.decode(each).tolist() for name, each in got.require("OK").message.outputs.items()}


@case("Batching: rows are filled up to the next allowed size, and only one's own come back", "batching")
def _filled_up(bench: Bench) -> None:
    assert _values(bench.ask(_rows(3)))["rows"] == [4, 4, 4]
    assert _values(bench.ask(_rows(5)))["rows"] == [8] * 5


@case("Batching: a version's own file goes before the server's", "batching")
def _own_file(bench: Bench) -> None:
    assert _values(bench.ask(_rows(3, version=1)))["rows"] == [3, 3, 3]


@case("Batching: requests that come together are computed together", "batching")
def _together(bench: Bench) -> None:
    bench.ask(_rows(1))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda count: _values(bench.ask(_rows(count))), [1, 2, 3, 2]))

    assert [each["sum"] for each in answers] == [[3, 12, 21][:count] for count in (1, 2, 3, 2)]
    assert max(each["rows"][0] for each in answers) >= 8  # more than the largest alone would be filled up to


@case("Batching: requests of different width are not mixed up", "batching")
def _widths(bench: Bench) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda width: _values(bench.ask(_rows(1, width=width))), [2, 5, 2, 5]))

    assert [each["sum"] for each in answers] == [[1], [10], [1], [10]]


@case("Batching: a full queue refuses", "batching")
def _full(bench: Bench) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: bench.ask(predict("slow", {"x": X[:1]})), range(4)))
    refused = [each for each in answers if each.code != "OK"]

    assert len(refused) < 4
    for each in refused:
        each.require(
            "UNAVAILABLE",
            "The batch scheduling queue to which this task was submitted is full; "
            "currently 1 batches enqueued and max_enqueued_batches is 1",
        )
    assert refused


@case("Batching: a caller does not wait longer than its deadline", "batching")
def _deadline(bench: Bench) -> None:
    start = time.monotonic()
    got = bench.ask(predict("slow", {"x": X[:1]}), timeout_s=0.2).require("DEADLINE_EXCEEDED")

    assert got.text in ("Deadline Exceeded", "Timed out waiting for notification")
    assert time.monotonic() - start < 1


@case("Batching: a batch of 0 to be filled up is refused, and the server lives", "batching", may_break=True)
def _nothing(bench: Bench) -> None:
    got = bench.ask(predict(inputs={"x": X[:0]}))
    if got.code == "UNAVAILABLE":  # the real one, which is dead now
        return
    got.require("INVALID_ARGUMENT")
    bench.ask(predict()).require("OK")
