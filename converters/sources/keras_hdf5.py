"""Keras models in HDF5, as Keras 2 saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from converters.sources import keras_loading
from converters.sources.registry import Format, one_file, register
from converters.sources.source import Source
from model_config.errors import BadSource

_MAGIC: Final = b"\x89HDF\r\n\x1a\n"


def _detect(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix in (".h5", ".hdf5") or file.read(len(_MAGIC)) == _MAGIC


def _described(path: Path) -> keras_loading.Described:
    import h5py  # it comes with TensorFlow, and only this needs it

    try:
        with h5py.File(path) as file:
            version, config = file.attrs.get("keras_version", "2"), file.attrs.get("model_config")
    except OSError as error:
        raise BadSource(f"{path} is truncated or no HDF5 file: {error}; fetch or save it again") from error
    if config is None:
        raise BadSource(
            f"{path} holds weights only, without the layers they belong to;"
            " build the model in Python, load_weights() from this file, and save it whole as .keras"
        )
    try:
        return keras_loading.Described(_text(version), json.loads(_text(config)))
    except ValueError as error:
        raise BadSource(f"{path} is damaged: its layers cannot be read, {error}; fetch or save it again") from error


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _load(source: Source, target: Path) -> None:
    keras_loading.load(source, _described(source.path), target)


register(
    Format(
        "keras_hdf5",
        "a Keras model in HDF5 (.h5, .hdf5)",
        detect=_detect,
        files=one_file,
        load=_load,
        look=keras_loading.look,
        takes=frozenset({"allow_lambda", "custom_objects"}),
    )
)
