"""What a client can ask, written once: each operation yields the calls it needs and is sent what came back.

Whoever runs an operation decides how it waits: by blocking, with ``await``, or with a callback.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, Union

import numpy as np

from clients import checking, explaining, reloading
from clients.errors import BadAnswer, BadRequest, ClientError, DeadlineExceeded, NotServed, UnknownSignature
from clients.spec import DEFAULT_SIGNATURE, Metadata, VersionState, read_metadata, read_states, spec_of
from clients.wire import answers, framing
from clients.wire import serving_pb2 as wire
from model_config.errors import SuiteError, near_miss
from model_config.server_messages_pb2 import ModelServerConfig
from model_config.signatures import Signature

Answered = TypeVar("Answered")
Arrays = Mapping[str, "np.ndarray[Any, Any]"]

PREDICT: Final = "PredictionService/Predict"
METADATA: Final = "PredictionService/GetModelMetadata"
STATUS: Final = "ModelService/GetModelStatus"
RELOAD: Final = "ModelService/HandleReloadConfigRequest"


@dataclass(frozen=True)
class Call:
    """One message to send: to which method, and how long to wait for the answer in seconds."""

    method: str
    content: bytes
    timeout_s: float


# what came back: the bytes of an answer, or what went wrong; None before anything was sent
Outcome = Union[bytes, ClientError, None]
Steps = Generator[Call, bytes, Answered]


def resumed(steps: Steps[Any], outcome: Outcome) -> Call:
    """The next call of an operation that is told the outcome of its last one; StopIteration brings its result."""
    if isinstance(outcome, ClientError):
        return steps.throw(outcome)
    return next(steps) if outcome is None else steps.send(outcome)


@dataclass(frozen=True)
class Prediction:
    """An answer: arrays by output name, and the version that gave it."""

    outputs: Arrays
    version: int


class Operations:
    """Every question to a server."""

    def __init__(self, server: str, timeout_s: float, repository: Path | None = None) -> None:
        """See Connected; ``server`` is what errors call it."""
        self._server = server
        self._timeout_s = timeout_s
        self._repository = repository
        # by model, version and label as they were asked for; what "the latest" means may change
        self._metadata: dict[tuple[str, int | None, str | None], Metadata] = {}

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str = DEFAULT_SIGNATURE,
        outputs: Sequence[str] = (),
        timeout: float | None = None,
        cast: bool = False,
    ) -> Steps[Prediction]:
        """Run a signature on arrays, by input name, after they were checked against it.

        Args:
            model: the name the server knows.
            inputs: arrays as the signature says; their 0th dimension is the batch. Strings are ``bytes`` or ``str``.
            version: the latest when left out.
            label: a name the server has for a version, instead of its number.
            signature: which of the version's signatures.
            outputs: the ones to send back; all when left out.
            timeout: seconds the answer may take; the client's own when left out.
            cast: convert arrays of another type where numpy calls that safe.

        Raises:
            BadRequest: the inputs do not fit; nothing was sent.
            NotServed: no such model, version, label or signature is served now; the text tells what is.
            ServerUnavailable, ServerBusy, DeadlineExceeded, ServerFailed: as their names say.
        """
        known = (model, version, label)
        spec = spec_of(model, version, label, signature)
        metadata, fresh = self._metadata.get(known), False
        while True:
            if metadata is None:
                metadata, fresh = (yield from self.metadata(model, version, label=label, timeout=timeout)), True
            try:
                content = self._checked(spec, metadata, inputs, outputs, cast)
                break
            except (BadRequest, UnknownSignature):
                # what was learnt once may be of a version that is no longer meant
                if fresh:
                    raise
                metadata = None
        answer = yield from self._answered(spec, content, timeout)
        if answer.version != metadata.version:
            self._metadata.pop(known, None)
        return answer

    def _checked(
        self, spec: wire.ModelSpec, metadata: Metadata, inputs: Mapping[str, Any], outputs: Sequence[str], cast: bool
    ) -> bytes:
        signature = signature_of(metadata, spec.name, spec.signature_name)
        sizes = self._declared_sizes(spec.name, metadata.version)
        arrays = checking.fitted(inputs, signature, cast=cast, batch_sizes=sizes)
        checking.check_outputs(outputs, signature)
        return framing.predict_request(spec, arrays, outputs)

    def _declared_sizes(self, model: str, version: int) -> Sequence[int]:
        """The batch sizes of a version's manifest, which does not travel: where its folder can be seen from here."""
        if self._repository is None:
            return ()
        from model_config import manifest  # it needs pydantic, which a client starts without

        found = manifest.read(self._repository / model / str(version))
        return found.batch_sizes if found else ()

    def ask(self, request: wire.PredictRequest, *, timeout: float | None = None) -> Steps[Prediction]:
        """Send a request made by ``predict_request`` before, unchecked: for those who ask the same again and again."""
        return (yield from self._answered(request.model_spec, request.SerializeToString(), timeout))

    def _answered(self, spec: wire.ModelSpec, content: bytes, timeout: float | None) -> Steps[Prediction]:
        try:
            answer = yield Call(PREDICT, content, self._seconds(timeout))
        except NotServed as error:
            raise (yield from self._explained(error, spec, timeout)) from error
        return read_prediction(answer, spec)

    def metadata(
        self, model: str, version: int | None = None, *, label: str | None = None, timeout: float | None = None
    ) -> Steps[Metadata]:
        """Every signature of a version, asked afresh; NotServed when there is no such version."""
        spec = spec_of(model, version, label)
        request = wire.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        try:
            answer = yield Call(METADATA, request.SerializeToString(), self._seconds(timeout))
        except NotServed as error:
            raise (yield from self._explained(error, spec, timeout)) from error
        found = read_metadata(answer)
        self._metadata[model, version, label] = found
        return found

    def signature(
        self, model: str, version: int | None = None, name: str = DEFAULT_SIGNATURE, *, label: str | None = None
    ) -> Steps[Signature]:
        """What a version takes and gives; NotServed when there is no such version or signature."""
        return signature_of((yield from self.metadata(model, version, label=label)), model, name)

    def version_of(self, model: str, label: str | None = None) -> Steps[int | None]:
        """The version that answers to a label, or without one to the model's name alone; None when none does."""
        try:
            return (yield from self.metadata(model, label=label)).version
        except NotServed:
            return None

    def status(self, model: str, *, timeout: float | None = None) -> Steps[list[VersionState]]:
        """The state of every version of a model, ascending; NotServed when the server does not know the model."""
        request = wire.GetModelStatusRequest(model_spec=spec_of(model))
        return read_states((yield Call(STATUS, request.SerializeToString(), self._seconds(timeout))))

    def reload(self, config: ModelServerConfig | str, *, timeout: float | None = None) -> Steps[None]:
        """Serve what this model config says (a message, or protobuf text), and nothing else.

        Most servers answer when all of it is loaded; to be sure, ask for the status.

        Raises:
            ReloadRefused: the server keeps its config, or was not asked as it could not live with this one.
            LoadFailed: a version could not be loaded; the others are served.
            DeadlineExceeded: still loading, or waiting for a folder that does not come.
        """
        content = reloading.request(config)
        try:
            reloading.check((yield Call(RELOAD, content, self._seconds(timeout))))
        except DeadlineExceeded as error:
            raise _hung(error) from error
        finally:
            self._metadata.clear()

    def _explained(self, error: NotServed, spec: wire.ModelSpec, timeout: float | None) -> Steps[NotServed]:
        """The same error with what the model's status, or its signatures, say about it."""
        try:
            if isinstance(error, UnknownSignature):
                number = spec.version.value if spec.HasField("version") else None
                found = yield from self.metadata(spec.name, number, label=spec.version_label or None, timeout=timeout)
                return unknown_signature(spec.signature_name, spec.name, found)
            reason = explaining.by_status(type(error), spec, (yield from self.status(spec.name, timeout=timeout)))
        except NotServed:
            reason = explaining.unknown_model(spec.name)
        except ClientError:
            return error
        explained = reason.kind(f"{self._server} {reason.text}; {reason.kind.remedy}")
        explained.code = error.code
        return explained

    def _seconds(self, timeout: float | None) -> float:
        seconds = self._timeout_s if timeout is None else timeout
        if not 0 < seconds < float("inf"):
            raise SuiteError(f"a question may take some time, but not for ever: a timeout above 0, not {seconds}")
        return seconds


