"""One model of a server: its versions on their way from the disk to answering and back."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tensorflow_serving.apis import get_model_status_pb2

from serving.embedded.loading import Loaded, Loading
from serving.embedded.refusals import Refusal
from serving.embedded.say import say

State = get_model_status_pb2.ModelVersionStatus.State


@dataclass
class Entry:
    """One version; only its model's thread changes it.

    Attributes:
        refusal: why it could not be loaded.
        loaded: what answers, while there is something.
    """

    number: int
    folder: Path
    state: int = State.START
    refusal: Refusal | None = None
    loaded: Loaded | None = None

    @property
    def is_final(self) -> bool:
        """Whether it ended, and will not come again by itself."""
        return bool(self.state == State.END)


class Model:
    """Brings a model to the versions that are wanted, in a thread that lives while there is something to do.

    The largest wanted version is loaded first, and what is not wanted any more goes when a wanted one answers:
    nobody finds the model without a version while one version follows another.

    Attributes:
        entries: every version there has been, by number.
        ready: those that answer; a new mapping with every change, so that it can be read without a lock.
    """

    def __init__(self, name: str, loading: Loading) -> None:
        """Nothing is wanted yet."""
        self.name = name
        self.entries: dict[int, Entry] = {}
        self.ready: Mapping[int, Entry] = {}
        self.latest: Entry | None = None
        self._loading = loading
        self._wanted: Mapping[int, Path] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def want(self, folders: Mapping[int, Path]) -> None:
        """Serve exactly these versions, as soon as they can be."""
        with self._changed:
            if folders.keys() != self._wanted.keys():
                self._set_wanted(folders)

    def _set_wanted(self, folders: Mapping[int, Path]) -> None:
        for number in folders.keys() - self._wanted.keys():
            if number not in self.entries or self.entries[number].is_final:
                self.entries[number] = Entry(number, folders[number])
        self._wanted = dict(folders)
        self._changed.notify_all()
        if self._thread is None and self._next_step():
            self._thread = threading.Thread(target=self._work, name=f"model {self.name}", daemon=True)
            self._thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until a version answers or every wanted one has failed; False when that is not so in time."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self.ready) or not self._pending(), timeout_s)

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until there is nothing left to do; False when that is not so in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, timeout_s)

    @property
    def failures(self) -> list[Entry]:
        """The wanted versions that could not be loaded, ascending."""
        return [self.entries[number] for number in sorted(self._wanted) if self.entries[number].refusal]

    def _pending(self) -> list[int]:
        return [number for number in self._wanted if not self.entries[number].is_final]

    def _work(self) -> None:
        while True:
            with self._changed:
                step = self._next_step()
                if step is None:
                    self._thread = None
                    self._changed.notify_all()
                    return
            step()

    def _next_step(self) -> Callable[[], None] | None:
        unwanted = sorted(self.ready.keys() - self._wanted.keys())
        if unwanted and (not self._wanted or self.ready.keys() & self._wanted.keys()):
            return partial(self._unload, self.entries[unwanted[0]])
        waiting = [number for number in self._pending() if number not in self.ready]
        return partial(self._load, self.entries[max(waiting)]) if waiting else None

    def _load(self, entry: Entry) -> None:
        self._set(entry, State.LOADING)
        for left in reversed(range(self._loading.retries + 1)):
            try:
                entry.loaded = self._loading.load(self.name, entry.folder)
                break
            except Refusal as refusal:
                entry.refusal = refusal
                say(f"version {entry.number} of {self.name} cannot be loaded: {refusal.sentence}")
                if not left or not self._is_still_wanted_after(entry, self._loading.interval_s):
                    self._set(entry, State.END)
                    return
        entry.refusal = None
        self._set(entry, State.AVAILABLE)
        say(f"version {entry.number} of {self.name} is available")

    def _is_still_wanted_after(self, entry: Entry, seconds: float) -> bool:
        with self._changed:
            return not self._changed.wait_for(lambda: entry.number not in self._wanted, seconds)

    def _unload(self, entry: Entry) -> None:
        self._set(entry, State.UNLOADING)
        loaded, entry.loaded = entry.loaded, None
        assert loaded is not None
        loaded.close()
        del loaded
        gc.collect()  # TensorFlow's graphs are cycles
        self._set(entry, State.END)
        say(f"version {entry.number} of {self.name} is unloaded")
        with self._changed:
            if entry.number in self._wanted:  # wanted again while it went
                self.entries[entry.number] = Entry(entry.number, self._wanted[entry.number])

    def _set(self, entry: Entry, state: int) -> None:
        with self._changed:
            entry.state = state
            self.ready = {n: each for n, each in self.entries.items() if each.state == State.AVAILABLE}
            self.latest = self.ready[max(self.ready)] if self.ready else None
            self._changed.notify_all()
