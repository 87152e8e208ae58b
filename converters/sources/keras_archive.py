"""Keras models in a .keras file, as Keras 3 saves them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from converters.sources import keras_loading
from converters.sources.registry import Format, one_file, register
from converters.sources.source import Source
from model_config.errors import BadSource


def _detect(path: Path) -> bool:
    return path.is_file() and path.suffix == ".keras"


def _described(path: Path) -> keras_loading.Described:
    try:
        with zipfile.ZipFile(path) as file:
            metadata, config = (json.loads(file.read(name)) for name in ("metadata.json", "config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise BadSource(f"{path} is truncated or no .keras file: {error}; fetch or save it again") from error
    return keras_loading.Described(metadata["keras_version"], config)


def _load(source: Source, target: Path) -> None:
    keras_loading.load(source, _described(source.path), target)


register(
    Format(
        "keras_archive",
        "a Keras model in a .keras file",
        detect=_detect,
        files=one_file,
        load=_load,
        look=keras_loading.look,
        takes=frozenset({"allow_lambda", "custom_objects"}),
    )
)
