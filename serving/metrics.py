"""What a server has counted so far, from its Prometheus page."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from model_config.bundle import METRICS_PATH
from model_config.errors import ServeError

_REQUESTS = ":tensorflow:serving:request_count"
_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Counts:
    """Requests of one model since the server started, by gRPC's name of how they ended."""

    by_status: Mapping[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.by_status.values())

    @property
    def errors(self) -> int:
        """Those that did not end well."""
        return self.requests - self.by_status.get("OK", 0)


def fetch(host: str, rest_port: int) -> dict[str, Counts]:
    """The counts by the model's name; ServeError when there is no such page."""
    url = f"http://{host}:{rest_port}{METRICS_PATH}"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            return parse(answer.read().decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ServeError(
            f"no metrics at {url} ({reason}); start the server with its REST port and monitoring config"
        ) from error


def parse(text: str) -> dict[str, Counts]:
    """The counts on a Prometheus page by the model's name; ValueError when it is none."""
    found: dict[str, dict[str, int]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in (_REQUESTS, f"{_REQUESTS}_total"):
                found.setdefault(sample.labels["model_name"], {})[sample.labels["status"]] = int(sample.value)
    return {name: Counts(by_status) for name, by_status in found.items()}
