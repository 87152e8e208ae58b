"""One loaded version: a session over its SavedModel, and its signatures ready to be called."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.config_pb2 import CallableOptions

from serving.embedded import graph_file, refusals
from serving.embedded.signature import Signature

Run = Callable[..., Sequence["np.ndarray[Any, Any]"]]

_INIT_OP = "__saved_model_init_op"
_QUICK_S = 1e-3
_IN_CALLERS_THREAD = -1


class Servable:
    """A version as the stock server holds it: the graph in a session, fed and fetched by tensor name.

    Use it in a ``with`` block; ``close`` waits until nobody does.

    Attributes:
        signatures: by name.
        signature_protos: TensorFlow's SignatureDefs by name, with the one that initializes.
    """

    def __init__(self, folder: Path, session_config: Any, tags: Sequence[str] = ("serve",)) -> None:
        """Load the SavedModel.

        Raises:
            Refusal: in the stock server's words where its loader has some for it.
        """
        graph_file.require(folder, tags)
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph, config=session_config)
        try:
            with graph.as_default():
                meta = tf.compat.v1.saved_model.load(self._session, list(tags), str(folder))
        except BaseException:
            self._session.close()
            raise
        self.signature_protos = dict(meta.signature_def)
        self.signatures = {k: Signature(k, v) for k, v in self.signature_protos.items() if k != _INIT_OP}
        self._calls: dict[tuple[str, tuple[str, ...]], _Call] = {}
        self._users = 0
        self._closing = False
        self._free = threading.Condition(threading.Lock())

    def signature(self, name: str) -> Signature:
        """A signature by name; Refusal when the model has none such."""
        try:
            return self.signatures[name]
        except KeyError:
            raise refusals.no_signature(name) from None

    def run(
        self, signature: Signature, outputs: tuple[str, ...], feeds: Sequence[np.ndarray[Any, Any]]
    ) -> Sequence[np.ndarray[Any, Any]]:
        """Feed the inputs in their order and fetch the outputs in theirs."""
        key = (signature.name, outputs)
        call = self._calls.get(key)
        if call is None:
            # two callers who come first at once prepare the same twice, and one of the two is kept
            call = self._calls[key] = _Call(self._session, signature.fed(), signature.fetched(outputs))
        return call(feeds)

    def __enter__(self) -> bool:
        """Begin to use it; False when it is about to go, and must not be used."""
        with self._free:
            self._users += 1
            return not self._closing

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop using it."""
        with self._free:
            self._users -= 1
            if self._closing and not self._users:
                self._free.notify_all()

    def close(self) -> None:
        """Wait for those who use it, then give the memory back."""
        with self._free:
            self._closing = True
            self._free.wait_for(lambda: not self._users)
        self._calls.clear()
        self._session.close()


class _Call:
    """The session's prepared call of some tensors.

    What takes less than handing it to TensorFlow's threads would is run in the caller's own thread. Each way of
    calling holds the graph's constants once more, so there is only one of them at a time.
    """

    def __init__(self, session: Any, fed: Sequence[str], fetched: Sequence[str]) -> None:
        self._session = session
        self._options = CallableOptions(feed=fed, fetch=fetched)
        # the public make_callable checks shapes in Python first: slower, and not with the stock server's words
        self._run: Run = session._make_callable_from_options(self._options)
        self._is_quick = False

    def __call__(self, feeds: Sequence[np.ndarray[Any, Any]]) -> Sequence[np.ndarray[Any, Any]]:
        if self._is_quick:
            return self._run(*feeds)
        start = time.perf_counter()
        answer = self._run(*feeds)
        if time.perf_counter() - start < _QUICK_S:
            self._stay_in_callers_thread()
        return answer

    def _stay_in_callers_thread(self) -> None:
        self._is_quick = True
        options = CallableOptions(feed=self._options.feed, fetch=self._options.fetch)
        options.run_options.inter_op_thread_pool = _IN_CALLERS_THREAD
        self._run = self._session._make_callable_from_options(options)
