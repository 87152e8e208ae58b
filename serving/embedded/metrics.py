"""What the server counts, under the stock server's names, for Prometheus to fetch."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest

from serving.embedded import refusals

CONTENT_TYPE = "text/plain"

# microseconds, from 10 on in steps of 1.8, as the stock server's
_LATENCIES = tuple(10 * 1.8**step for step in range(33))
_WAITS = tuple(100 * 1.2**step for step in range(52))
_SIZES = tuple(2.0**step for step in range(11))
_EXAMPLES = tuple(2.0**step for step in range(15))
_PREFIX = ":tensorflow:"
# the library insists on an ending for counters that the stock server's do not have
_ENDING = re.compile(rb"^((?:# \w+ )?:[\w:]+)_total(?=[ {])", re.MULTILINE)


class Batches:
    """The batches of one model."""

    def __init__(self, runs: Any, sizes: Any, paddings: Any, waits: Any) -> None:
        """Keep where to count."""
        self._runs, self._sizes, self._paddings, self._waits = runs, sizes, paddings, waits

    def add(self, rows: int, padded: int, waits_s: Iterable[float]) -> None:
        """A batch of so many rows was filled up to ``padded``; its requests have waited so long."""
        self._runs.inc()
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
        self._warm_up = self._histogram("serving:model_warmup_latency", "Microseconds", "model_path", "status")
        self._sizes = self._histogram("serving:batching:processed_batch_size", "Rows", "model_name", buckets=_SIZES)
        self._padding = self._histogram("serving:batching:padding_size", "Rows", "model_name", buckets=_SIZES)
        session = "serving:batching_session"
        self._waits = self._histogram(f"{session}:queuing_latency", "Microseconds", "thread_pool_name", buckets=_WAITS)
        self._runs = self._counter(f"{session}:wrapped_run_count", "Batches")
        self._examples = self._counter("serving:request_example_count_total", "Examples", "model")
        self._example_counts = self._histogram(
            "serving:request_example_counts", "Examples of a request", "model", buckets=_EXAMPLES
        )
        self._load_times = self._counter("cc:saved_model:load_latency", "Microseconds", "model_path")
        # finding a child by its labels takes longer than counting in it
        self._of_request = lru_cache(maxsize=1024)(self._find)

    def counting(self, model: str, api: str, entrypoint: str, start: float, answer: Callable[[], bytes]) -> bytes:
        """Answer a request that came at ``start``, and count it with how that ended."""
        status = "OK"
        try:
            return answer()
        except Exception as error:
            status = refusals.of(error).code.name
            raise
        finally:
            self.request(model, api, entrypoint, status, time.perf_counter() - start)

    def request(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """A request was answered."""
        count, latency, _ = self._of_request(model, api, entrypoint, status)
        count()
        if status == "OK":
            latency(seconds * 1e6)

    def runtime(self, model: str, api: str, seconds: float) -> None:
        """TensorFlow took so long for a request, batching included."""
        self._of_request(model, api, "GRPC", "OK")[2](seconds * 1e6)

    def examples(self, model: str, count: int) -> None:
        """A request brought so many tf.Examples."""
        self._examples.labels(model).inc(count)
        self._example_counts.labels(model).observe(count)

    def load(self, path: str, status: str) -> None:
        """A version was loaded, or could not be."""
        self._loads.labels(path, status).inc()

    def load_time(self, path: str, seconds: float) -> None:
        """Loading a version took so long, warm-up not counted."""
        self._load_times.labels(path).inc(int(seconds * 1e6))

    def warm_up(self, path: str, status: str, seconds: float) -> None:
        """A version's warm-up records were played."""
        self._warm_up.labels(path, status).observe(seconds * 1e6)

    def batches(self, model: str, thread_pool: str) -> Batches:
        """Where the batches of a model are counted, and the time they wait for one of these threads."""
        sizes, padding = self._sizes.labels(model), self._padding.labels(model)
        return Batches(self._runs, sizes, padding, self._waits.labels(thread_pool))

    def text(self) -> bytes:
        """Everything in Prometheus' format."""
        return _ENDING.sub(rb"\1", generate_latest(self._registry))

    def _find(
        self, model: str, api: str, entrypoint: str, status: str
    ) -> tuple[Callable[[], None], Callable[[float], None], Callable[[float], None]]:
        count = self._requests.labels(model, status).inc
        latency = self._latency.labels(model, api, entrypoint).observe
        return count, latency, self._runtime.labels(model, api, "TF1").observe

    def _counter(self, name: str, text: str, *labels: str) -> Any:
        return Counter(f"{_PREFIX}{name}_total", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: Sequence[float] = _LATENCIES) -> Any:
        return Histogram(_PREFIX + name, text, labels, registry=self._registry, buckets=buckets)
