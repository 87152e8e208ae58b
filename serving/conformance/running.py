"""Cases run in their settings, a server for each; one that a case has broken is started anew."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from model_config.errors import ServeError
from serving.conformance import cases, certificates, models, settings, target
from serving.conformance.asking import ask
from serving.conformance.case import CASES, Bench, Case
from serving.conformance.questions import reload, status
from serving.conformance.waiting import until

assert cases.__all__  # importing them has registered them

EMBEDDED = (sys.executable, "-m", "serving.embedded")
_ALIVE_S = 3.0
_LOAD_S = 60.0
_NOTHING = "model_config_list { }"
# what cases that any server can be asked still count on
_FLAGS = "--allow_version_labels_for_unavailable_models --max_num_load_retries=0"


@dataclass(frozen=True)
class Result:
    """How a case went; ``trouble`` is empty when the server did as the real one does."""

    name: str
    setting: str
    seconds: float
    trouble: str


class Suite:
    """All settings of one run; use it in a ``with`` block.

    Args:
        command: starts the server to test.
        folder: scratch, which the server can read.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        """Make the models; start nothing yet."""
        models.make(folder / "models")
        self._command = command
        self._folder = folder
        self._benches: dict[str, tuple[Bench, ExitStack]] = {}

    def check(self, case: Case) -> None:
        """Run a case; what it raises passes through."""
        bench = self._bench(case.setting)
        try:
            case.check(bench)
        finally:
            if case.may_break and not _is_well(bench):
                self._end(case.setting)

    def _bench(self, setting: str) -> Bench:
        if setting not in self._benches:
            stack = ExitStack()
            bench = stack.enter_context(_opened(self._command, self._folder, setting))
            self._benches[setting] = bench, stack
        return self._benches[setting][0]

    def _end(self, setting: str) -> None:
        _, stack = self._benches.pop(setting)
        stack.close()

    def __enter__(self) -> Suite:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all servers."""
        for setting in list(self._benches):
            self._end(setting)


def results(command: Sequence[str], wanted: Callable[[Case], bool]) -> Iterator[Result]:
    """Run all wanted cases, one after the other, on servers of their own."""
    with tempfile.TemporaryDirectory() as folder, Suite(command, Path(folder)) as suite:
        for case in sorted(filter(wanted, CASES), key=lambda case: list(settings.SETTINGS).index(case.setting)):
            yield _result(case, lambda case=case: suite.check(case))  # type: ignore[misc]


def results_of(server: str, wanted: Callable[[Case], bool]) -> Iterator[Result]:
    """Run the wanted cases that any server can be asked; it serves nothing afterwards.

    Args:
        server: HOST:PORT; it must see this machine's files.
    """
    with tempfile.TemporaryDirectory() as name, grpc.insecure_channel(server) as channel:
        folder = Path(name)
        models.make(folder)
        settings.lay_out(folder)
        (folder / "models.config").write_text(settings.base_config(folder))
        bench = Bench(target.Target(server, folder), channel, ())
        ask(channel, reload(_NOTHING), _LOAD_S)  # a model of the same name and version would stay as it is
        until(lambda: "AVAILABLE" not in ask(channel, status("dense")).text)
        first = ask(channel, reload(settings.base_config(folder)), _LOAD_S)
        if first.code != "OK":
            raise ServeError(f"{server} does not take the models to ask about: {first.text}; start it with {_FLAGS}")
        for case in CASES:
            if wanted(case) and not case.own:
                yield _result(case, lambda case=case: case.check(bench))  # type: ignore[misc]
        ask(channel, reload(_NOTHING), _LOAD_S)


def _result(case: Case, check: Callable[[], None]) -> Result:
    start, trouble = time.perf_counter(), ""
    try:
        check()
    except Exception as error:  # any defect of the server is a result
        trouble = f"{type(error).__name__}: {error}"
    return Result(case.name, case.setting, time.perf_counter() - start, trouble)


@contextmanager
def _opened(command: Sequence[str], scratch: Path, setting: str) -> Iterator[Bench]:
    """A server in a setting over models of its own."""
    with tempfile.TemporaryDirectory(dir=scratch, prefix=f"{setting}-") as name:
        folder = Path(name)
        shutil.copytree(scratch / "models", folder, dirs_exist_ok=True)
        flags = settings.SETTINGS[setting](folder)
        with target.started(command, flags, folder, folder / "server.log") as found, _channel(found) as channel:
            yield Bench(found, channel, command)


def _channel(found: target.Target) -> grpc.Channel:
    options = [("grpc.max_receive_message_length", -1)]
    if (found.folder / "ca.crt").exists():
        known = certificates.credentials(found.folder, with_client=True)
        return grpc.secure_channel(found.server, known, options)
    return grpc.insecure_channel(found.server, options)


def _is_well(bench: Bench) -> bool:
    """Whether the server still takes a config, where its setting lets it; a dead one does not even answer."""
    config = (bench.target.folder / "models.config").read_text()
    return all(ask(bench.channel, each, _ALIVE_S).code == "OK" for each in (status("dense"), reload(config)))
