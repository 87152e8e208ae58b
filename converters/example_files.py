"""Files of examples as a graph takes them: numpy's arrays, row by row, and TFRecords of serialized tf.Examples."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from model_config.errors import BuildError

_ARRAYS: Final = (".npy", ".npz")
_RECORDS: Final = (".tfrecord", ".tfrecords")
ENDINGS: Final = (*_ARRAYS, ".tfrecord")


def is_one(path: Path) -> bool:
    """Whether a file's name says that it holds examples."""
    return path.suffix.lower() in _ARRAYS + _RECORDS


def rows(path: Path, inputs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The examples one after the other, each an array an input; BuildError where the names do not fit.

    Args:
        path: an array or records for the one input, or an archive whose arrays are named as the inputs are.
        inputs: a signature's, by name.
    """
    loaded = _loaded(path)
    arrays = loaded if isinstance(loaded, Mapping) else {_only(inputs, path): loaded}
    if arrays.keys() != inputs.keys():
        raise BuildError(f"{path} holds {', '.join(arrays)}; name its arrays as the inputs: {', '.join(inputs)}")
    for place in range(_rows(arrays)):
        yield {name: _text(np.asarray(array[place], array.dtype)) for name, array in arrays.items()}


def length(path: Path) -> int:
    """How many examples a file holds."""
    loaded = _loaded(path)
    return _rows(loaded if isinstance(loaded, Mapping) else {"": loaded})


def _rows(arrays: Mapping[str, Any]) -> int:
    return min((len(array) if np.ndim(array) else 0 for array in arrays.values()), default=0)


def _loaded(path: Path) -> Any:
    """An array, or arrays by name."""
    try:
        if path.suffix.lower() in _RECORDS:
            return np.array([*tf.data.TFRecordDataset(str(path)).as_numpy_iterator(), None], object)[:-1]
        loaded = np.load(path)
        return loaded if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, tf.errors.OpError) as error:
        words = str(error).partition("\n")[0]
        raise BuildError(f"the file of examples {path} is damaged ({words}); write it anew") from error


def _only(inputs: Mapping[str, Any], path: Path) -> str:
    if len(inputs) != 1:
        raise BuildError(
            f"the graph takes {', '.join(sorted(inputs))}, and {path} is for one of them only;"
            " calibrate with .npz files, whose arrays have these names"
        )
    return next(iter(inputs))


def _text(row: Any) -> Any:
    """Words as TensorFlow takes them, which are bytes of any length."""
    if row.dtype.kind == "U":
        row = np.char.encode(row, "utf-8")
    return row.astype(object) if row.dtype.kind == "S" else row
