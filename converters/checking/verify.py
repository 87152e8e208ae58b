"""Ask a servable and the model it was made from the same, and judge how the one stands for the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from converters import sessions
from converters.checking import asking, differences, fresh
from converters.checking.asking import Reply
from model_config.errors import BuildError, SuiteError
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


def ask(servable: Path, source: Path, requests: Path) -> tuple[Answer, ...]:
    """Put every request of a warm-up file to both.

    Raises:
        BadSource: one of them cannot be loaded.
    """
    # the servable first: nothing that the source brings into the process may help it to load
    got = asking.replies(servable, requests)
    sessions.forget(servable)
    return _judged(got, asking.replies(source, requests))


def ask_in_fresh_process(servable: Path, source: Path, requests: Path) -> tuple[Answer, ...]:
    """The same, each in a process of its own; BuildError when one does not load or takes its process down."""
    got = _replies("the servable", servable, requests)
    return _judged(got, _replies("the source model", source, requests))


def _replies(which: str, folder: Path, requests: Path) -> list[Reply]:
    try:
        return fresh.replies(folder, requests)
    except SuiteError as error:
        raise BuildError(f"{which} does not load in a fresh process, nothing was published: {error}") from error


def _judged(got: Sequence[Reply], wanted: Sequence[Reply]) -> tuple[Answer, ...]:
    return tuple(_answer(*pair) for pair in zip(got, wanted))


def _answer(got: Reply, wanted: Reply) -> Answer:
    if isinstance(wanted, str):
        return Answer(refusal=wanted)
    if isinstance(got, str):
        return Answer(faults=(f"it refuses what the source model answers ({got})",))
    return Answer(differences.compare(got, wanted), faults=tuple(differences.faults(got, wanted)))
