"""Ask a servable and the model it was made from the same, in a process that has loaded nothing before.

As a program, ``python -m converters.checking.verify SERVABLE SOURCE REQUESTS`` prints the answers as JSON.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf
from pydantic import TypeAdapter
from tensorflow.core.protobuf.config_pb2 import CallableOptions

from converters import graphs, sessions
from converters.checking import differences, warm_up
from converters.tensorrt.process import NO_FALLBACK
from model_config.errors import BadSource, BuildError
from model_config.manifest import OutputCheck


@dataclass(frozen=True)
class Answer:
    """How a servable answered one request.

    Attributes:
        outputs: empty where one of the two refused.
        refusal: what the source model said if it refused, and then nothing is held against the servable.
        faults: why it must not be published.
    """

    outputs: Mapping[str, OutputCheck] = field(default_factory=dict)
    refusal: str = ""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Told:
    """What the program prints: the answers, or why there are none."""

    answers: tuple[Answer, ...] = ()
    error: str = ""


_TOLD = TypeAdapter(_Told)


def ask(servable: Path, source: Path, requests: Path) -> tuple[Answer, ...]:
    """Put every request of a warm-up file to both.

    Raises:
        BadSource: one of them cannot be loaded.
    """
    calls = list(warm_up.read(requests))
    # the servable first: nothing that the source brings into the process may help it to load
    got = _answers(servable, calls)
    gc.collect()  # a session and its graph hold each other, and the memory of both
    wanted = _answers(source, calls)
    return tuple(_judged(*pair) for pair in zip(got, wanted))


def ask_in_fresh_process(servable: Path, source: Path, requests: Path) -> tuple[Answer, ...]:
    """The same by the program; BuildError when the servable does not load or takes the process down with it."""
    command = [sys.executable, "-m", __name__, str(servable), str(source), str(requests)]
    read_end, write_end = os.pipe()  # ends with this process, and so tells the other one to
    try:
        done = subprocess.run(
            command, stdin=read_end, capture_output=True, check=False, env={**os.environ, **NO_FALLBACK}
        )
    finally:
        os.close(read_end)
        os.close(write_end)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise BuildError(
            f"the fresh process that loaded the servable ended with {done.returncode} ({words[-1]}); "
            "nothing was published"
        )
    told = _TOLD.validate_json(done.stdout.splitlines()[-1])
    if told.error:
        raise BuildError(f"the servable does not load in a fresh process, nothing was published: {told.error}")
    return told.answers


def _answers(folder: Path, calls: Sequence[tuple[str, warm_up.Arrays]]) -> list[warm_up.Arrays | str]:
    # copies, as a part of a message keeps all of it in memory
    signatures = {name: deepcopy(each) for name, each in graphs.meta_graph(folder, outline=True).signature_def.items()}
    with sessions.session(folder) as session:
        # prepared once for all batch sizes, as only then TensorFlow optimizes the graph, which can take seconds
        prepared = {name: _prepared(session, signatures[name]) for name in dict(calls)}
        return [_answer(prepared[name], signatures[name], inputs) for name, inputs in calls]


def _prepared(session: Any, signature: Any) -> Callable[..., Any] | str:
    """A call of the signature, or the words in which TensorFlow refuses to make one."""
    feed, fetch = ([info.name for info in side.values()] for side in (signature.inputs, signature.outputs))
    try:
        # what the public ways to call raise is not what a server would say
        call: Callable[..., Any] = session._make_callable_from_options(CallableOptions(feed=feed, fetch=fetch))
    except tf.errors.OpError as error:
        return _words(error)
    return call


def _answer(call: Callable[..., Any] | str, signature: Any, inputs: warm_up.Arrays) -> warm_up.Arrays | str:
    """What the signature gives, or the words it refuses with."""
    if isinstance(call, str):
        return call
    try:
        arrays = call(*(inputs[name] for name in signature.inputs))
    except tf.errors.OpError as error:
        return _words(error)
    return dict(zip(signature.outputs, arrays))


def _words(error: tf.errors.OpError) -> str:
    return str(error.message).partition("\n")[0]


def _judged(got: warm_up.Arrays | str, wanted: warm_up.Arrays | str) -> Answer:
    if isinstance(wanted, str):
        return Answer(refusal=wanted)
    if isinstance(got, str):
        return Answer(faults=(f"it refuses what the source model answers ({got})",))
    return Answer(differences.compare(got, wanted), faults=tuple(differences.faults(got, wanted)))


def main(servable: str, source: str, requests: str) -> None:
    """Print what the two answered."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        told = _Told(ask(Path(servable), Path(source), Path(requests)))
    except BadSource as error:
        told = _Told(error=str(error))
    print(_TOLD.dump_json(told).decode())


def _end_with_parent() -> None:
    os.read(0, 1)  # not by sys.stdin, whose lock would hold up the end of this process
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
