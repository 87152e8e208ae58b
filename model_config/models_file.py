"""The text of models.yaml and of the files that it includes, before anything of it is checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from model_config.errors import BadModelsFile

_SECTIONS: Final = ("models", "datasets")
_KEYS: Final = frozenset({"include", *_SECTIONS})


@dataclass(frozen=True)
class Entry:
    """One entry as it stands there.

    Attributes:
        where: the file and the place in it, for what is said about it.
    """

    section: str
    name: str
    content: Any
    where: str


def entries(path: Path) -> list[Entry]:
    """Every entry of a file and of those it includes; BadModelsFile names the file and the remedy."""
    found: dict[tuple[str, str], Entry] = {}
    for each in files(path):
        for entry in _entries(each):
            earlier = found.setdefault((entry.section, entry.name), entry)
            if earlier is not entry:
                raise BadModelsFile(f"{entry.where} stands in {earlier.where} too; rename or delete one of them")
    return list(found.values())


def files(path: Path) -> list[Path]:
    """The file itself and those it includes, whose names start at its own folder."""
    patterns = _document(path).get("include", [])
    if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
        raise BadModelsFile(f"{path}: include must be a list of files, such as [ready/*.yaml]")
    return [path, *(included for pattern in patterns for included in _included(path, pattern))]


def _included(path: Path, pattern: str) -> list[Path]:
    try:
        found = sorted(path.parent.glob(pattern))
    except (ValueError, NotImplementedError) as error:  # of an empty pattern, and of one that starts at the root
        raise BadModelsFile(
            f"{path}: {pattern!r} cannot be included; name files below {path.parent}, such as ready/*.yaml"
        ) from error
    if not found:
        raise BadModelsFile(f"{path}: there is no {path.parent / pattern} to include; mend or delete this line")
    for each in found:
        if "include" in _document(each):
            raise BadModelsFile(f"{each} is included by {path} and cannot include others; include them there")
    return found


def _entries(path: Path) -> Iterator[Entry]:
    document = _document(path)
    for section in _SECTIONS:
        content = document.get(section, {})
        if not isinstance(content, dict):
            raise BadModelsFile(f"{path}: {section} must be a mapping, with one entry for each by its name")
        for name, entry in content.items():
            yield Entry(section, str(name), entry, f"{path}: {section}.{name}")


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _NoDuplicates)
    except OSError as error:
        raise BadModelsFile(f"cannot read {path}: {error.strerror}; name another file with --models") from error
    except UnicodeDecodeError as error:
        raise BadModelsFile(f"{path} is not a text file in UTF-8: {error.reason}") from error
    except yaml.YAMLError as error:
        raise BadModelsFile(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict) or not document or not set(document) <= _KEYS:
        raise BadModelsFile(
            f"{path} must hold one key, 'models', with one entry a model below it (and may hold include, datasets)"
        )
    return document


class _NoDuplicates(yaml.SafeLoader):
    """YAML's own rule, which PyYAML does not enforce: a key stands once."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        # here and not when values are made of it, as by then it may hold what another mapping lends it (<<)
        node = super().compose_mapping_node(anchor)  # type: ignore[no-untyped-call]
        seen = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"{key} stands twice in one mapping, again on line {line}; delete one of them")
            seen.add(key)
        return node
