"""A Keras model from its file, by the library that wrote it, and as a SavedModel with one signature."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final

import tensorflow as tf

from converters import graphs, user_code
from converters.quiet import quiet
from converters.sources import keras_trust, saved_model
from converters.sources.registry import Contents
from converters.sources.source import Source
from model_config.errors import BadSource

# what a file with custom objects calls the function that makes the model to export of the one that was saved
FINISH: Final = "finish"


@dataclass(frozen=True)
class Described:
    """What a Keras file says of itself: the Keras that wrote it, and its layers."""

    version: str
    config: Mapping[str, Any]


def load(source: Source, described: Described, target: Path) -> None:
    """Write a Keras model as a SavedModel folder."""
    custom = dict(_custom_objects(source.custom_objects))
    finish = custom.pop(FINISH, None)
    keras_trust.require_trusted(
        source.path, described.config, allow_lambda=source.allow_lambda, custom=frozenset(custom)
    )
    with quiet(), contextlib.redirect_stdout(io.StringIO()):
        library, model = _model(source, described, custom)
        _export(library, model if finish is None else _finished(source, finish, model), source.path, target)


def _finished(source: Source, finish: Any, model: Any) -> Any:
    try:
        return finish(model)
    except Exception as error:  # whatever the user's code may raise
        raise BadSource(
            f"{FINISH} of {source.custom_objects} cannot finish {source.path}: {_first_sentence(error)}; mend it"
        ) from error


def look(source: Source) -> Contents:
    """What a Keras file holds, which only loading it tells."""
    with tempfile.TemporaryDirectory() as folder:
        source.load(Path(folder, "loaded"))
        return saved_model.look(Path(folder, "loaded"))


def _custom_objects(path: Path | None) -> Mapping[str, Any]:
    """Everything public that the user's Python file defines."""
    if path is None:
        return MappingProxyType({})
    defined = user_code.run(path).items()
    return {name: value for name, value in defined if callable(value) and not name.startswith("_")}


def _libraries(version: str) -> Iterator[ModuleType]:
    """The installed Keras libraries, the one of the file's own generation first."""
    found = [importlib.import_module(name) for name in ("keras", "tf_keras") if importlib.util.find_spec(name)]
    yield from sorted(found, key=lambda library: _generation(library.__version__) != _generation(version))


def _generation(version: str) -> str:
    return version.partition(".")[0]


def _model(source: Source, described: Described, custom: Mapping[str, Any]) -> tuple[ModuleType, Any]:
    refused: dict[str, Exception] = {}
    for library in _libraries(described.version):
        try:
            return library, library.models.load_model(
                source.path, custom_objects=dict(custom), compile=False, safe_mode=not source.allow_lambda
            )
        except Exception as error:  # Keras raises what its layers raise, of every type
            refused[f"{library.__name__} {library.__version__}"] = error
    name, first = next(iter(refused.items()))
    raise BadSource(
        f"{source.path} was written by Keras {described.version} and {name} cannot load it:"
        f" {_first_sentence(first)}; {_remedy(described.version)}"
    ) from first


def _first_sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:300].partition(". ")[0].rstrip(".")


def _remedy(version: str) -> str:
    generations = {_generation(library.__version__) for library in _libraries(version)}
    if _generation(version) in generations:
        return "if it has layers of your own, name their Python file with --custom-objects"
    if _generation(version) == "2":
        return "install tf_keras, which is Keras 2"
    return "install TensorFlow 2.16 or later, which brings Keras 3"


def _export(library: ModuleType, model: Any, path: Path, target: Path) -> None:
    """One signature, whose names are those of the model's own inputs and output layers."""
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise BadSource(f"{path} does not say the shape of its input; call the model once on data and save it again")
    names = _output_names(model)
    structure = getattr(model, "input", inputs[0])  # a Sequential of Keras 3 has but the one

    def serve(*tensors: Any) -> dict[str, Any]:
        packed = tf.nest.pack_sequence_as(structure, tensors)
        return dict(zip(names, tf.nest.flatten(model(packed, training=False))))

    specs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name) for tensor, name in zip(inputs, _input_names(model, inputs))
    ]
    archive = library.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(graphs.DEFAULT_KEY, serve, input_signature=specs)
    archive.write_out(str(target))


def _input_names(model: Any, inputs: list[Any]) -> list[str]:
    return list(getattr(model, "input_names", None) or (tensor.name.partition(":")[0] for tensor in inputs))


def _output_names(model: Any) -> list[str]:
    """The names of the output layers; a layer that stands twice gets a number."""
    names = list(getattr(model, "output_names", None) or [model.layers[-1].name])
    return [name if names.count(name) == 1 else f"{name}_{place}" for place, name in enumerate(names)]
