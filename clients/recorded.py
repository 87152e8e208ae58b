"""Requests on file, as a version brings them along to be warmed up with: TFRecords of PredictionLogs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError

from clients.spec import DEFAULT_SIGNATURE
from clients.wire import serving_pb2 as wire
from clients.wire import tensors
from model_config.errors import SuiteError
from model_config.server_messages_pb2 import PredictionLog

_LENGTH: Final = struct.Struct("<Q")
_CHECKSUM_BYTES: Final = 4


def requests(path: Path) -> Iterator[wire.PredictRequest]:
    """The Predict requests of a file in their order; other kinds are passed over. SuiteError when it holds none."""
    try:
        for record in _records(path.read_bytes()):
            request = PredictionLog.FromString(record).predict_log.request
            if request:
                yield wire.PredictRequest.FromString(request)
    except OSError as error:
        raise SuiteError(f"cannot read {path}: {(error.strerror or 'refused').lower()}") from error
    except (ValueError, DecodeError) as error:
        raise SuiteError(f"cannot read {path} as recorded requests (a TFRecord of PredictionLogs): {error}") from error


def rows(path: Path, signature: str) -> dict[str, np.ndarray[Any, Any]]:
    """The examples of all requests to a signature (the default one when empty), by input name, [examples, ...].

    Raises:
        SuiteError: there are none, or they differ in more than their number of examples.
    """
    found = [(each.model_spec.signature_name or DEFAULT_SIGNATURE, each.inputs) for each in requests(path)]
    wanted = [inputs for name, inputs in found if name == (signature or DEFAULT_SIGNATURE)]
    if not wanted:
        others = ", ".join(sorted({name for name, _ in found})) or "none"
        raise SuiteError(f"{path} holds no request to {signature or DEFAULT_SIGNATURE}, but to {others}; --signature")
    try:
        return {name: np.concatenate([tensors.decode(inputs[name]) for inputs in wanted]) for name in wanted[0]}
    except ValueError as error:
        raise SuiteError(f"the requests in {path} differ in more than their number of examples: {error}") from error


def _records(content: bytes) -> Iterator[bytes]:
    """The records of a TFRecord file: length, checksum of the length, record, checksum of the record."""
    place = 0
    while place < len(content):
        start = place + _LENGTH.size + _CHECKSUM_BYTES
        if start > len(content):
            raise ValueError("it ends too early")
        end = start + _LENGTH.unpack_from(content, place)[0]
        place = end + _CHECKSUM_BYTES
        if place > len(content):
            raise ValueError("it ends too early")
        yield content[start:end]
