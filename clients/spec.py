"""Which model, version and signature is meant, as the message says it, and what the server tells about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from clients.wire import serving_pb2 as wire
from clients.wire import tensors
from model_config.errors import SuiteError
from model_config.signatures import Signature, Tensor

DEFAULT_SIGNATURE: Final = "serving_default"


@dataclass(frozen=True)
class VersionState:
    """How a version is doing: START, LOADING, AVAILABLE, UNLOADING or END, and why it failed if it did."""

    version: int
    state: str
    error: str = ""

    def __str__(self) -> str:
        return f"{self.version} {self.state}{f' ({self.error})' if self.error else ''}"


@dataclass(frozen=True)
class Metadata:
    """What a version takes and gives, by signature name; batch sizes where its manifest can be seen."""

    version: int
    signatures: Mapping[str, Signature]
    batch_sizes: tuple[int, ...] = ()


def spec_of(model: str, version: int | None = None, label: str | None = None, signature: str = "") -> wire.ModelSpec:
    """The message that names a version, by number or label; the latest without either."""
    spec = wire.ModelSpec(name=model, signature_name=signature)
    if version is not None and label is not None:
        raise SuiteError(f"name the version ({version}) or its label ({label}), not both")
    if version is not None:
        spec.version.value = version
    if label is not None:
        spec.version_label = label
    return spec


# numpy's names, which are TensorFlow's too; strings are objects in numpy
_TYPE_NAMES: Final = MappingProxyType(
    {number: "string" if kind is tensors.STRING else kind.dtype.name for number, kind in tensors.BY_NUMBER.items()}
)


def plain_signature(signature: wire.SignatureDef) -> Signature:
    """A signature's message as a value."""
    inputs, outputs = (
        {n: _tensor(info) for n, info in sorted(side.items())} for side in (signature.inputs, signature.outputs)
    )
    return Signature(method_name=signature.method_name, inputs=inputs, outputs=outputs)


def _tensor(info: wire.TensorInfo) -> Tensor:
    sizes = tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
    dtype = _TYPE_NAMES.get(info.dtype, wire.DataType.Name(info.dtype))
    return Tensor(dtype=dtype, shape=None if info.tensor_shape.unknown_rank else sizes)
