"""Answers as values, from the bytes that came; BadAnswer when they are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError

from clients.errors import BadAnswer
from clients.spec import Metadata, VersionState, plain_signature
from clients.wire import answers
from clients.wire import serving_pb2 as wire

Arrays = Mapping[str, "np.ndarray[Any, Any]"]

_INITIALISE: Final = "__saved_model_init_op"  # how a SavedModel sets itself up; nobody's question


@dataclass(frozen=True)
class Prediction:
    """An answer: arrays by output name, and the version that gave it."""

    outputs: Arrays
    version: int


def read_prediction(content: bytes, asked: wire.ModelSpec) -> Prediction:
    """The arrays of a serialised PredictResponse; BadAnswer also when another version gave it than was asked."""
    with _readable(f"of {asked.name}"):
        answer = answers.read_predict_response(content)
    version = answer.spec.version.value
    if asked.HasField("version") and version != asked.version.value:
        raise BadAnswer(f"asked version {asked.version.value} of {asked.name}, but version {version} answered")
    return Prediction(answer.outputs, version)


def read_states(content: bytes) -> list[VersionState]:
    """The states of a GetModelStatusResponse, ascending by version."""
    with _readable("about the model's status"):
        found = wire.GetModelStatusResponse.FromString(content).model_version_status
        names = wire.ModelVersionStatus.State
        states = [VersionState(each.version, names.Name(each.state), each.status.error_message) for each in found]
    return sorted(states, key=lambda state: state.version)


def read_metadata(content: bytes) -> Metadata:
    """The signatures of a GetModelMetadataResponse."""
    with _readable("about the model's signatures"):
        response = wire.GetModelMetadataResponse.FromString(content)
        # not Unpack: the message's full name there is TensorFlow's, its bytes are the same
        found = wire.SignatureDefMap.FromString(response.metadata["signature_def"].value).signature_def
        signatures = {name: plain_signature(found[name]) for name in sorted(found) if name != _INITIALISE}
    return Metadata(response.model_spec.version.value, signatures)


@contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, DecodeError) as error:
        raise BadAnswer(
            f"the answer {what} cannot be read ({error}); check that a TensorFlow Serving server gave it"
        ) from error
