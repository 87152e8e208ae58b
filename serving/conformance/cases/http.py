"""REST: status, metadata, predict by row and by column, and the metrics."""

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
    ]
    samples = [_sample(line) for line in text.splitlines() if not line.startswith("#")]
    for name, labels in wanted:
        assert (f":tensorflow:serving:{name}", labels) in samples, f"no {name} with {sorted(labels)}"


def _sample(line: str) -> tuple[str, set[tuple[str, str]]]:
    """Name and labels of one line of the metrics."""
    return line.partition("{")[0], set(re.findall(r'(\w+)="(.*?)"', line))
