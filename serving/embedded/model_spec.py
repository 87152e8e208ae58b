"""Which version of which model a request means, as a plain value."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from tensorflow_serving.apis import model_pb2

from serving.embedded import refusals

DEFAULT_SIGNATURE = "serving_default"


class Spec(NamedTuple):
    """A ModelSpec.

    Attributes:
        version: the largest that is available when None.
        label: names a version instead when not None.
    """

    name: str
    version: int | None
    label: str | None
    signature: str


@lru_cache(maxsize=4096)
def read_spec(raw: bytes | None) -> Spec:
    """A ModelSpec from its bytes; None when the request has none.

    Requests say the same again and again, so what was read is remembered.

    Raises:
        Refusal: it names no model.
        DecodeError: the bytes are no ModelSpec.
    """
    return of(model_pb2.ModelSpec.FromString(raw or b""), raw is not None)


def of(spec: Any, present: bool) -> Spec:
    """The same from the message."""
    if not present:
        raise refusals.invalid("Missing ModelSpec")
    if not spec.name:
        raise refusals.invalid("ModelSpec has no name specified.")
    kind = spec.WhichOneof("version_choice")
    version = int(spec.version.value) if kind == "version" else None
    label = spec.version_label if kind == "version_label" else None
    return Spec(spec.name, version, label, spec.signature_name or DEFAULT_SIGNATURE)
