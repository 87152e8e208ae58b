"""A real gRPC server that says what a test wants, for what a good server cannot be brought to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np

from clients import Client, Connection
from clients.wire import serving_pb2 as wire
from clients.wire import tensors

Answer = Callable[[bytes, grpc.ServicerContext], bytes]


class _Everything(grpc.GenericRpcHandler):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def service(self, details: Any) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(self._answer)


@contextmanager
def server(
    answer: Answer, credentials: grpc.ServerCredentials | None = None, port: int = 0, **limits: int
) -> Iterator[str]:
    """Answer every method by ``answer`` while it lasts; gives the address. ``limits`` are gRPC's, without ``grpc.``."""
    options = [(f"grpc.{name}", value) for name, value in {"max_receive_message_length": -1, **limits}.items()]
    made = grpc.server(ThreadPoolExecutor(8), handlers=[_Everything(answer)], options=options)
    address = f"localhost:{port}"
    taken = made.add_secure_port(address, credentials) if credentials else made.add_insecure_port(address)
    made.start()
    yield f"localhost:{taken}"
    made.stop(None).wait()


@contextmanager
def client(answer: Answer, **how: Any) -> Iterator[Client]:
    """A client of such a server; ``how`` are a Connection's other fields."""
    with server(answer) as address, Client(Connection(address, **how)) as made:
        yield made


def prediction(version: int = 1, **outputs: Any) -> bytes:
    """A serialised PredictResponse as the stock server writes it."""
    response = wire.PredictResponse()
    response.model_spec.version.value = version
    for name, array in outputs.items():
        tensors.encode(np.asarray(array), response.outputs[name], typed=True)
    return response.SerializeToString()


def refusing(code: grpc.StatusCode, text: str) -> Answer:
    """An answer that is always this refusal."""

    def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(code, text)

    return answer
