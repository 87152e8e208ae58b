"""The formats by name: each knows its files, and turns them into a SavedModel folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_config.errors import UnknownName, near_miss

if TYPE_CHECKING:
    from converters.sources.source import Source


@dataclass(frozen=True)
class Contents:
    """What a source holds, read without running it.

    Attributes:
        signatures: TensorFlow's SignatureDefs by name; none where only candidates can be told.
        variables: type and number of elements of every variable; constants stand in the graph.
    """

    graph_def: Any
    signatures: Mapping[str, Any] = field(default_factory=dict)
    variables: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Format:
    """One kind of model file.

    Attributes:
        detect: whether a path is of this format, as far as its name and first bytes show.
        files: every file the model is made of, with the name it is hashed under.
        load: write the model as a SavedModel folder, which does not exist yet.
        look: what is in it.
        takes: the choices (attributes of ``Source``) that mean something to it.
    """

    name: str
    line: str
    detect: Callable[[Path], bool]
    files: Callable[[Path], Iterable[tuple[str, Path]]]
    load: Callable[[Source, Path], None]
    look: Callable[[Source], Contents]
    takes: frozenset[str]


_FORMATS: dict[str, Format] = {}


def register(format_: Format) -> Format:
    """Make a format known by its name."""
    if format_.name in _FORMATS:
        raise ValueError(f"two source formats are called {format_.name!r}")
    _FORMATS[format_.name] = format_
    return format_


def find(name: str) -> Format:
    """The format called ``name``; UnknownName with the near misses when there is none."""
    known = formats()
    if name not in known:
        raise UnknownName(f"no source format is called {name!r}; {near_miss(name, known)}")
    return known[name]


def detect(path: Path) -> str | None:
    """The name of the format a path is of; None when it is of none."""
    return next((each.name for each in formats().values() if each.detect(path)), None)


def formats() -> dict[str, Format]:
    """All formats by name."""
    import converters.sources  # noqa: F401 - they register themselves

    return dict(sorted(_FORMATS.items()))


def one_file(path: Path) -> Iterable[tuple[str, Path]]:
    """The files of a format whose models are one file each."""
    return [(path.name, path)]