def _hung(error: DeadlineExceeded) -> DeadlineExceeded:
    hung = DeadlineExceeded(
        f"{error}; or, if a base_path or version of the config does not exist, the server waits for it for ever "
        "and takes no other config: put it there, or restart the server"
    )
    hung.code = error.code
    return hung


def signature_of(metadata: Metadata, model: str, name: str) -> Signature:
    """One of a version's signatures; UnknownSignature tells which there are."""
    if name not in metadata.signatures:
        raise unknown_signature(name, model, metadata)
    return metadata.signatures[name]


def unknown_signature(name: str, model: str, metadata: Metadata) -> UnknownSignature:
    """The error with the names that would do."""
    there = ", ".join(metadata.signatures)
    hint = near_miss(name, metadata.signatures)
    hint = f"; {hint}" if hint.startswith("did you mean") else ""
    return UnknownSignature(f"version {metadata.version} of {model} has no signature {name!r}, only {there}{hint}")


def read_prediction(content: bytes, asked: wire.ModelSpec) -> Prediction:
    """The arrays of a serialised PredictResponse; BadAnswer when it is none, or another version's than was asked."""
    try:
        answer = answers.read_predict_response(content)
    except ValueError as error:
        raise BadAnswer(f"the answer of {asked.name} cannot be read: {error}") from error
    version = answer.spec.version.value
    if asked.HasField("version") and version != asked.version.value:
        raise BadAnswer(f"asked version {asked.version.value} of {asked.name}, but version {version} answered")
    return Prediction(answer.outputs, version)
