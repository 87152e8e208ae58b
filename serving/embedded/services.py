"""The gRPC services of TensorFlow Serving over a catalog of models."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Optional

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    regression_pb2,
)

from serving.embedded import examples, model_spec, predict_request, predict_response, refusals
from serving.embedded.catalog import Catalog
from serving.embedded.metrics import Metrics
from serving.embedded.model_spec import DEFAULT_SIGNATURE, Spec

Timeout = Optional[float]
# a request's bytes and the seconds its caller waits; gives the answer's bytes
Method = Callable[[bytes, Timeout], bytes]


class PredictionService:
    """What is asked of models."""

    def __init__(self, catalog: Catalog, metrics: Metrics) -> None:
        """Answer from the catalog's models."""
        self._catalog = catalog
        self._metrics = metrics

    @property
    def methods(self) -> Mapping[str, Method]:
        """By name."""
        return MappingProxyType(
            {
                "Predict": self._predict,
                "Classify": self._classify,
                "Regress": self._regress,
                "MultiInference": self._multi_inference,
                "GetModelMetadata": self._metadata,
            }
        )

    def _predict(self, raw: bytes, timeout_s: Timeout) -> bytes:
        start = time.perf_counter()
        spec, inputs, wanted = predict_request.read(raw)

        def answer() -> bytes:
            with self._catalog.using(spec) as (number, loaded):
                outputs = loaded.predict(loaded.signature(spec.signature), inputs, wanted, timeout_s)
                return predict_response.write(outputs, spec.name, number, spec.signature)

        return self._counted(spec.name, "Predict", start, answer)

    def _classify(self, raw: bytes, timeout_s: Timeout) -> bytes:
        request = classification_pb2.ClassificationRequest.FromString(raw)
        return self._examples(request, classification_pb2.ClassificationResponse(), "Classify", timeout_s)

    def _regress(self, raw: bytes, timeout_s: Timeout) -> bytes:
        request = regression_pb2.RegressionRequest.FromString(raw)
        return self._examples(request, regression_pb2.RegressionResponse(), "Regress", timeout_s)

    def _examples(self, request: Any, response: Any, api: str, timeout_s: Timeout) -> bytes:
        start = time.perf_counter()
        spec = _spec(request)
        ask = examples.classify if api == "Classify" else examples.regress

        def answer() -> bytes:
            with self._catalog.using(spec) as (number, loaded):
                response.result.CopyFrom(ask(loaded, spec.signature, request.input, timeout_s))
                _say_who(response.model_spec, spec, number)
            self._metrics.examples(spec.name, examples.count(request.input))
            return bytes(response.SerializeToString())

        return self._counted(spec.name, api, start, answer)

    def _multi_inference(self, raw: bytes, timeout_s: Timeout) -> bytes:
        start = time.perf_counter()
        request = inference_pb2.MultiInferenceRequest.FromString(raw)
        first = request.tasks[0].model_spec if request.tasks else inference_pb2.InferenceTask().model_spec
        spec = model_spec.of(first, present=True)

        def answer() -> bytes:
            with self._catalog.using(spec) as (number, loaded):
                response = examples.multi_inference(loaded, spec.name, number, request, timeout_s)
            self._metrics.examples(spec.name, examples.count(request.input))
            return bytes(response.SerializeToString())

        return self._counted(spec.name, "MultiInference", start, answer)

    def _metadata(self, raw: bytes, _: Timeout) -> bytes:
        request = get_model_metadata_pb2.GetModelMetadataRequest.FromString(raw)
        return bytes(metadata(self._catalog, request).SerializeToString())

    def _counted(self, model: str, api: str, start: float, answer: Callable[[], bytes]) -> bytes:
        return self._metrics.counting(model, api, "GRPC", start, answer)


class ModelService:
    """How models are, and which of them are served."""

    def __init__(self, catalog: Catalog) -> None:
        """Tell of the catalog's models, and change them."""
        self._catalog = catalog

    @property
    def methods(self) -> Mapping[str, Method]:
        """By name."""
        return MappingProxyType({"GetModelStatus": self._status, "HandleReloadConfigRequest": self._reload})

    def _status(self, raw: bytes, _: Timeout) -> bytes:
        request = get_model_status_pb2.GetModelStatusRequest.FromString(raw)
        return bytes(status(self._catalog, request).SerializeToString())

    def _reload(self, raw: bytes, _: Timeout) -> bytes:
        config = model_management_pb2.ReloadConfigRequest.FromString(raw).config
        if config.WhichOneof("config") != "model_config_list":
            raise refusals.invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        self._catalog.apply(config)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        return bytes(response.SerializeToString())


def metadata(catalog: Catalog, request: Any) -> Any:
    """The signatures of a version, as a GetModelMetadataResponse."""
    spec = _spec(request)
    if not request.metadata_field:
        raise refusals.invalid("GetModelMetadataRequest must specify at least one metadata_field")
    for name in request.metadata_field:
        if name != "signature_def":
            raise refusals.invalid(f"Metadata field {name} is not supported")
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    with catalog.using(spec) as (number, loaded):
        protos = loaded.signature_protos
    response.model_spec.name, response.model_spec.version.value = spec.name, number
    response.metadata["signature_def"].Pack(get_model_metadata_pb2.SignatureDefMap(signature_def=protos))
    return response


def status(catalog: Catalog, request: Any) -> Any:
    """The state of a model's versions, as a GetModelStatusResponse."""
    spec = request.model_spec
    if not request.HasField("model_spec"):
        raise refusals.invalid("Missing ModelSpec")
    number = spec.version.value if spec.WhichOneof("version_choice") == "version" else None
    response = get_model_status_pb2.GetModelStatusResponse()
    for entry in catalog.states(spec.name, number):
        told = response.model_version_status.add(version=entry.number, state=entry.state)
        told.status.SetInParent()
        if entry.is_final and entry.refusal is not None:
            told.status.error_code = entry.refusal.code.value[0]
            told.status.error_message = entry.refusal.text
    return response


def _spec(request: Any) -> Spec:
    return model_spec.of(request.model_spec, request.HasField("model_spec"))


def _say_who(into: Any, spec: Spec, number: int) -> None:
    into.name, into.version.value, into.signature_name = spec.name, number, spec.signature or DEFAULT_SIGNATURE
