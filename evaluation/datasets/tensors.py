"""An npz of tensors by input name, with labels."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy

from evaluation.datasets import arrays, fingerprints
from evaluation.datasets.questions import ClassNumber, Dataset, Flags, Label
from evaluation.errors import BadDataset
from model_config.data import Data

Array = np.ndarray[Any, Any]

_LABELS: Final = ("labels", "y_test", "y", "label")
_INPUTS: Final = ("x_test", "x")  # Keras's own files have those of the training beside them


def fits(path: Path) -> bool:
    """An npz file, or a folder with one."""
    return path.suffix.lower() == ".npz" or (path.is_dir() and len(list(path.glob("*.npz"))) == 1)


def load(data: Data) -> Dataset:
    """Row by row; BadDataset when it is damaged, or its arrays have different lengths."""
    path = next(data.path.glob("*.npz"), data.path) if data.path.is_dir() else data.path
    found = _read(path)
    labels = next((found.pop(name) for name in _LABELS if name in found), None)
    inputs = next(({"": found[name]} for name in _INPUTS if name in found and len(found) > 1), found)
    lengths = {name: len(array) for name, array in {**inputs, **({} if labels is None else {"labels": labels})}.items()}
    if not inputs or len(set(lengths.values())) != 1:
        raise BadDataset(f"{path}: all arrays need one row a question, but their lengths are {lengths}")
    count = min(next(iter(lengths.values())), data.limit or len(next(iter(inputs.values()))))
    questions = tuple(
        arrays.question(n, inputs, None if labels is None else _label(path, labels[n])) for n in range(count)
    )
    only = next(iter(inputs.values()))
    pictures = len(inputs) == 1 and arrays.are_pictures(only)
    return Dataset(f"rows of {data}", questions, fingerprints.of(questions, path), tensors=not pictures)


def _label(path: Path, label: Any) -> Label:
    if label.dtype.kind not in "iub":
        raise BadDataset(f"{path}: labels are {label.dtype}; they should be class numbers, or 0 and 1 for every class")
    if label.size == 1:
        return ClassNumber(int(label.reshape(-1)[0]))
    return Flags(tuple(bool(each) for each in label.reshape(-1)))


def _read(path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy"): _array(archive, name) for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, EOFError, zlib.error) as error:
        raise BadDataset(f"{path} is no npz file that can be read ({error}); write it with numpy.savez") from error


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(name) as stream, arrays.plain(stream) as file:
        shape, turned, dtype = _header(file)
        if dtype.hasobject:
            raise ValueError(f"{name} holds Python objects; save strings as numpy's S or U")
        return arrays.mapped(file, dtype, shape[::-1]).T if turned else arrays.mapped(file, dtype, shape)


def _header(file: Any) -> Any:
    """Shape, whether columns come first, and type."""
    version = npy.read_magic(file)  # type: ignore[no-untyped-call]
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(file)  # type: ignore[no-untyped-call]
