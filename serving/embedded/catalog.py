"""The models that are served: brought to what a config wants, found for a request, told of in a status."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from serving.embedded import model_configs, refusals, versions
from serving.embedded.loading import Loaded, Loading
from serving.embedded.model import Entry, Model
from serving.embedded.model_spec import Spec
from serving.embedded.refusals import Refusal
from serving.embedded.say import say

_POLL_S = 0.1


class Catalog:
    """All models of one server."""

    def __init__(self, loading: Loading, labels_of_unavailable: bool, stop: threading.Event) -> None:
        """Serve nothing yet.

        Args:
            loading: how versions are loaded.
            labels_of_unavailable: whether a new label may point at a version that does not answer yet.
            stop: nobody waits for a model any longer once this is set.
        """
        self.models: dict[str, Model] = {}
        self._loading = loading
        self._labels_of_unavailable = labels_of_unavailable
        self._labels: Mapping[str, Mapping[str, int]] = {}
        self._configs: Sequence[Any] = ()
        self._changing = threading.Lock()
        self._stop = stop

    def apply(self, config: Any, loads: str = "model") -> None:
        """Serve what a ModelServerConfig says; return when every model has a version that answers.

        What is wrong with a config is found before anything changes; a version that cannot be loaded is found
        after, and what was served in its place goes on.

        Args:
            config: the ModelServerConfig.
            loads: what the stock server calls a model in its complaint, which differs at its start.

        Raises:
            Refusal: the config cannot be served, or a model has no version that can be loaded.
        """
        with self._changing:
            served = {each.name: model_configs.platform(each) for each in self._configs}
            configs = model_configs.models(config, served)
            chosen = {each.name: versions.require(each) for each in configs}
            labels = {each.name: self._allowed_labels(each) for each in configs}
            self._configs, self._labels = configs, labels
            for name in self.models.keys() - chosen.keys():
                self.models[name].want({})
            for name, folders in chosen.items():
                self._model(name).want(folders)
            self._wait([self.models[name] for name in chosen], loads)

    def look_again(self) -> None:
        """Follow the base paths: versions that came or went since are loaded or unloaded."""
        with self._changing:
            for config in self._configs:
                try:
                    found = versions.wanted(config, versions.on_disk(Path(config.base_path)))
                except Refusal as refusal:
                    say(refusal.sentence)
                    continue
                if found:  # where everything went, what is loaded goes on answering
                    self._model(config.name).want(found)

    def _model(self, name: str) -> Model:
        if name not in self.models:
            self.models = {**self.models, name: Model(name, self._loading)}
        return self.models[name]

    def _wait(self, models: Sequence[Model], loads: str) -> None:
        for model in models:
            while not model.wait(_POLL_S):
                if self._stop.is_set():
                    return
        failed = [model for model in models if not model.ready and model.failures]
        if failed:
            raise _unavailable(failed, loads)

    def _allowed_labels(self, config: Any) -> Mapping[str, int]:
        labels = dict(config.version_labels)
        known = self._labels.get(config.name, {})
        model = self.models.get(config.name)
        for label, number in labels.items():
            is_new = known.get(label, number) == number
            if not (self._labels_of_unavailable and is_new) and (model is None or number not in model.ready):
                raise refusals.precondition(
                    f"Request to assign label to version {number} of model {config.name}, "
                    "which is not currently available for inference",
                    "load the version first, or start the server with --allow_version_labels_for_unavailable_models",
                )
        return labels

    def find(self, spec: Spec) -> Entry:
        """The version a request means; Refusal in the stock server's words when there is none."""
        model = self.models.get(spec.name)
        number = spec.version if spec.label is None else self._labelled(spec)
        found = None
        if model is not None:
            found = model.latest if number is None else model.ready.get(number)
        if found is None:
            raise refusals.no_servable(spec.name, number)
        return found

    @contextmanager
    def using(self, spec: Spec) -> Iterator[tuple[int, Loaded]]:
        """The version a request means, by number, and what answers for it; it stays loaded within the block.

        Raises:
            Refusal: there is no such version.
        """
        while True:
            entry = self.find(spec)
            loaded = entry.loaded
            if loaded is None:
                continue  # it goes at this moment; another may have come
            with loaded as usable:
                if usable:
                    yield entry.number, loaded
                    return

    def _labelled(self, spec: Spec) -> int:
        try:
            return self._labels[spec.name][spec.label or ""]
        except KeyError:
            raise refusals.invalid(f"Unrecognized servable version label: {spec.label}") from None

    def states(self, name: str, number: int | None) -> list[Entry]:
        """The versions GetModelStatus tells of, latest first."""
        model = self.models.get(name)
        if model is None or not model.entries:
            raise refusals.not_found(f"Could not find any versions of model {name}")
        if number is None:
            return sorted(model.entries.values(), key=lambda entry: -entry.number)
        if number not in model.entries:
            raise refusals.not_found(f"Could not find version {number} of model {name}")
        return [model.entries[number]]

    def close(self, timeout_s: float) -> bool:
        """Unload everything; False when that takes longer."""
        for model in self.models.values():
            model.want({})
        return all([model.wait_idle(timeout_s) for model in self.models.values()])


def _unavailable(models: Sequence[Model], loads: str) -> Refusal:
    """What the stock server says of models without a version that could be loaded."""
    told = "".join(
        "{"
        + "".join(f"{{name: {model.name} version: {each.number}}} due to error: {_cause(each)}" for each in failures)
        + "}, "
        for model in models
        for failures in [model.failures[-1:]]
    )
    text = f"{len(models)} {loads}(s) did not become available: {{{told}}}"
    return Refusal(grpc.StatusCode.UNKNOWN, text, _remedy(models[0].failures[-1]))


def _remedy(entry: Entry) -> str:
    assert entry.refusal is not None
    return entry.refusal.remedy or "copy the whole version again, or build it again"


def _cause(entry: Entry) -> str:
    assert entry.refusal is not None
    return f"{entry.refusal.code.name}: {entry.refusal.text}"
