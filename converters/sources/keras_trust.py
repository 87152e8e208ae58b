"""What a Keras file would run beside Keras itself, found in its description before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from model_config.errors import BadSource

_ROOTS: Final = frozenset({"keras", "tf_keras"})
# the modules whose functions layers name; others of Keras's own could fetch files or lift its safeguards
_FUNCTIONS: Final = frozenset(
    {"activations", "constraints", "initializers", "losses", "metrics", "ops", "regularizers"}
)


def require_trusted(path: Path, config: Any, *, allow_lambda: bool, custom: frozenset[str]) -> None:
    """BadSource for a Lambda layer or a custom object that the user has not allowed.

    Keras's own safe mode does not look into HDF5 files of Keras 2, and runs their Lambda layers.
    """
    # how it was trained is not loaded
    for each in _objects({key: value for key, value in config.items() if key != "compile_config"}):
        name = each.get("class_name")
        if name in ("Lambda", "__lambda__") and not allow_lambda:
            raise BadSource(
                f"{path} has a Lambda layer, whose Python code would run here;"
                " if you trust whoever made the file, allow it with --allow-lambda"
            )
        foreign = _foreign(each)
        if foreign and foreign not in custom:
            raise BadSource(
                f"{path} needs {foreign}, which is not part of Keras;"
                " name a Python file that defines it with --custom-objects"
            )


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every serialized object, however deep."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)


def _foreign(each: dict[str, Any]) -> str | None:
    """The name of an object that Keras does not bring; Keras 2's own form says no module."""
    name, module = str(each["class_name"]), each.get("module")
    is_function = name == "function"
    called = str(each.get("config")) if is_function else name
    registered = each.get("registered_name")
    if isinstance(registered, str) and ">" in registered and not registered.startswith("keras"):
        return called
    if module is None:
        return called if registered else None
    parts = [part for part in str(module).split(".") if part != "src"]
    if name == "__typespec__" and parts[0] == "tensorflow":  # a kind of tensor, no code
        return None
    if parts[0] not in _ROOTS or (is_function and (len(parts) < 2 or parts[1] not in _FUNCTIONS)):
        return called
    return None
