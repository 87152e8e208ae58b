"""The gRPC services of TensorFlow Serving over a catalog of loaded models."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from clients.wire import tensors
from model_config.errors import ServeError
from serving.embedded import refusals
from serving.embedded.catalog import Catalog

Answer = TypeVar("Answer")

_DEFAULT_SIGNATURE = "serving_default"
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_OPTIONS = (
    # without this a second server on the same port would silently share it
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]
    """Predict and GetModelMetadata."""

    def __init__(self, catalog: Catalog) -> None:
        """Answer from the catalog's models."""
        self._catalog = catalog

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Run a signature of a version on the request's tensors."""
        return _answered(context, lambda: self._predict(request))

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Tell the signatures of a version."""
        return _answered(context, lambda: self._metadata(request))

    def _predict(self, request: Any) -> Any:
        _require_spec(request)
        entry, servable = self._catalog.find(request.model_spec)
        signature = request.model_spec.signature_name or _DEFAULT_SIGNATURE
        outputs = servable.predict(signature, request.inputs, request.output_filter)
        response = predict_pb2.PredictResponse()
        _set_spec(response, request.model_spec.name, entry.number)
        response.model_spec.signature_name = signature
        for name, array in outputs.items():
            tensors.encode(array, response.outputs[name], typed=True)
        return response

    def _metadata(self, request: Any) -> Any:
        _require_spec(request)
        if not request.metadata_field:
            raise refusals.invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != "signature_def":
                raise refusals.invalid(f"Metadata field {name} is not supported")
        entry, servable = self._catalog.find(request.model_spec)
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        _set_spec(response, request.model_spec.name, entry.number)
        response.metadata["signature_def"].Pack(signatures)
        return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):  # type: ignore[misc]
    """GetModelStatus."""

    def __init__(self, catalog: Catalog) -> None:
        """Tell of the catalog's models."""
        self._catalog = catalog

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Tell the state of every version of a model."""
        return _answered(context, lambda: self._status(request))

    def _status(self, request: Any) -> Any:
        _require_spec(request)
        response = get_model_status_pb2.GetModelStatusResponse()
        for entry in self._catalog.states(request.model_spec):
            status = response.model_version_status.add(version=entry.number, state=entry.state)
            status.status.error_code = entry.error_code
            status.status.error_message = entry.error_message
        return response


def start(catalog: Catalog, address: str, threads: int) -> grpc.Server:
    """Open the port and answer; ServeError when the port is taken."""
    server = grpc.server(ThreadPoolExecutor(threads), options=_OPTIONS)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(catalog), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(catalog), server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise ServeError(
            f"cannot listen on {address}: the port is in use, or the address is not this machine's"
        ) from error
    server.start()
    return server


def _answered(context: grpc.ServicerContext, answer: Callable[[], Answer]) -> Answer:
    """Turn refusals and TensorFlow's errors into gRPC's; anything else is a defect and ends as UNKNOWN."""
    try:
        return answer()
    except refusals.Refusal as refusal:
        context.abort(refusal.code, refusal.text)
    except tf.errors.OpError as error:
        context.abort(_CODES[error.error_code], error.message)
    raise AssertionError("abort raises")


def _require_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise refusals.invalid("Missing ModelSpec")


def _set_spec(response: Any, name: str, version: int) -> None:
    response.model_spec.name = name
    response.model_spec.version.value = version
