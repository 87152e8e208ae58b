"""MNIST's idx files: an array of pictures or numbers, and one of classes beside it."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final

import numpy as np

from evaluation.datasets import arrays, fingerprints
from evaluation.datasets.questions import ClassNumber, Dataset
from evaluation.errors import BadDataset
from model_config.data import Data

Array = np.ndarray[Any, Any]

_NAMED: Final = re.compile(r"(.*)images([.-])idx\d(-\w+)?(\.gz)?")
# the third byte of a file says the type of its numbers, which are big-endian
_TYPES: Final = MappingProxyType({8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"})
_TEST: Final = "t10k"  # MNIST's own name of what models are judged by, beside what they learn from


def fits(path: Path) -> bool:
    """An idx file of pictures, or a folder with one."""
    return bool(_NAMED.fullmatch(path.name)) if path.is_file() else bool(path.is_dir() and _images(path))


def load(data: Data) -> Dataset:
    """Row by row; BadDataset when a file is damaged, or the two have different lengths."""
    path = data.path if data.path.is_file() else _chosen(data.path)
    labels = _labels(path)
    rows, classes = _read(path), _read(labels)
    if len(rows) != len(classes):
        raise BadDataset(f"{path} holds {len(rows)} rows, but {labels.name} {len(classes)} labels; fetch both again")
    named = {"": rows}
    count = min(len(rows), data.limit or len(rows))
    questions = tuple(arrays.question(n, named, ClassNumber(int(classes[n]))) for n in range(count))
    sha256 = fingerprints.of(questions, path)
    return Dataset(f"rows of {data}", questions, sha256, tensors=not arrays.are_pictures(rows))


def _images(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if _NAMED.fullmatch(path.name)]


def _chosen(folder: Path) -> Path:
    found = _images(folder)
    chosen = [path for path in found if path.name.startswith(_TEST)] if len(found) > 1 else found
    if len(chosen) != 1:
        raise BadDataset(f"{folder} holds {len(found)} idx files of pictures; name the one that is meant with --data")
    return chosen[0]


def _labels(path: Path) -> Path:
    """``t10k-labels-idx1-ubyte.gz`` for ``t10k-images-idx3-ubyte.gz``, packed or not."""
    stem = re.sub(r"idx\d", "idx1", path.name.replace("images", "labels"))
    usual = [path.with_name(name) for name in (stem, stem.removesuffix(".gz"), f"{stem}.gz")]
    found = next((each for each in usual if each.is_file()), None)
    if found is None:
        raise BadDataset(f"the labels of {path} are not beside it; put {stem} there")
    return found


def _read(path: Path) -> Array:
    try:
        with arrays.opened(path) as file:
            dtype, shape = _header(file)
            return arrays.mapped(file, dtype, shape)
    except ValueError as error:
        raise BadDataset(f"{path} is no idx file, or only a part of one ({error}); fetch it again") from error


def _header(file: IO[bytes]) -> tuple[Any, tuple[int, ...]]:
    magic = file.read(4)
    if len(magic) != 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not magic[3]:
        raise ValueError("it does not start as one")
    shape = np.frombuffer(file.read(4 * magic[3]), ">u4").tolist()
    if len(shape) != magic[3]:
        raise ValueError("it ends within its header")
    return np.dtype(_TYPES[magic[2]]), tuple(shape)
