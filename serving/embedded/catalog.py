"""The models that are served: which versions the config wants, what state each is in, which one answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.config import model_server_config_pb2

from model_config import base_path
from model_config.errors import ServeError
from serving.embedded import refusals
from serving.embedded.servable import Servable

State = get_model_status_pb2.ModelVersionStatus.State
_UNKNOWN = 2  # the code of an error that brings none of its own


@dataclass
class Entry:
    """One version on its way from the disk to answering; only the loading thread changes it."""

    number: int
    folder: Path
    state: int = State.START
    error_code: int = 0
    error_message: str = ""
    servable: Servable | None = None


@dataclass(frozen=True)
class Served:
    """One model of the config with its wanted versions by number."""

    name: str
    labels: dict[str, int]
    entries: dict[int, Entry]
    started: threading.Event = field(default_factory=threading.Event)

    @property
    def failures(self) -> list[Entry]:
        """The versions that could not be loaded."""
        return [entry for entry in self.entries.values() if entry.error_code]


class Catalog:
    """All models of one server."""

    def __init__(self, models: list[Served]) -> None:
        """Nothing is loaded yet."""
        self.models = {model.name: model for model in models}

    def load(self, loader: Callable[[Path], Servable]) -> None:
        """Load every wanted version, one after the other; a failure is kept as the version's state."""
        for model in self.models.values():
            for entry in model.entries.values():
                _load(entry, loader)
                if entry.servable:
                    model.started.set()
            model.started.set()

    def find(self, spec: Any) -> tuple[Entry, Servable]:
        """The version a request's ModelSpec means; Refusal in the stock server's words when there is none."""
        if not spec.name:
            raise refusals.invalid("ModelSpec has no name specified.")
        model = self.models.get(spec.name)
        number = self._number(model, spec)
        ready = [e for e in model.entries.values() if e.state == State.AVAILABLE] if model else []
        chosen = [e for e in ready if number in (None, e.number)]
        if not chosen:
            raise refusals.no_servable(spec.name, number)
        latest = max(chosen, key=lambda entry: entry.number)
        assert latest.servable is not None
        return latest, latest.servable

    def _number(self, model: Served | None, spec: Any) -> int | None:
        kind = spec.WhichOneof("version_choice")
        if kind == "version":
            return int(spec.version.value)
        if kind == "version_label":
            if model is None or spec.version_label not in model.labels:
                raise refusals.invalid(f"Unrecognized servable version label: {spec.version_label}")
            return model.labels[spec.version_label]
        return None

    def states(self, spec: Any) -> list[Entry]:
        """The versions GetModelStatus tells of, latest first."""
        model = self.models.get(spec.name)
        if model is None:
            raise refusals.not_found(f"Could not find any versions of model {spec.name}")
        if spec.WhichOneof("version_choice") == "version":
            number = spec.version.value
            if number not in model.entries:
                raise refusals.not_found(f"Could not find version {number} of model {spec.name}")
            return [model.entries[number]]
        return sorted(model.entries.values(), key=lambda entry: -entry.number)

    def close(self) -> None:
        """Unload everything."""
        for model in self.models.values():
            for entry in model.entries.values():
                if entry.servable:
                    entry.servable.close()


def _load(entry: Entry, loader: Callable[[Path], Servable]) -> None:
    entry.state = State.LOADING
    try:
        entry.servable = loader(entry.folder)
        entry.state = State.AVAILABLE
    except Exception as error:  # a broken version must not take the others down, whatever is wrong with it
        entry.error_code = error.error_code if isinstance(error, tf.errors.OpError) else _UNKNOWN
        entry.error_message = error.message if isinstance(error, tf.errors.OpError) else str(error)
        entry.state = State.END


def from_config_file(path: Path) -> Catalog:
    """Read a model config; ServeError says what is wrong with it or with the folders it names."""
    try:
        text = path.read_text(encoding="utf-8")
        config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except OSError as error:
        raise ServeError(f"cannot read the model config {path}: {error.strerror}") from error
    except text_format.ParseError as error:
        raise ServeError(f"{path} is no model config: {error}") from error
    return Catalog([_served(model) for model in config.model_config_list.config])


def of_one_model(name: str, folder: Path) -> Catalog:
    """The latest version of one model, as the stock server serves without a config."""
    model = model_server_config_pb2.ModelConfig(name=name, base_path=str(folder), model_platform="tensorflow")
    return Catalog([_served(model)])


def _served(model: Any) -> Served:
    base = Path(model.base_path)
    if not base.is_absolute():
        raise ServeError(f"Expected model {model.name} to have an absolute path or URI; got base_path()={base}")
    found = base_path.scan(base.parent, base.name)
    entries = {number: Entry(number, found[number].path) for number in _wanted(model, found)}
    return Served(model.name, dict(model.version_labels), entries)


def _wanted(model: Any, found: dict[int, base_path.Version]) -> Iterator[int]:
    """The versions the policy asks for; without one, the largest."""
    policy = model.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    wanted = list(found)[-max(1, policy.latest.num_versions) :]
    if kind == "all":
        wanted = list(found)
    elif kind == "specific":
        wanted = list(policy.specific.versions)
    missing = [number for number in wanted if number not in found]
    if missing or not wanted:
        # here the stock server would wait for ever
        what = f"version {missing[0]}" if missing else "no version at all"
        there = ", ".join(map(str, found)) or "nothing"
        raise ServeError(f"{model.name}: the config wants {what}, but {model.base_path} holds {there}")
    return iter(wanted)
