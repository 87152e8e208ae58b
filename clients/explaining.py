"""Why something is not served now, as far as the server's own account of its versions tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from clients import errors
from clients.errors import NotServed
from clients.spec import Metadata, VersionState
from clients.wire import serving_pb2 as wire
from model_config.errors import near_miss

_COMING = {"START", "LOADING"}


class Reason(NamedTuple):
    """Which error it is, and what to say."""

    kind: type[NotServed]
    text: str


def by_status(kind: type[NotServed], spec: wire.ModelSpec, states: Sequence[VersionState]) -> Reason:
    """What the states of the model's versions say about a refusal of some kind."""
    told = f"it has: {', '.join(map(str, states))}"
    if kind is errors.UnknownLabel:
        return Reason(kind, f"has no version of {spec.name} with the label {spec.version_label!r}; {told}")
    if spec.HasField("version"):
        return _of_version(spec, states, told)
    return _of_latest(spec.name, states, told)


def unknown_signature(metadata: Metadata, spec: wire.ModelSpec) -> errors.UnknownSignature:
    """The version has none of that name; which would do."""
    there, name = ", ".join(metadata.signatures), spec.signature_name
    hint = near_miss(name, metadata.signatures)
    hint = hint if hint.startswith("did you mean") else errors.UnknownSignature.remedy
    return errors.UnknownSignature(
        f"version {metadata.version} of {spec.name} has no signature {name!r}, only {there}; {hint}"
    )


def unknown_model(model: str) -> Reason:
    """It does not know the model at all."""
    return Reason(errors.UnknownModel, f"serves no model called {model!r}")


def _of_version(spec: wire.ModelSpec, states: Sequence[VersionState], told: str) -> Reason:
    wanted = spec.version.value
    state = next((state for state in states if state.version == wanted), None)
    if state is None:
        return Reason(errors.UnknownVersion, f"does not serve version {wanted} of {spec.name}; {told}")
    return _of_state(f"version {wanted} of {spec.name}", state)


def _of_latest(model: str, states: Sequence[VersionState], told: str) -> Reason:
    """Without a version any would do, so the one that is nearest to answering decides."""
    for state in reversed(states):
        if state.state in {"AVAILABLE", *_COMING}:
            return _of_state(f"version {state.version} of {model}", state)
    if any(state.error for state in states):
        return Reason(errors.LoadFailed, f"could not load any version of {model}; {told}")
    return Reason(errors.Unloaded, f"has unloaded every version of {model}; {told}")


def _of_state(what: str, state: VersionState) -> Reason:
    if state.state in _COMING:
        return Reason(errors.StillLoading, f"is still loading {what}")
    if state.state == "AVAILABLE":
        return Reason(errors.StillLoading, f"has only just loaded {what}: ask again")
    if state.error:
        return Reason(errors.LoadFailed, f"could not load {what}: {state.error}")
    return Reason(errors.Unloaded, f"has unloaded {what}")
