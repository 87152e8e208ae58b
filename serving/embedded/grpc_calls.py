"""What becomes of one gRPC call: its message received, its method asked, the answer or the refusal sent."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from grpc._cython import cygrpc

from serving.embedded import refusals
from serving.embedded.refusals import Refusal
from serving.embedded.services import Method

_NO_FLAGS = 0
_EXHAUSTED = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
_NO_MESSAGE = Refusal(grpc.StatusCode.UNIMPLEMENTED, "Requires exactly one request message.")
_LOG = logging.getLogger(__name__)


class Call:
    """One call, which is among ``opened`` until its end is sent."""

    def __init__(self, event: Any, opened: set[Call]) -> None:
        """The event is the one that told of the call."""
        self._call = event.call
        self._opened = opened
        opened.add(self)

    def hurry(self) -> None:
        """The server goes when the call has ended."""

    def refuse(self, refusal: Refusal) -> None:
        """End it without an answer."""
        self._end(_beginning(), _ending(refusal.code, refusal.text))

    def _end(self, *operations: Any) -> None:
        self._call.start_server_batch(operations, self._ended)

    def _ended(self, _: Any) -> None:
        self._opened.discard(self)


class Answering(Call):
    """A call of a method that answers a message by a message."""

    def __init__(self, event: Any, method: Method, opened: set[Call], limit: threading.Semaphore) -> None:
        """Nothing is asked yet; ``limit`` is taken while the method is."""
        super().__init__(event, opened)
        self._deadline = event.call_details.deadline
        self._method = method
        self._limit = limit

    def begin(self) -> None:
        """Receive the message."""
        self._call.start_server_batch((_receipt(),), self._received)

    def _received(self, event: Any) -> None:
        try:
            answer = self._answer(event.batch_operations[0].message())
        except Refusal as refusal:
            self.refuse(refusal)
        else:
            self._end(_beginning(), _message(answer), _ending(grpc.StatusCode.OK))

    def _answer(self, raw: bytes | None) -> bytes:
        if raw is None:
            raise _NO_MESSAGE
        if not self._limit.acquire(blocking=False):
            raise _EXHAUSTED
        try:
            return self._method(raw, max(0.0, self._deadline - time.time()))
        except (Refusal, tf.errors.OpError) as error:
            raise refusals.of(error) from error
        except DecodeError as error:
            raise Refusal(refusals.INTERNAL, "") from error
        except Exception as error:
            _LOG.exception("a request ended in an error of the server's own")
            raise refusals.of(error) from error
        finally:
            self._limit.release()


class Watching(Call):
    """A call that is answered at once and stays open, as nothing changes, until its caller or the server goes."""

    def __init__(self, event: Any, method: Method, opened: set[Call]) -> None:
        """Nothing is asked yet."""
        super().__init__(event, opened)
        self._method = method

    def begin(self) -> None:
        """Receive the message, and learn when the caller goes."""
        self._call.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),), self._ended)
        self._call.start_server_batch((_receipt(), _beginning()), self._received)

    def hurry(self) -> None:
        """End it."""
        self._call.start_server_batch((_ending(grpc.StatusCode.UNAVAILABLE, "the server is stopped"),), _pass_over)

    def _received(self, event: Any) -> None:
        raw = event.batch_operations[0].message()
        if raw is not None:
            self._call.start_server_batch((_message(self._method(raw, None)),), _pass_over)


def _pass_over(_: Any) -> None:
    """An event that changes nothing."""


def _receipt() -> Any:
    return cygrpc.ReceiveMessageOperation(_NO_FLAGS)


def _beginning() -> Any:
    return cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS)


def _message(content: bytes) -> Any:
    return cygrpc.SendMessageOperation(content, _NO_FLAGS)


def _ending(code: grpc.StatusCode, text: str = "") -> Any:
    return cygrpc.SendStatusFromServerOperation(None, code.value[0], text.encode(), _NO_FLAGS)
