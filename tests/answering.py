"""A real gRPC server whose model is only pretended: its name says how it answers."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

import grpc
import numpy as np
import speaking

from clients.wire import serving_pb2 as wire
from clients.wire import tensors

LARGE = 1_500_000  # floats in an answer of the model "large"
SLOW_S = 0.4
REFUSAL = "no such thing: größer als 100 %"


def answer(content: bytes, context: grpc.ServicerContext) -> bytes:
    """As the model of that name."""
    request = wire.PredictRequest.FromString(content)
    name = request.model_spec.name
    if name == "refusing":
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, REFUSAL)
    if name == "slow":
        time.sleep(SLOW_S)
    said = wire.PredictResponse(model_spec=request.model_spec)
    if name == "another":
        said.model_spec.version.value += 1
    if name == "silent":  # about its version
        said.ClearField("model_spec")
    tensors.encode(np.zeros(LARGE if name == "large" else 1, np.float32), said.outputs["values"])
    return said.SerializeToString()


def answering(
    port: int = 0, credentials: grpc.ServerCredentials | None = None, **limits: int
) -> AbstractContextManager[str]:
    """A server on a free port, or this one; gives its address. ``limits`` are gRPC's, without ``grpc.``."""
    return speaking.server(answer, credentials, port, **limits)
