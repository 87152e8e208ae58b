"""Ask a TensorFlow Serving server over gRPC, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Final

import grpc
import numpy as np

from clients.errors import BadAnswer, ClientError, NotServed, translated
from clients.wire import serving_pb2 as wire
from clients.wire import tensors
from model_config.manifest import Signature, Tensor

DEFAULT_TIMEOUT_S: Final = 60.0

_OPTIONS: Final = (
    # gRPC's own limit of 4 MB is less than one batch of masks
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
_SERVICE: Final = "/tensorflow.serving."

Arrays = Mapping[str, "np.ndarray[Any, Any]"]


@dataclass(frozen=True)
class Prediction:
    """An answer: arrays by output name, and the version that gave it."""

    outputs: Arrays
    version: int


@dataclass(frozen=True)
class VersionState:
    """How a version is doing: START, LOADING, AVAILABLE, UNLOADING or END, and why it failed if it did."""

    version: int
    state: str
    error: str = ""


class Client:
    """A connection to one server; safe to use from several threads, closed by ``with``."""

    def __init__(self, server: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Connect to ``HOST:PORT`` when the first question is asked; each may take ``timeout_s`` seconds."""
        self.server = server
        self._timeout_s = timeout_s
        self._channel = grpc.insecure_channel(server, options=_OPTIONS)
        self._predict = self._method("PredictionService/Predict", wire.PredictResponse)
        self._metadata = self._method("PredictionService/GetModelMetadata", wire.GetModelMetadataResponse)
        self._status = self._method("ModelService/GetModelStatus", wire.GetModelStatusResponse)

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        version: int | None = None,
        signature: str = "",
        outputs: Sequence[str] = (),
    ) -> Prediction:
        """Run a signature on arrays of any shape, by input name.

        Args:
            model: the name the server knows.
            inputs: arrays whose 0th dimension is the batch.
            version: the latest when left out.
            signature: ``serving_default`` when left out.
            outputs: the ones to send back; all when left out.

        Raises:
            NotServed: no such model or version is served now; the text tells what is.
            BadRequest: the inputs do not fit the signature.
            ServerUnavailable, DeadlineExceeded, ServerFailed: as their names say.
        """
        return self.ask(predict_request(model, inputs, version=version, signature=signature, outputs=outputs))

    def ask(self, request: wire.PredictRequest) -> Prediction:
        """Send a request made by ``predict_request`` before, for callers who ask the same again and again."""
        try:
            with translated(self.server):
                response = self._predict(request.SerializeToString(), timeout=self._timeout_s)
        except NotServed as error:
            raise self._explained(request.model_spec, error) from error
        return read_prediction(response, request.model_spec)

    def signature(self, model: str, version: int | None = None, name: str = "serving_default") -> Signature:
        """What a version takes and gives; NotServed when there is no such version or signature."""
        request = wire.GetModelMetadataRequest(model_spec=_spec(model, version), metadata_field=["signature_def"])
        try:
            with translated(self.server):
                response = self._metadata(request.SerializeToString(), timeout=self._timeout_s)
        except NotServed as error:
            raise self._explained(request.model_spec, error) from error
        # not Unpack: the message's full name there is TensorFlow's, its bytes are the same
        signatures = wire.SignatureDefMap.FromString(response.metadata["signature_def"].value).signature_def
        if name not in signatures:
            raise NotServed(f"{model} has no signature {name!r}, only {', '.join(sorted(signatures))}")
        return plain_signature(signatures[name])

    def status(self, model: str) -> list[VersionState]:
        """The state of every version of a model, ascending; NotServed when the server does not know the model."""
        request = wire.GetModelStatusRequest(model_spec=_spec(model, None))
        with translated(self.server):
            response = self._status(request.SerializeToString(), timeout=self._timeout_s)
        states = (
            VersionState(each.version, wire.ModelVersionStatus.State.Name(each.state), each.status.error_message)
            for each in response.model_version_status
        )
        return sorted(states, key=lambda state: state.version)

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def __enter__(self) -> Client:
        """Use the connection in a ``with`` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self.close()

    def _method(self, name: str, answer: Any) -> Callable[..., Any]:
        # requests arrive here serialized, so that a benchmark can serialize them before its clock starts
        method: Callable[..., Any] = self._channel.unary_unary(_SERVICE + name, response_deserializer=answer.FromString)
        return method

    def _explained(self, spec: wire.ModelSpec, error: NotServed) -> ClientError:
        """Say what is served instead, as the server's own NOT_FOUND leaves that out."""
        try:
            states = self.status(spec.name)
        except ClientError:
            return NotServed(
                f"{self.server} serves no model called {spec.name!r}; see the model config it was started with"
            )
        told = ", ".join(f"{s.version} {s.state}{': ' + s.error if s.error else ''}" for s in states)
        wanted = f"version {spec.version.value} of " if spec.HasField("version") else ""
        return NotServed(f"{self.server} does not serve {wanted}{spec.name}; it has: {told}")


def predict_request(
    model: str,
    inputs: Mapping[str, Any],
    *,
    version: int | None = None,
    signature: str = "",
    outputs: Sequence[str] = (),
) -> wire.PredictRequest:
    """A request that can be sent many times; see ``Client.predict`` for its parts."""
    request = wire.PredictRequest(model_spec=_spec(model, version), output_filter=outputs)
    request.model_spec.signature_name = signature
    for name, array in inputs.items():
        tensors.encode(array, request.inputs[name])
    return request


def read_prediction(response: wire.PredictResponse, asked: wire.ModelSpec) -> Prediction:
    """The arrays of an answer; BadAnswer when another version gave it than was asked for."""
    version = response.model_spec.version.value
    if asked.HasField("version") and version != asked.version.value:
        raise BadAnswer(f"asked version {asked.version.value} of {asked.name}, but version {version} answered")
    return Prediction({name: tensors.decode(proto) for name, proto in response.outputs.items()}, version)


def _spec(model: str, version: int | None) -> wire.ModelSpec:
    spec = wire.ModelSpec(name=model)
    if version is not None:
        spec.version.value = version
    return spec


# numpy's names, which are TensorFlow's too; strings are objects in numpy
_TYPE_NAMES: Final = MappingProxyType(
    {number: "string" if kind is tensors.STRING else kind.dtype.name for number, kind in tensors.BY_NUMBER.items()}
)


def plain_signature(signature: wire.SignatureDef) -> Signature:
    """A signature's message as a value."""
    inputs, outputs = (
        {n: _tensor(info) for n, info in sorted(side.items())} for side in (signature.inputs, signature.outputs)
    )
    return Signature(method_name=signature.method_name, inputs=inputs, outputs=outputs)


def _tensor(info: wire.TensorInfo) -> Tensor:
    sizes = tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
    dtype = _TYPE_NAMES.get(info.dtype, wire.DataType.Name(info.dtype))
    return Tensor(dtype=dtype, shape=None if info.tensor_shape.unknown_rank else sizes)
