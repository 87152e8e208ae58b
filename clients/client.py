"""Ask a TensorFlow Serving server over gRPC, without TensorFlow: blocking, or with a future for each answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from clients.calls import Outcome, Steps, resumed
from clients.connected import Connected
from clients.operations import Operations
from clients.reading import Prediction, read_prediction
from clients.spec import Metadata, VersionState, spec_of
from clients.translation import from_grpc
from clients.wire import serving_pb2 as wire
from clients.wire import tensors

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    P = ParamSpec("P")

__all__ = ["Client", "Metadata", "Prediction", "VersionState", "predict_request", "read_prediction"]

T = TypeVar("T")


def _blocking(operation: Callable[Concatenate[Operations, P], Steps[T]]) -> Callable[Concatenate[Client, P], T]:
    """An operation as a method that returns when the answer is there."""

    @wraps(operation)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(operation(self.operations, *args, **kwargs))

    return method


def _future(operation: Callable[Concatenate[Operations, P], Steps[T]]) -> Callable[Concatenate[Client, P], Future[T]]:
    """An operation as a method that returns at once, with a future that brings the answer or what went wrong."""

    @wraps(operation)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        self._advance(operation(self.operations, *args, **kwargs), None, future)
        return future

    return method


class Client(Connected):
    """A connection to one server, or to several that share the questions; safe to use from many threads."""

    predict = _blocking(Operations.predict)
    ask = _blocking(Operations.ask)
    send = _blocking(Operations.send)
    metadata = _blocking(Operations.metadata)
    signature = _blocking(Operations.signature)
    status = _blocking(Operations.status)
    version_of = _blocking(Operations.version_of)
    reload = _blocking(Operations.reload)
    predict_future = _future(Operations.predict)
    ask_future = _future(Operations.ask)
    deliver_future = _future(Operations.deliver)

    def _run(self, steps: Steps[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                call = resumed(steps, outcome)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # a StopIteration does not know its type
            try:
                outcome = self._start(call)
            except grpc.RpcError as error:
                outcome = from_grpc(self.server, error)

    def _advance(self, steps: Steps[T], outcome: Outcome, future: Future[T]) -> None:
        """Take an operation on to where it waits again; whoever cancels its future has lost interest in the rest."""
        with suppress(InvalidStateError):  # cancelled at this very moment
            try:
                call = resumed(steps, outcome)
                pending = self._method(call.method).future(call.content, timeout=call.timeout_s)
            except StopIteration as end:
                future.set_result(end.value)
            except Exception as error:  # whatever it is, it belongs to whoever waits
                future.set_exception(error)
            else:
                future.add_done_callback(lambda done: pending.cancel() if done.cancelled() else None)
                pending.add_done_callback(lambda done: self._came(steps, done, future))

    def _came(self, steps: Steps[T], pending: Any, future: Future[T]) -> None:
        if not future.cancelled():
            failed = pending.exception()
            self._advance(steps, from_grpc(self.server, failed) if failed else pending.result(), future)

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def predict_request(
    model: str,
    inputs: Mapping[str, Any],
    *,
    version: int | None = None,
    label: str | None = None,
    signature: str = "",
    outputs: Sequence[str] = (),
) -> wire.PredictRequest:
    """A request that can be sent many times by ``ask``; see ``Client.predict`` for its parts."""
    request = wire.PredictRequest(model_spec=spec_of(model, version, label, signature), output_filter=outputs)
    for name, array in inputs.items():
        tensors.encode(array, request.inputs[name])
    return request
