"""The model config that tells TensorFlow Serving which versions to serve, as protobuf text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model_config import base_path
from model_config.errors import SuiteError

FILE = "models.config"
# how long the server holds a request back for others to join it: little against what most models take to answer
BATCH_TIMEOUT_US = 1000


@dataclass(frozen=True)
class Served:
    """Some versions of one model, under the name that clients use.

    Attributes:
        base_path: absolute, as the server sees it (in a container: below /models).
        versions: exactly these are served, whatever else is on disk.
        labels: names for versions, such as ``stable``.
    """

    name: str
    base_path: str
    versions: tuple[int, ...]
    labels: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.base_path.startswith("/"):
            raise SuiteError(f"the base path of {self.name} must be absolute, not {self.base_path!r}")
        if not self.versions or len(set(self.versions)) != len(self.versions):
            raise SuiteError(f"{self.name}: name at least one version to serve, and none twice")
        for label, version in self.labels.items():
            if version not in self.versions:
                served = ", ".join(map(str, self.versions))
                raise SuiteError(f"label {label} points at version {version} of {self.name}, but served are {served}")


def choose(repository: Path, model: str, versions: Sequence[int], labels: Mapping[str, int]) -> Served:
    """Serve these versions of a model; UnknownName when one is not built."""
    for number in versions:
        base_path.require(repository, model, number)
    return Served(model, str((repository / model).resolve()), tuple(versions), labels)


def render(models: Sequence[Served]) -> str:
    """The ModelServerConfig as text, one ``config`` a model."""
    return "model_config_list {\n" + "".join(map(_config, models)) + "}\n"


def write(models: Sequence[Served], repository: Path) -> Path:
    """Put the config beside the base paths in one rename: a server that polls it never reads half of it."""
    final, draft = repository / FILE, repository / f".{FILE}.draft"
    draft.write_text(render(models), encoding="utf-8")
    draft.replace(final)
    return final


def batching_parameters(batch_sizes: Sequence[int]) -> str:
    """BatchingParameters as text: requests are put together to batches of exactly these sizes.

    The server fills a batch that is smaller up to the next of them, so a version is only ever asked what it
    was warmed up with. How many threads and how long a queue depends on the machine: left to the server.
    """
    allowed = sorted(set(batch_sizes))
    if not allowed or allowed[0] < 1:
        raise SuiteError(f"batches need sizes of at least 1, not {list(batch_sizes)}; name them as batch_sizes")
    lines = [
        f"max_batch_size {{ value: {allowed[-1]} }}",
        f"batch_timeout_micros {{ value: {BATCH_TIMEOUT_US} }}",
        *(f"allowed_batch_sizes: {size}" for size in allowed),
    ]
    return "".join(f"{line}\n" for line in lines)


def _config(served: Served) -> str:
    lines = [
        f"name: {_quoted(served.name)}",
        f"base_path: {_quoted(served.base_path)}",
        'model_platform: "tensorflow"',
        "model_version_policy {",
        "  specific {",
        *(f"    versions: {number}" for number in served.versions),
        "  }",
        "}",
        *(f"version_labels {{ key: {_quoted(label)} value: {number} }}" for label, number in served.labels.items()),
    ]
    return "  config {\n" + "".join(f"    {line}\n" for line in lines) + "  }\n"


def _quoted(text: str) -> str:
    """A protobuf text-format string: everything but plain ASCII as octal bytes."""
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in text.encode())
    return '"' + "".join(plain) + '"'
