"""REST: status, metadata, predict by row and by column, classify, regress, and the metrics."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import Any

from serving.conformance.case import Bench, case
from serving.conformance.questions import predict

_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _get(bench: Bench, path: str, body: Any = None) -> tuple[int, str]:
    data = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
    url = f"http://127.0.0.1:{bench.target.rest_port}{path}"
    try:
        with _NO_PROXY.open(urllib.request.Request(url, data), timeout=12) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _json(bench: Bench, path: str, body: Any = None) -> tuple[int, Any]:
    code, text = _get(bench, path, body)
    return code, json.loads(text)


_STATE = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}


@case("REST: status", own=True)
def _status(bench: Bench) -> None:
    both = {"model_version_status": [{"version": "2", **_STATE}, {"version": "1", **_STATE}]}
    one = {"model_version_status": both["model_version_status"][1:]}
    assert _json(bench, "/v1/models/dense") == (200, both)
    assert _json(bench, "/v1/models/dense/versions/1") == (200, one)
    unknown = {"error": "Could not find any versions of model nope"}
    assert _json(bench, "/v1/models/nope") == (404, unknown)


@case("REST: metadata", own=True)
def _metadata(bench: Bench) -> None:
    code, found = _json(bench, "/v1/models/dense/metadata")

    assert code == 200
    assert found["model_spec"]["name"] == "dense"
    assert found["model_spec"]["version"] == "2"
    signature = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert signature["method_name"] == "tensorflow/serving/predict"


@case("REST: predict by row", own=True)
def _by_row(bench: Bench) -> None:
    path = "/v1/models/dense:predict"
    plain = {"instances": [[1, 2, 3], [4, 5, 6]]}
    assert _json(bench, path, plain) == (200, {"predictions": [[23, 27], [50, 63]]})
    named = {"signature_name": "add", "instances": [{"a": 1, "b": 2}, {"a": 3, "b": 5}]}
    assert _json(bench, path, named) == (200, {"predictions": [{"sum": 3, "diff": -1}, {"sum": 8, "diff": -2}]})


@case("REST: predict by column, of a version and of a label", own=True)
def _by_column(bench: Bench) -> None:
    answer = {"outputs": [[22.5, 27.5]]}
    for which in ("versions/1", "labels/stable"):
        assert _json(bench, f"/v1/models/dense/{which}:predict", {"inputs": [[1, 2, 3]]}) == (200, answer)
    added = {"signature_name": "add", "inputs": {"a": [1], "b": [2]}}
    assert _json(bench, "/v1/models/dense:predict", added) == (200, {"outputs": {"sum": [3], "diff": [-1]}})


_HALF = "/v1/models/half_plus_two"


@case("REST: classify and regress, with what the examples share and with values alone", own=True)
def _examples(bench: Bench) -> None:
    plain = {"signature_name": "classify_x_to_y", "examples": [{"x": [2.0]}, {"x": 4.0}]}
    assert _json(bench, f"{_HALF}:classify", plain) == (200, {"results": [[["", 3.0]], [["", 4.0]]]})
    shared = {"signature_name": "regress_x_to_y", "context": {"x": [2.0]}, "examples": [{}]}
    assert _json(bench, f"{_HALF}/versions/123:regress", shared) == (200, {"results": [3.0]})


@case("REST: what is wrong with examples is told", own=True)
def _wrong_examples(bench: Bench) -> None:
    for example, text in (
        (3, "Example must be JSON object but got JSON Number"),
        ({"x": [1.0, "a"]}, "Unexpected element type in feature: x expecting type: float"),
        ({"x": None}, "Feature: x has element with unexpected JSON type: Null"),
        ({"x": 2**63}, "Feature: x has uint64 element. Only int64 is supported."),
        ({"x": {"b64": "?"}}, "Unable to base64 decode"),
    ):
        body = {"signature_name": "classify_x_to_y", "examples": [example]}
        assert _json(bench, f"{_HALF}:classify", body) == (400, {"error": text})
    bodies: tuple[tuple[dict[str, object], str], ...] = (
        ({}, "When method is classify, key 'examples' is expected and was not found"),
        ({"examples": {}}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"signature_name": 1, "examples": [{}]}, "'signature_name' key must be a string value."),
    )
    for wrong, end in bodies:
        code, found = _json(bench, f"{_HALF}:regress", wrong)
        assert (code, found["error"][:11]) == (400, "JSON Value:")
        assert found["error"].endswith(end)
    unknown = {"error": "No signature was found with the name: nosig"}
    assert _json(bench, f"{_HALF}:regress", {"signature_name": "nosig", "examples": [{"x": 1.0}]}) == (400, unknown)


@case("REST: strings and bytes", own=True)
def _strings(bench: Bench) -> None:
    body = {"signature_name": "slen", "inputs": {"s": ["abc", {"b64": "YQBi"}]}}
    code, found = _json(bench, "/v1/models/dense:predict", body)

    assert (code, found["outputs"]["n"], found["outputs"]["echo"][0]) == (200, [3, 3], "abc")


@case("REST: what is wrong is told with a code", own=True)
def _wrong(bench: Bench) -> None:
    path = "/v1/models/dense:predict"
    good = {"instances": [[1, 2, 3]]}
    unknown = {"error": "Servable not found for request: Latest(nope)"}
    assert _json(bench, "/v1/models/nope:predict", good) == (404, unknown)
    assert _json(bench, "/v1/models/dense/versions/9:predict", good)[0] == 404
    for body in (
        b"{",
        b"[]",
        b"{}",
        b'{"instances": "x"}',
        b'{"instances": [["a", "b", "c"]]}',
        b'{"instances": [[1, 2], [3]]}',
    ):
        code, found = _json(bench, path, body)
        assert (code, list(found)) == (400, ["error"])
    assert _get(bench, "/v1/nothing")[0] in (400, 404)


@case("Metrics: requests and their times are counted under the stock names", own=True)
def _metrics(bench: Bench) -> None:
    bench.ask(predict()).require("OK")
    bench.ask(predict(version=99)).require("NOT_FOUND")
    _json(bench, f"{_HALF}:regress", {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}, {"x": 4.0}]})
    code, text = _get(bench, "/monitoring/prometheus/metrics")

    assert code == 200
    dense = ("model_name", "dense")
    grpc = {dense, ("API", "Predict"), ("entrypoint", "GRPC")}
    wanted: list[tuple[str, set[tuple[str, str]]]] = [
        ("request_count", {dense, ("status", "OK")}),
        ("request_count", {dense, ("status", "NOT_FOUND")}),
        ("request_latency_bucket", {*grpc, ("le", "+Inf")}),
        ("request_latency_sum", grpc),
        ("request_latency_count", grpc),
        ("runtime_latency_count", {dense, ("API", "Predict"), ("runtime", "TF1")}),
        ("request_example_count_total", {("model", "half_plus_two")}),
        ("request_example_counts_sum", {("model", "half_plus_two")}),
    ]
    samples = [_sample(line) for line in text.splitlines() if not line.startswith("#")]
    for name, labels in wanted:
        assert (f":tensorflow:serving:{name}", labels) in samples, f"no {name} with {sorted(labels)}"


def _sample(line: str) -> tuple[str, set[tuple[str, str]]]:
    """Name and labels of one line of the metrics."""
    return line.partition("{")[0], set(re.findall(r'(\w+)="(.*?)"', line))
