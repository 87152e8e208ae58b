"""servable.json: what a version was made from and how, inside the version's own folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from pydantic import BaseModel, ConfigDict, ValidationError

from model_config.errors import SuiteError

# TensorFlow Serving leaves assets.extra alone, so the manifest can travel with the servable
PLACE = Path("assets.extra", "servable.json")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Tensor(_Frozen):
    """One input or output: TensorFlow's name of the type, and its sizes (None: any; no shape: any rank)."""

    dtype: str
    shape: Optional[tuple[Optional[int], ...]]


class Signature(_Frozen):
    """What a servable takes and gives."""

    method_name: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


class StepRecord(_Frozen):
    """One pass as it ran: operations before and after, wall time in seconds."""

    name: str
    params: Mapping[str, str]
    operations_before: int
    operations_after: int
    seconds: float


class Source(_Frozen):
    """The model the version came from; the hash covers every byte of it."""

    path: str
    format: str
    sha256: str


class Calibration(_Frozen):
    """The data that ranges were learnt from; the hash covers every byte of it."""

    path: str
    files: int
    sha256: str


class Manifest(_Frozen):
    """Everything worth knowing about one version after the fact."""

    schema_version: int = 1
    model: str
    version: int
    recipe: str
    # hash of source, recipe and tools: the same key means that a build would give the same again
    key: str
    source: Source
    steps: tuple[StepRecord, ...]
    calibration: Optional[Calibration] = None
    # what a server needs beside TensorFlow to answer: "onednn", which is off on some processors, and absent on GPUs
    requires: tuple[str, ...] = ()
    tools: Mapping[str, str]
    signatures: Mapping[str, Signature]
    batch_sizes: tuple[int, ...]
    size_bytes: int
    seconds: float
    created: str


def write(manifest: Manifest, version_folder: Path) -> None:
    """Put the manifest into a version's folder."""
    path = version_folder / PLACE
    path.parent.mkdir(exist_ok=True)
    path.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read(version_folder: Path) -> Optional[Manifest]:
    """The manifest of a version, or None where another tool made the version."""
    path = version_folder / PLACE
    try:
        return Manifest.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, ValidationError) as error:
        raise SuiteError(f"{path} is damaged ({type(error).__name__}); build the version again") from error
