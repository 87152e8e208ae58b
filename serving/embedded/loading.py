"""How a version comes from the disk to answering: loaded, set up for batching, warmed up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import tensorflow as tf

from serving.embedded import batching_parameters, refusals, warm_up
from serving.embedded.batcher import Batcher
from serving.embedded.batching_parameters import Batching
from serving.embedded.metrics import Metrics
from serving.embedded.servable import Servable
from serving.embedded.signature import Sent, Signature

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Loading:
    """What every version of a server is loaded with.

    Attributes:
        batching: None when requests are not put together.
        batching_of_versions: whether a version's own file may say otherwise.
        retries: how often a load is tried again.
        interval_s: between tries.
    """

    metrics: Metrics
    session_config: Any = field(default_factory=tf.compat.v1.ConfigProto)
    tags: tuple[str, ...] = ("serve",)
    batching: Batching | None = None
    batching_of_versions: bool = False
    warm_up: bool = True
    retries: int = 5
    interval_s: float = 60.0

    def load(self, model: str, folder: Path) -> Loaded:
        """A version ready to answer; whatever is wrong with it is raised as a Refusal."""
        status = "fail"
        try:
            loaded = self._load(model, folder)
            status = "success"
            return loaded
        except Exception as error:  # a broken version must not take the others down, whatever is wrong with it
            raise refusals.of_loading(error) from error
        finally:
            self.metrics.load(str(folder), status)

    def _load(self, model: str, folder: Path) -> Loaded:
        parameters = self.batching
        if parameters is not None and self.batching_of_versions:
            parameters = batching_parameters.of_version(folder, parameters)
        start = time.perf_counter()
        servable = Servable(folder, self.session_config, self.tags)
        self.metrics.load_time(str(folder), time.perf_counter() - start)
        batcher = Batcher(parameters, model, self.metrics) if parameters is not None else None
        loaded = Loaded(model, servable, batcher, self.metrics)
        try:
            self._warm_up(loaded, folder)
        except BaseException:
            loaded.close()
            raise
        return loaded

    def _warm_up(self, loaded: Loaded, folder: Path) -> None:
        if not self.warm_up:
            return
        start = time.perf_counter()
        if warm_up.play(loaded, folder):
            self.metrics.warm_up(str(folder), "OK", time.perf_counter() - start)


class Loaded:
    """A version that answers, through its batcher where it has one; to be used in a ``with`` block."""

    def __init__(self, model: str, servable: Servable, batcher: Batcher | None, metrics: Metrics) -> None:
        """Take over both."""
        self.signatures = servable.signatures
        self.signature = servable.signature
        self.signature_protos = servable.signature_protos
        self._model = model
        self._servable = servable
        self._batcher = batcher
        self._metrics = metrics

    def predict(
        self, signature: Signature, inputs: Mapping[str, Sent], wanted: Sequence[str], timeout_s: float | None = None
    ) -> Arrays:
        """Answer the tensors of a request by arrays; ``wanted`` names the outputs, all when it is empty.

        Raises:
            Refusal: the request does not fit the signature, or no batch takes it.
            tf.errors.OpError: the graph itself refused.
        """
        feeds = signature.feeds(inputs)
        outputs = signature.outputs(wanted)
        return dict(zip(outputs, self.run(signature, outputs, feeds, "Predict", timeout_s)))

    def run(
        self, signature: Signature, outputs: tuple[str, ...], feeds: Sequence[Any], api: str, timeout_s: float | None
    ) -> Sequence[Any]:
        """Feed the inputs in their order and fetch the outputs in theirs."""
        start = time.perf_counter()
        if self._batcher is None:
            answer = self._servable.run(signature, outputs, feeds)
        else:
            answer = self._batcher.run(
                (signature.name, outputs),
                lambda joined: self._servable.run(signature, outputs, joined),
                feeds,
                timeout_s,
            )
        self._metrics.runtime(self._model, api, time.perf_counter() - start)
        return answer

    def __enter__(self) -> bool:
        """Begin to use it; False when it is about to go."""
        return self._servable.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop using it."""
        self._servable.__exit__(kind, error, trace)

    def close(self) -> None:
        """Wait for those who use it, then give the memory back."""
        self._servable.close()
        if self._batcher is not None:
            self._batcher.close()
