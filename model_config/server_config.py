"""The model config that tells TensorFlow Serving which versions to serve, as protobuf text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from google.protobuf import text_format

from model_config import base_path, files
from model_config import server_messages_pb2 as messages
from model_config.errors import SuiteError

FILE = "models.config"
STABLE = "stable"
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

    def below(self, repository: str) -> Served:
        """The same where the server sees the repository elsewhere, as a container does."""
        return replace(self, base_path=f"{repository.rstrip('/')}/{Path(self.base_path).name}")

    def apart(self) -> list[Served]:
        """Each version under a name of its own, ``NAME_v5``: loaded, failing and measured for itself."""
        return [Served(f"{self.name}_v{number}", self.base_path, (number,)) for number in self.versions]


def choose(repository: Path, model: str, versions: Sequence[int], labels: Mapping[str, int]) -> Served:
    """Serve these versions of a model, under their usual labels and the given ones.

    Raises:
        UnknownName: a version is not built.
        SuiteError: a version's folder is not whole.
    """
    found = [base_path.require(repository, model, number) for number in versions]
    for version in found:
        base_path.require_whole(version)
    return Served(model, str(repository.resolve() / model), tuple(versions), {**usual_labels(found), **labels})


def usual_labels(versions: Sequence[base_path.Version]) -> dict[str, int]:
    """Names for versions: the recipe's, the number itself, and ``stable`` for the one that is named first.

    A number as a label lets programs that only know labels, such as perf_analyzer, address a version.
    """
    labels = {STABLE: versions[0].number} if versions else {}
    for version in versions:
        labels.setdefault(str(version.number), version.number)
        if version.manifest:
            labels.setdefault(version.manifest.recipe, version.number)
    return labels


def instead(models: Iterable[Served], chosen: Sequence[Served]) -> list[Served]:
    """The whole list with ``chosen`` in the place of whatever was served from the same base paths or by their names."""
    bases, names = {each.base_path for each in chosen}, {each.name for each in chosen}
    return [each for each in models if each.base_path not in bases and each.name not in names] + list(chosen)


def message(models: Iterable[Served]) -> messages.ModelServerConfig:
    """The ModelServerConfig, one ``config`` a model."""
    whole = messages.ModelServerConfig()
    whole.model_config_list.SetInParent()
    for served in models:
        config = whole.model_config_list.config.add(
            name=served.name, base_path=served.base_path, model_platform="tensorflow", version_labels=served.labels
        )
        config.model_version_policy.specific.versions.extend(served.versions)
    return whole


def render(models: Iterable[Served]) -> str:
    """The same as text."""
    return text_format.MessageToString(message(models))


def parse(text: str, where: str) -> list[Served]:
    """Read what ``render`` wrote; SuiteError says what is wrong ``where``."""
    try:
        whole = text_format.Parse(text, messages.ModelServerConfig())
    except text_format.ParseError as error:
        raise SuiteError(
            f"{where} is no model config ({error}); write it anew with: python -m model_config use"
        ) from error
    return [_served(config, where) for config in whole.model_config_list.config]


def _served(config: messages.ModelConfig, where: str) -> Served:
    versions = tuple(config.model_version_policy.specific.versions)
    if not versions:
        raise SuiteError(
            f"{where} names no versions of {config.name}; choose them with: python -m model_config use {config.name}"
        )
    return Served(config.name, config.base_path, versions, dict(config.version_labels))


def read(path: Path) -> list[Served]:
    """The models of a config file; none where there is no file."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path} is not text; write it anew with: python -m model_config use") from error


def write(models: Sequence[Served], folder: Path) -> Path:
    """Put the config into a folder in one rename: a server that polls it never reads half of it."""
    with writing(models, folder):
        return folder / FILE


def writing(models: Sequence[Served], folder: Path) -> AbstractContextManager[None]:
    """The same at the end of the block, with room for it made sure of before; not at all if the block fails."""
    return files.replacing(folder, {FILE: render(models).encode()})


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
