"""A model that was found: its format, what the user chose of it, and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from converters import graphs
from converters.sources import registry, signature_choice
from model_config.errors import BadSource, near_miss
from model_config.models import Model


@dataclass(frozen=True)
class Source:
    """A model that was found and can be read.

    Attributes:
        inputs: the tensors to feed; only a bare graph needs them said.
        outputs: the tensors to fetch; likewise.
        set: tensors of a bare graph that become constants, with their values.
        tags: which graph of a SavedModel, where it is not the one servers load.
        signature: which signature is converted, where it is not the usual one.
        allow_lambda: run the Python code inside a Keras file.
        custom_objects: a Python file with the layers that a Keras file names and Keras does not have.
    """

    path: Path
    format: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    set: tuple[tuple[str, Any], ...] = ()
    tags: tuple[str, ...] = ()
    signature: str | None = None
    allow_lambda: bool = False
    custom_objects: Path | None = None

    def sha256(self) -> str:
        """A hash over every byte of the model, the names of its files, and the code the user adds.

        Raises:
            BadSource: a file of it cannot be read.
        """
        added = [] if self.custom_objects is None else [("custom objects", self.custom_objects)]
        with _reading(self):
            return _hash([*registry.find(self.format).files(self.path), *added])

    @property
    def choices(self) -> str:
        """Everything beside the model's own bytes that decides what is made of it."""
        return json.dumps([getattr(self, name) for name in ("format", *_CHOICES)], default=str)

    def load(self, target: Path, *, whole: bool = True) -> None:
        """Write the model as a SavedModel folder; BadSource says what is wrong with it.

        Args:
            target: the folder, which does not exist yet.
            whole: with every graph and signature that came; otherwise only with those that passes convert.
        """
        registry.find(self.format).load(self, target)
        if not whole:
            signature_choice.narrow(target, self.signature)


_CHOICES: Final = tuple(field.name for field in fields(Source) if field.name not in ("path", "format"))


def locate(model: Model) -> Source:
    """Find the model's source and its format; BadSource when there is none that can be read."""
    path = model.source
    if path is None:
        raise BadSource(f"no source is known for {model.name}; name it with --source, or in models.yaml")
    detected = registry.detect(path)
    if detected is None and not path.exists():
        hint = f"get it with: make fetch MODEL={model.name}" if model.fetch else _nearby(path)
        raise BadSource(f"the source {path} does not exist; {hint}")
    # what no format knows is refused by the likeliest one, which says what it misses
    format_ = model.format or detected or ("saved_model" if path.is_dir() else "frozen_graph")
    chosen = {name: getattr(model, name) for name in _CHOICES if name != "set"}
    source = Source(path, format_, set=tuple(sorted(model.set.items())), **chosen)
    _require_meaning(source)
    return source


def look(source: Source) -> registry.Contents:
    """What is in a model; BadSource when it cannot be read, or has no signature of the name that was chosen."""
    with _reading(source):
        contents = registry.find(source.format).look(source)
    if source.signature and contents.signatures:
        graphs.choose(contents.signatures, source.signature)
    return contents


@contextmanager
def _reading(source: Source) -> Iterator[None]:
    """Say of what cannot be opened, such as a folder where a file should be, what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise BadSource(
            f"{source.path} cannot be read as {source.format}: {reason}; check the path, its permissions and --format"
        ) from error


def _hash(files: Iterable[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(f"{name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _require_meaning(source: Source) -> None:
    """Refuse a choice that the format would not even look at."""
    takes = registry.find(source.format).takes
    for name in _CHOICES:
        if getattr(source, name) and name not in takes:
            option = f"--{name.replace('_', '-')}"
            known = ", ".join(f"--{each.replace('_', '-')}" for each in sorted(takes))
            raise BadSource(f"{option} means nothing to the {source.format} {source.path}, which takes {known}")


def _nearby(path: Path) -> str:
    beside = sorted(each.name for each in path.parent.iterdir()) if path.parent.is_dir() else []
    hint = near_miss(path.name, beside)
    # a folder may hold thousands of other files, of which nobody wants to read
    return f"in {path.parent}, {hint}" if hint.startswith("did you mean") else "check the path"
