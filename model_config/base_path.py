"""A model's base path on disk: numbered version folders, each whole or absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_config import manifest
from model_config.errors import SuiteError, UnknownName, near_miss

# where the stock server looks for them in a version's folder
BATCHING = Path("batching_params.pbtxt")
WARM_UP = Path("assets.extra", "tf_serving_warmup_requests")

# what travels with a version and is no part of the model: manifest and warm-up records, how to batch
_BESIDE = {"assets.extra", BATCHING.name}


@dataclass(frozen=True)
class Version:
    """One published version folder, e.g. ``models/demo/2``."""

    number: int
    path: Path

    @property
    def manifest(self) -> manifest.Manifest | None:
        """What the version was made from, where it says."""
        return manifest.read(self.path)

    @property
    def size_bytes(self) -> int:
        """Bytes of the files that are loaded to answer; what only travels with them is not counted."""
        return sum(sizes(self.path).values())


def scan(repository: Path, model: str) -> dict[int, Version]:
    """The whole versions of a model by number; empty when there is none."""
    base = repository / model
    folders = base.iterdir() if base.is_dir() else ()
    numbered = (each for each in folders if each.name.isascii() and each.name.isdigit() and _is_servable(each))
    found = (Version(int(each.name), each) for each in numbered)
    return {version.number: version for version in sorted(found, key=lambda version: version.number)}


def models(repository: Path) -> list[str]:
    """The names of all models with at least one whole version."""
    folders = sorted(repository.iterdir()) if repository.is_dir() else ()
    return [each.name for each in folders if scan(repository, each.name)]


def require(repository: Path, model: str, number: int) -> Version:
    """A version that must exist; UnknownName says which do and how to build the missing one."""
    versions = scan(repository, model)
    if number in versions:
        return versions[number]
    if versions:
        there = ", ".join(map(str, versions))
        raise UnknownName(
            f"version {number} of {model} is not built, only {there}; "
            f"make it with: python -m converters build {model} --version {number}"
        )
    raise UnknownName(
        f"{repository / model} holds no version of a model; {near_miss(model, models(repository))} "
        f"(make one with: python -m converters build {model} --version {number})"
    )


def require_whole(version: Version) -> None:
    """SuiteError when a version's files are not those it was published with, as after half a copy."""
    made, there = version.manifest, sizes(version.path)
    damaged = _differing(made.sizes, there) if made and made.sizes else _empty(version.path)
    if damaged:
        raise SuiteError(
            f"{version.path} is not whole ({damaged}); copy it again, or build it again with: "
            f"python -m converters build {version.path.parent.name} --version {version.number} --replace"
        )


def _differing(published: Mapping[str, int], there: Mapping[str, int]) -> str:
    parts = (part for part in sorted({*published, *there}) if published.get(part) != there.get(part))
    return ", ".join(f"{part}: {there.get(part, 0)} of {published.get(part, 0)} bytes" for part in parts)


def _empty(folder: Path) -> str:
    """What is plainly missing where no manifest says what there was."""
    if not any(path.stat().st_size for path in folder.glob("saved_model.pb*")):
        return "saved_model.pb is empty"
    variables = folder / "variables"
    shards = list(variables.glob("variables.data-*"))
    wanted = int(shards[0].name.rpartition("-of-")[2]) if shards else 0
    if shards and not (len(shards) == wanted and (variables / "variables.index").is_file()):
        return f"{len(shards)} of {wanted} data files and the index belong in variables"
    return ""


def sizes(version_folder: Path) -> dict[str, int]:
    """Bytes by the first part of the path below a version's folder, such as ``variables``."""
    found: dict[str, int] = {}
    for path in sorted(version_folder.rglob("*")):
        part = path.relative_to(version_folder).parts[0]
        if path.is_file() and part not in _BESIDE:
            found[part] = found.get(part, 0) + path.stat().st_size
    return found


def _is_servable(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt"))
