"""Any data set by its path: the format is the one that is named, or the one that the path looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from evaluation.datasets import coco, faces, findings, folders, idx, plain, tensors
from evaluation.datasets.questions import Dataset
from evaluation.errors import BadDataset
from model_config.data import Data


class Format(NamedTuple):
    """One way to lay out data: whether a path looks like it, and what reads it."""

    fits: Callable[[Path], bool]
    load: Callable[[Data], Dataset]


# in the order in which a path is tried: those with a file of their own before those that are only pictures
FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "coco": Format(coco.fits, coco.load),
        "pairs": Format(faces.fits, faces.load),
        "idx": Format(idx.fits, idx.load),
        "npz": Format(tensors.fits, tensors.load),
        "findings": Format(findings.fits, findings.load),
        "folders": Format(folders.fits, folders.load),
        "pictures": Format(plain.fits, plain.load),
    }
)


def load(data: Data) -> Dataset:
    """The questions of a data set in their order.

    Raises:
        BadDataset: it is missing, or not what its format says; one sentence names the file.
    """
    if not data.path.exists():
        raise BadDataset(f"no data at {data.path}: no such file or folder; name labelled data with --data")
    try:
        dataset = FORMATS[data.format or _format(data.path)].load(data)
    except OSError as error:
        raise BadDataset(
            f"cannot read {error.filename or data.path}: {(error.strerror or 'refused').lower()}"
        ) from error
    return dataset.only(dataset.questions[: data.limit]) if data.limit else dataset


def _format(path: Path) -> str:
    found = next((name for name, each in FORMATS.items() if each.fits(path)), None)
    if found is None:
        raise BadDataset(
            f"{path} is no data set of a known format; say which it is with --format or in models.yaml "
            f"({', '.join(FORMATS)}), or name another path with --data"
        )
    return found
