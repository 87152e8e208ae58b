"""The HTTP port: the stock server's REST API, and the metrics."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from model_config.errors import ServeError
from serving.embedded import examples, refusals, rest_examples, rest_json, services
from serving.embedded.catalog import Catalog
from serving.embedded.metrics import CONTENT_TYPE, Metrics
from serving.embedded.model_spec import Spec
from serving.embedded.refusals import Refusal

_PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
    r"(?P<what>/metadata|:predict|:classify|:regress)?"
)
_HTTP_CODES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_TIMEOUT_S = 30.0

Answer = tuple[int, str, bytes]


def start(catalog: Catalog, metrics: Metrics, host: str, port: int, metrics_path: str | None) -> ThreadingHTTPServer:
    """Open the port and answer in threads; ServeError when it is taken."""
    api = _Api(catalog, metrics, metrics_path)
    try:
        server = _Server((host, port), type("_Bound", (_Handler,), {"api": api}))
    except OSError as error:
        raise ServeError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another port with --rest_api_port"
        ) from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Api:
    """What is answered to a method and a path, whatever carries them."""

    def __init__(self, catalog: Catalog, metrics: Metrics, metrics_path: str | None) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._metrics_path = metrics_path

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """HTTP code, content type and body."""
        if method == "GET" and path == self._metrics_path:
            return 200, CONTENT_TYPE, self._metrics.text()
        try:
            return 200, "application/json", self._json(method, path, body)
        except (Refusal, tf.errors.OpError) as error:
            refusal = refusals.of(error)
            return _HTTP_CODES.get(refusal.code.name, 500), "application/json", rest_json.error(refusal.text)

    def _json(self, method: str, path: str, body: bytes) -> bytes:
        found = _PATH.fullmatch(path)
        ways: dict[tuple[str, str | None], Callable[[Spec, bytes], bytes]] = {
            ("GET", None): self._status,
            ("GET", "/metadata"): self._metadata,
            ("POST", ":predict"): self._predict,
            ("POST", ":classify"): partial(self._examples, "classify", examples.classify, rest_examples.classes),
            ("POST", ":regress"): partial(self._examples, "regress", examples.regress, rest_examples.values),
        }
        way = ways.get((method, found["what"])) if found else None
        if found is None or way is None:
            raise refusals.invalid(f"Malformed request: {method} {path}")
        version = None if found["version"] is None else int(found["version"])
        return way(Spec(found["name"], version, found["label"], ""), body)

    def _status(self, spec: Spec, _: bytes) -> bytes:
        request = get_model_status_pb2.GetModelStatusRequest()
        _fill(request.model_spec, spec)
        return _as_json(services.status(self._catalog, request))

    def _metadata(self, spec: Spec, _: bytes) -> bytes:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        _fill(request.model_spec, spec)
        return _as_json(services.metadata(self._catalog, request))

    def _predict(self, spec: Spec, body: bytes) -> bytes:
        def answer() -> bytes:
            request = rest_json.read(body)
            with self._catalog.using(spec) as (_, loaded):
                signature = loaded.signature(request.signature)
                inputs = rest_json.inputs(request, signature)
                outputs = loaded.predict(signature, inputs, (), _TIMEOUT_S)
            return rest_json.write(outputs, by_row=request.by_row)

        return self._counted(spec, "predict", answer)

    def _examples(
        self, api: str, ask: Callable[..., Any], write: Callable[[Any], bytes], spec: Spec, body: bytes
    ) -> bytes:
        def answer() -> bytes:
            document = rest_json.document(body)
            signature, sent = rest_json.signature_name(document), rest_examples.read(document)
            with self._catalog.using(spec) as (_, loaded):
                result = ask(loaded, signature, sent, _TIMEOUT_S)
            self._metrics.examples(spec.name, examples.count(sent))
            return write(result)

        return self._counted(spec, api, answer)

    def _counted(self, spec: Spec, api: str, answer: Callable[[], bytes]) -> bytes:
        return self._metrics.counting(spec.name, api, "REST", time.perf_counter(), answer)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    api: _Api
    protocol_version = "HTTP/1.1"
    # an answer's head and body are two writes; the second must not wait until the first is acknowledged
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        code, kind, text = self.api.answer(self.command, self.path, body)
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """One line a request would be all there is to see."""


def _fill(model_spec: Any, spec: Spec) -> None:
    model_spec.name = spec.name
    if spec.version is not None:
        model_spec.version.value = spec.version
    elif spec.label is not None:
        model_spec.version_label = spec.label


def _as_json(message: Any) -> bytes:
    names: dict[str, Any] = {"preserving_proto_field_name": True, "including_default_value_fields": True}
    return json_format.MessageToJson(message, **names).encode() + b"\n"
