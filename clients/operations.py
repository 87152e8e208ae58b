"""What a client can ask, written once: each operation yields the calls it needs and is sent what came back.

Whoever runs an operation decides how it waits: by blocking, with ``await``, or with a callback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Optional

from clients import checking, explaining
from clients.calls import Call, Deadline, Steps
from clients.errors import BadRequest, ClientError, DeadlineExceeded, NotServed, UnknownSignature
from clients.reading import Prediction, read_metadata, read_prediction, read_states
from clients.spec import DEFAULT_SIGNATURE, Metadata, VersionState, spec_of
from clients.wire import framing
from clients.wire import serving_pb2 as wire
from model_config.signatures import Signature

if TYPE_CHECKING:
    from model_config.server_messages_pb2 import ModelServerConfig

PREDICT: Final = "PredictionService/Predict"
METADATA: Final = "PredictionService/GetModelMetadata"
STATUS: Final = "ModelService/GetModelStatus"
RELOAD: Final = "ModelService/HandleReloadConfigRequest"

# model, version and label, as a question names them
Which = tuple[str, Optional[int], Optional[str]]


class Operations:
    """Every question to a server."""

    def __init__(self, server: str, timeout_s: float, repository: Path | None = None) -> None:
        """See Connected; ``server`` is what errors call it."""
        self._server = server
        self._timeout_s = timeout_s
        self._repository = repository
        # by model, version and label as they were asked for; what "the latest" means may change
        self._known: dict[Which, Metadata] = {}

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
            timeout: seconds it may take; the client's own when left out.
            cast: convert arrays of another type where numpy calls that safe.

        Raises:
            BadRequest: the inputs do not fit; nothing was sent.
            NotServed: no such model, version, label or signature is served now; the text tells what is.
            ServerUnavailable, ServerBusy, DeadlineExceeded, ServerFailed: as their names say.
        """
        which, deadline = (model, version, label), self._deadline(timeout)
        spec = spec_of(*which, signature)
        metadata, content = yield from self._checked(which, spec, inputs, outputs, cast, deadline)
        answer = yield from self._answered(spec, content, deadline)
        if answer.version != metadata.version:
            self._known.pop(which, None)  # "the latest" is another one now
        return answer

    def _checked(
        self,
        which: Which,
        spec: wire.ModelSpec,
        inputs: Mapping[str, Any],
        outputs: Sequence[str],
        cast: bool,
        deadline: Deadline,
    ) -> Steps[tuple[Metadata, bytes]]:
        """The request, and what it was checked against: if need be afresh, before anything is refused."""
        known = self._known.get(which)
        if known is not None:
            with suppress(BadRequest, UnknownSignature):  # it may be of a version that is no longer meant
                return known, _request(known, spec, inputs, outputs, cast)
        found = yield from self._learnt(which, deadline)
        return found, _request(found, spec, inputs, outputs, cast)

    def ask(self, request: wire.PredictRequest, *, timeout: float | None = None) -> Steps[Prediction]:
        """Send a request made by ``predict_request`` before, unchecked: for those who ask the same again and again."""
        return (yield from self.send(request.model_spec, request.SerializeToString(), timeout=timeout))

    def send(self, spec: wire.ModelSpec, content: bytes, *, timeout: float | None = None) -> Steps[Prediction]:
        """The same with a request that is serialised already; ``spec`` is what it says about the model."""
        return (yield from self._answered(spec, content, self._deadline(timeout)))

    def deliver(self, spec: wire.ModelSpec, content: bytes, *, timeout: float | None = None) -> Steps[bytes]:
        """The same with the answer as it came, for ``read_prediction``."""
        return (yield from self._delivered(spec, content, self._deadline(timeout)))

    def _answered(self, spec: wire.ModelSpec, content: bytes, deadline: Deadline) -> Steps[Prediction]:
        return read_prediction((yield from self._delivered(spec, content, deadline)), spec)

    def _delivered(self, spec: wire.ModelSpec, content: bytes, deadline: Deadline) -> Steps[bytes]:
        try:
            return (yield Call(PREDICT, content, deadline.left_s))
        except NotServed as error:
            raise (yield from self._explained(error, spec, deadline)) from error

    def metadata(
        self, model: str, version: int | None = None, *, label: str | None = None, timeout: float | None = None
    ) -> Steps[Metadata]:
        """Every signature of a version, asked afresh; NotServed when there is no such version."""
        return (yield from self._learnt((model, version, label), self._deadline(timeout)))

    def _learnt(self, which: Which, deadline: Deadline) -> Steps[Metadata]:
        spec = spec_of(*which)
        request = wire.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        try:
            answer = yield Call(METADATA, request.SerializeToString(), deadline.left_s)
        except NotServed as error:
            raise (yield from self._explained(error, spec, deadline)) from error
        found = read_metadata(answer)
        self._known[which] = replace(found, batch_sizes=self._declared_sizes(spec.name, found.version))
        return self._known[which]

    def _declared_sizes(self, model: str, version: int) -> tuple[int, ...]:
        """The batch sizes of a version's manifest, which does not travel: where its folder can be seen from here."""
        if self._repository is None:
            return ()
        from model_config import manifest  # it needs pydantic, which a client starts without

        found = manifest.read(self._repository / model / str(version))
        return found.batch_sizes if found else ()

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
        return (yield from self._states(model, self._deadline(timeout)))

    def _states(self, model: str, deadline: Deadline) -> Steps[list[VersionState]]:
        request = wire.GetModelStatusRequest(model_spec=spec_of(model))
        return read_states((yield Call(STATUS, request.SerializeToString(), deadline.left_s)))

    def reload(self, config: ModelServerConfig | str, *, timeout: float | None = None) -> Steps[None]:
        """Serve what this model config says (a message, or protobuf text), and nothing else.

        Most servers answer when all of it is loaded; to be sure, ask for the status.

        Raises:
            ReloadRefused: the server keeps its config, or was not asked as it could not live with this one.
            LoadFailed: a version could not be loaded; the others are served.
            DeadlineExceeded: still loading, or waiting for a folder that does not come.
        """
        from clients import reloading  # seldom needed, and slow to load

        content = reloading.request(config)
        try:
            reloading.check((yield Call(RELOAD, content, self._deadline(timeout).left_s)))
        except DeadlineExceeded as error:
            raise reloading.hung(error) from error
        finally:
            self._known.clear()

    def _explained(self, error: NotServed, spec: wire.ModelSpec, deadline: Deadline) -> Steps[NotServed]:
        """The same error with what the model's status, or its signatures, say about it."""
        try:
            explained = yield from self._reason(error, spec, deadline)
        except NotServed:
            explained = self._because(explaining.unknown_model(spec.name))
        except ClientError:
            return error
        explained.code = error.code
        return explained

    def _reason(self, error: NotServed, spec: wire.ModelSpec, deadline: Deadline) -> Steps[NotServed]:
        if isinstance(error, UnknownSignature):
            return explaining.unknown_signature((yield from self._learnt(_which(spec), deadline)), spec)
        states = yield from self._states(spec.name, deadline)
        return self._because(explaining.by_status(type(error), spec, states))

    def _because(self, reason: explaining.Reason) -> NotServed:
        return reason.kind(f"{self._server} {reason.text}; {reason.kind.remedy}")

    def _deadline(self, timeout: float | None) -> Deadline:
        return Deadline(self._timeout_s if timeout is None else timeout)


def _which(spec: wire.ModelSpec) -> Which:
    return spec.name, spec.version.value if spec.HasField("version") else None, spec.version_label or None


def _request(
    metadata: Metadata, spec: wire.ModelSpec, inputs: Mapping[str, Any], outputs: Sequence[str], cast: bool
) -> bytes:
    """A serialised request that fits the signature; BadRequest or UnknownSignature when it does not."""
    if spec.signature_name not in metadata.signatures:
        raise explaining.unknown_signature(metadata, spec)
    signature = metadata.signatures[spec.signature_name]
    arrays = checking.fitted(inputs, signature, cast=cast, batch_sizes=metadata.batch_sizes)
    checking.check_outputs(outputs, signature)
    return framing.predict_request(spec, arrays, outputs)


def signature_of(metadata: Metadata, model: str, name: str) -> Signature:
    """One of a version's signatures; UnknownSignature tells which there are."""
    if name not in metadata.signatures:
        raise explaining.unknown_signature(metadata, spec_of(model, signature=name))
    return metadata.signatures[name]
