"""What the server counts, under the stock server's names, for Prometheus to fetch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest

CONTENT_TYPE = "text/plain"

# microseconds, from 10 on in steps of 1.8, as the stock server's
_LATENCIES = tuple(10 * 1.8**step for step in range(33))
_SIZES = tuple(2.0**step for step in range(11))
_PREFIX = ":tensorflow:"


class Batches:
    """The batches of one model."""

    def __init__(self, sizes: Any, paddings: Any, waits: Any) -> None:
        """Keep where to count."""
        self._sizes, self._paddings, self._waits = sizes, paddings, waits

    def add(self, rows: int, padded: int, waits_s: Iterable[float]) -> None:
        """A batch of so many rows was filled up to ``padded``; its requests have waited so long."""
        self._sizes.observe(padded)
        self._paddings.observe(padded - rows)
        for wait in waits_s:
            self._waits.observe(wait * 1e6)


class Metrics:
    """All counters of one server."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._requests = self._counter("serving:request_count", "Requests", "model_name", "status")
        self._latency = self._histogram("serving:request_latency", "Microseconds", "model_name", "API", "entrypoint")
        self._runtime = self._histogram("serving:runtime_latency", "Microseconds", "model_name", "API", "runtime")
        self._loads = self._counter("cc:saved_model:load_attempt_count", "Loads", "model_path", "status")
        self._load_time = self._counter("cc:saved_model:load_latency", "Microseconds", "model_path")
        self._warm_up = self._histogram("serving:model_warmup_latency", "Microseconds", "model_path", "status")
        self._sizes = self._histogram("serving:batching:processed_batch_size", "Rows", "model_name", buckets=_SIZES)
        self._padding = self._histogram("serving:batching:padding_size", "Rows", "model_name", buckets=_SIZES)
        self._waits = self._histogram("serving:batching_session:queuing_latency", "Microseconds", "model_name")
        # finding a child by its labels takes longer than counting in it
        self._of_request = lru_cache(maxsize=1024)(self._find)

    def request(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """A request was answered."""
        count, latency, _ = self._of_request(model, api, entrypoint, status)
        count()
        if status == "OK":
            latency(seconds * 1e6)

    def runtime(self, model: str, api: str, seconds: float) -> None:
        """TensorFlow took so long for a request, batching included."""
        self._of_request(model, api, "GRPC", "OK")[2](seconds * 1e6)

    def load(self, path: str, status: str) -> None:
        """A version was loaded, or could not be."""
        self._loads.labels(path, status).inc()

    def load_time(self, path: str, seconds: float) -> None:
        """Loading a version took so long, warm-up not counted."""
        self._load_time.labels(path).inc(seconds * 1e6)

    def warm_up(self, path: str, status: str, seconds: float) -> None:
        """A version's warm-up records were played."""
        self._warm_up.labels(path, status).observe(seconds * 1e6)

    def batches(self, model: str) -> Batches:
        """Where the batches of a model are counted."""
        return Batches(self._sizes.labels(model), self._padding.labels(model), self._waits.labels(model))

    def text(self) -> bytes:
        """Everything in Prometheus' format."""
        text = generate_latest(self._registry).decode()
        # the library insists on an ending that the stock server's counters do not have
        return text.replace("_count_total", "_count").replace("_latency_total", "_latency").encode()

    def _find(
        self, model: str, api: str, entrypoint: str, status: str
    ) -> tuple[Callable[[], None], Callable[[float], None], Callable[[float], None]]:
        count = self._requests.labels(model, status).inc
        latency = self._latency.labels(model, api, entrypoint).observe
        return count, latency, self._runtime.labels(model, api, "TF1").observe

    def _counter(self, name: str, text: str, *labels: str) -> Any:
        return Counter(_PREFIX + name, text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: Sequence[float] = _LATENCIES) -> Any:
        return Histogram(_PREFIX + name, text, labels, registry=self._registry, buckets=buckets)
