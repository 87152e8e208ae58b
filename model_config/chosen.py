"""Which versions a command is about: those that it names, or those that ``use`` has chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from model_config import server_config
from model_config.errors import SuiteError
from model_config.server_config import Served


def models(
    repository: Path, model: str | None, versions: Sequence[int], labels: Mapping[str, int], apart: bool
) -> tuple[Served, ...]:
    """What is to be served, by the base paths of this machine; SuiteError when nothing is chosen."""
    if model is None:
        return _by_config(repository, versions, labels, apart)
    if not versions:
        raise SuiteError(f"name the versions of {model} to serve, such as --version 1")
    served = server_config.choose(repository, model, versions, labels)
    return tuple(served.apart()) if apart else (served,)


def _by_config(repository: Path, versions: Sequence[int], labels: Mapping[str, int], apart: bool) -> tuple[Served, ...]:
    if versions or labels or apart:
        raise SuiteError("name the model that the versions are of with --model")
    found = [served.below(str(repository.resolve())) for served in server_config.read(repository / server_config.FILE)]
    if not found:
        raise SuiteError(
            "name what to serve with --model and --version, or choose it before with: python -m model_config use"
        )
    for served in found:
        server_config.choose(repository, Path(served.base_path).name, served.versions, {})
    return tuple(found)


def split(served: Sequence[Served]) -> list[tuple[Served, ...]]:
    """One version each, under the model's own name, for servers that serve one version."""
    each = [(one, number) for one in served for number in one.versions]
    return [(Served(one.name, one.base_path, (number,), _labels_of(one, number)),) for one, number in each]


def _labels_of(served: Served, number: int) -> dict[str, int]:
    return {label: version for label, version in served.labels.items() if version == number}
