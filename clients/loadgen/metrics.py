"""Where the time went, from the server's own Prometheus metrics before and after a run."""

from __future__ import annotations

import http.client
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from clients.loadgen import dialing
from clients.loadgen.measured import Measured, Samples
from clients.loadgen.orders import Tls
from model_config.errors import SuiteError

_TIMEOUT_S = 10.0
_METHOD: Final = "Predict"
_REQUEST: Final = ":tensorflow:serving:request_latency"  # microseconds, the whole call in the server
_RUNTIME: Final = ":tensorflow:serving:runtime_latency"  # microseconds, of it what TensorFlow ran


@dataclass(frozen=True)
class Totals:
    """What the server has counted for one model since it started; times in microseconds."""

    requests: float = 0.0
    request_us: float = 0.0
    runs: float = 0.0
    run_us: float = 0.0


def text(url: str, tls: Tls | None, timeout_s: float = _TIMEOUT_S) -> str:
    """What the server tells at an address; OSError, ValueError or HTTPException when it does not.

    Args:
        tls: the connection's, which counts where the address is one of https.
    """
    secure = dialing.context(tls) if tls and url.lower().startswith("https:") else None
    with urllib.request.urlopen(url, timeout=timeout_s, context=secure) as answer:
        return str(answer.read().decode("utf-8", "replace"))


def read(url: str, model: str, tls: Tls | None = None) -> Totals:
    """Ask the server; SuiteError when it does not tell."""
    try:
        return totals(text(url, tls), model)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise SuiteError(
            f"cannot read Prometheus metrics at {url} ({error}); the server wants --monitoring_config_file and a "
            "--rest_api_port, and they are at http://HOST:REST_PORT/monitoring/prometheus/metrics"
        ) from error


def totals(text: str, model: str) -> Totals:
    """The totals of a model in Prometheus's text format; zeros before its first request."""
    found = {"requests": 0.0, "request_us": 0.0, "runs": 0.0, "run_us": 0.0}
    places = {
        f"{_REQUEST}_count": "requests",
        f"{_REQUEST}_sum": "request_us",
        f"{_RUNTIME}_count": "runs",
        f"{_RUNTIME}_sum": "run_us",
    }
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in places and _is_ours(sample.labels, model):
                found[places[sample.name]] += sample.value
    return Totals(**found)


def _is_ours(labels: dict[str, str], model: str) -> bool:
    return labels.get("model_name") == model and labels.get("API", _METHOD) == _METHOD


def split(before: Totals, after: Totals, measured: Measured) -> dict[str, Any] | None:
    """The mean time of a request in parts that add up, in ms; None when the server counted none.

    Whoever else asked the model meanwhile is in the server's figures too: ``requests`` shows it.
    """
    requests, runs = after.requests - before.requests, after.runs - before.runs
    if requests <= 0 or runs <= 0 or not len(measured.good):
        return None
    whole = _mean_ms(measured.good)
    server = (after.request_us - before.request_us) / requests / 1e3
    runtime = (after.run_us - before.run_us) / requests / 1e3
    return {
        "server_runtime_ms": round(runtime, 4),
        "server_overhead_ms": round(server - runtime, 4),
        "client_and_wire_ms": round(whole - server, 4),
        "requests": int(requests),
    }


def _mean_ms(samples: Samples) -> float:
    """From sent to answered: what a late client adds is not the wire's."""
    return float((samples[:, 2] - samples[:, 1]).mean()) / 1e6
