"""A real gRPC server whose model is only pretended: its name says how it answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np

from clients.wire import serving_pb2 as wire
from clients.wire import tensors

LARGE = 1_500_000  # floats in an answer of the model "large"
SLOW_S = 0.4
REFUSAL = "no such thing: größer als 100 %"

_NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def _answer(request: wire.PredictRequest, context: Any) -> wire.PredictResponse:
    name = request.model_spec.name
    if name == "refusing":
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, REFUSAL)
    if name == "slow":
        time.sleep(SLOW_S)
    answer = wire.PredictResponse(model_spec=request.model_spec)
    if name == "another":
        answer.model_spec.version.value += 1
    if name == "silent":  # about its version
        answer.model_spec.Clear()
    received = sum(len(each.tensor_content) for each in request.inputs.values())
    tensors.encode(np.zeros(LARGE if name == "large" else 1, np.float32), answer.outputs["values"])
    tensors.encode(np.int64(received), answer.outputs["received"])
    return answer


class _Predict(grpc.GenericRpcHandler):
    def service(self, details: Any) -> Any:
        if details.method != "/tensorflow.serving.PredictionService/Predict":
            return None
        return grpc.unary_unary_rpc_method_handler(
            _answer, wire.PredictRequest.FromString, lambda answer: answer.SerializeToString()
        )


@contextmanager
def answering(port: int = 0, credentials: grpc.ServerCredentials | None = None) -> Iterator[str]:
    """A server on a free port, or this one; its address."""
    server = grpc.server(ThreadPoolExecutor(8), handlers=[_Predict()], options=_NO_LIMIT)
    place = f"127.0.0.1:{port}"
    bound = server.add_secure_port(place, credentials) if credentials else server.add_insecure_port(place)
    server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        server.stop(None).wait()
