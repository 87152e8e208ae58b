"""What can go wrong between a question and its answer.

ClientError
├── ServerUnavailable      nothing answers at the address
├── DeadlineExceeded       the answer took too long
├── NotServed              no such model or version is served now
├── BadRequest             the server refused the inputs
├── ServerFailed           the server broke while answering
└── BadAnswer              the answer is not what it should be
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

import grpc

from evaluation import errors
from model_config.errors import SuiteError


class ClientError(SuiteError):
    """A question that got no good answer."""


class ServerUnavailable(ClientError):
    """Nothing answers at the address."""


class DeadlineExceeded(ClientError):
    """The answer took longer than the deadline."""


class NotServed(ClientError):
    """No such model or version is served now."""


class BadRequest(ClientError):
    """The server refused what was sent."""


class ServerFailed(ClientError):
    """The server broke while answering."""


class BadAnswer(ClientError, errors.BadAnswer):
    """The answer is not what it should be."""


Code = grpc.StatusCode

_BY_CODE: Final = MappingProxyType(
    {
        Code.UNAVAILABLE: ServerUnavailable,
        Code.DEADLINE_EXCEEDED: DeadlineExceeded,
        Code.NOT_FOUND: NotServed,
        Code.INVALID_ARGUMENT: BadRequest,
        Code.FAILED_PRECONDITION: BadRequest,
    }
)
_REMEDIES: Final = MappingProxyType(
    {
        ServerUnavailable: "start one with 'make serve', or check the address",
        DeadlineExceeded: "allow more time, or send smaller batches",
        NotServed: "see what is served with: python -m clients status",
        BadRequest: "compare with the signature: python -m converters inspect VERSION_FOLDER",
        ServerFailed: "look into the server's log",
    }
)


@contextmanager
def translated(server: str) -> Iterator[None]:
    """Turn gRPC's errors into ours, whose text says what to do; the cause is kept."""
    try:
        yield
    except grpc.RpcError as error:
        raise from_grpc(server, error) from error


def from_grpc(server: str, error: Any) -> ClientError:
    """Our error for one of gRPC's."""
    kind = _BY_CODE.get(error.code(), ServerFailed)
    if kind is ServerUnavailable:
        return kind(f"no server answers at {server}; {_REMEDIES[kind]}")
    return kind(f"{server} answered {error.code().name}: {error.details() or 'no details'}; {_REMEDIES[kind]}")
