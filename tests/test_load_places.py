"""Where the time goes by the server's own metrics, and the same figures without a server."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from command_line import assert_one_sentence, run

from clients.loadgen import metrics
from clients.loadgen.metrics import Totals
from clients.loadgen.saved_model import signature
from model_config.errors import SuiteError
from serving import address

STOCK = """# TYPE :tensorflow:serving:request_count counter
:tensorflow:serving:request_count{model_name="dense",status="OK"} 12
# TYPE :tensorflow:serving:request_latency histogram
:tensorflow:serving:request_latency_bucket{model_name="dense",API="Predict",entrypoint="GRPC",le="10"} 0
:tensorflow:serving:request_latency_bucket{model_name="dense",API="Predict",entrypoint="GRPC",le="+Inf"} 12
:tensorflow:serving:request_latency_sum{model_name="dense",API="Predict",entrypoint="GRPC"} 4500
:tensorflow:serving:request_latency_count{model_name="dense",API="Predict",entrypoint="GRPC"} 12
:tensorflow:serving:request_latency_sum{model_name="other",API="Predict",entrypoint="GRPC"} 1
:tensorflow:serving:request_latency_count{model_name="other",API="Predict",entrypoint="GRPC"} 1
# TYPE :tensorflow:serving:runtime_latency histogram
:tensorflow:serving:runtime_latency_sum{model_name="dense",API="Predict",runtime="TF1"} 3000
:tensorflow:serving:runtime_latency_count{model_name="dense",API="Predict",runtime="TF1"} 12
"""


def test_the_stock_servers_metrics_are_read_by_model():
    assert metrics.totals(STOCK, "dense") == Totals(12, 4500, 12, 3000)
    assert metrics.totals(STOCK, "unknown") == Totals()


@pytest.fixture
def metered(repository, tmp_path):
    """An embedded server that tells Prometheus; its address and where it tells."""
    (tmp_path / "monitoring").write_text('prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }')
    port, rest = address.free_port(), address.free_port()
    flags = {
        "port": port,
        "rest_api_port": rest,
        "monitoring_config_file": tmp_path / "monitoring",
        "model_name": "tiny",
        "model_base_path": repository / "tiny",
    }
    command = [sys.executable, "-m", "serving.embedded", *(f"--{name}={value}" for name, value in flags.items())]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    server = f"{address.LOCAL}:{port}"
    while run("clients", "status", "--server", server, "--model", "tiny").returncode:
        assert child.poll() is None
        time.sleep(0.2)
    yield server, f"http://{address.LOCAL}:{rest}/monitoring/prometheus/metrics"
    child.terminate()
    assert child.wait(30) == 0


@pytest.mark.slow
def test_the_parts_of_the_time_add_up(metered):
    server, url = metered
    arguments = ("--server", server, "--model", "tiny", "--size", "48x64", "--metrics-url", url, "--requests", 60)
    done = run("clients", "bench", *arguments, "--json")
    (row,) = json.loads(done.stdout)["rows"]
    parts = row["split"]

    assert parts.pop("requests") == 60  # the warm-up's are not among them
    assert min(parts.values()) > 0
    assert sum(parts.values()) == pytest.approx(row["mean_ms"], rel=1e-3)
    assert "server runtime" in run("clients", "bench", *arguments).stdout


def test_metrics_that_are_not_there_are_one_sentence(server):
    url = f"http://{address.LOCAL}:{address.free_port()}/monitoring/prometheus/metrics"

    assert_one_sentence(run("clients", "bench", "--server", server, "--model", "tiny", "--metrics-url", url), "--rest")


@pytest.mark.slow
def test_a_version_is_measured_without_a_server(repository, tmp_path):
    folder, file = repository / "tiny" / "2", tmp_path / "samples.jsonl"
    sweep = ("--size", "48x64", "--concurrency", "1,2", "--rate", 100, "--requests", 50, "--output", file)
    done = run("clients", "bench", "--in-process", folder, *sweep, "--json")
    rows = json.loads(done.stdout)["rows"]

    assert [row["requests"] for row in rows] == [50, 50, 50]
    for row in rows:
        assert (row["version"], row["recipe"], row["errors"]) == (2, "quantized_weights", {})
        assert 0 < row["p50_ms"] <= row["p90_ms"]
        assert row["doubts"] == ["p99 rests on 50 requests and wants 459"]
    assert json.loads(run("clients", "bench", "--from", file, "--json").stdout)["rows"] == rows


def test_a_folder_that_is_no_version_is_one_sentence(repository):
    assert_one_sentence(run("clients", "bench", "--in-process", repository), "saved_model.pb")


def test_a_folders_signature_is_read_without_tensorflow(repository):
    found = signature(repository / "tiny" / "1")

    assert found.inputs["inputs"].dtype == "uint8"
    assert "detection_boxes" in found.outputs
    with pytest.raises(SuiteError, match="serving_default"):
        signature(repository / "tiny" / "1", "serving_defalt")
