"""The options that say how a source is read; each is also a key of models.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click
import yaml

_NAMES: Final = ("inputs", "outputs", "tags")

# what a source is read with where nothing is said
UNSAID: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "format": None,
        "inputs": (),
        "outputs": (),
        "set": {},
        "tags": (),
        "signature": None,
        "allow_lambda": False,
        "custom_objects": None,
    }
)

_OPTIONS: Final = (
    click.option("--format", help="The source's format, where it is not found out; `list` shows them."),
    click.option("--inputs", help="A frozen graph's or checkpoint's inputs, such as image_tensor:0,mask:0."),
    click.option("--outputs", help="A frozen graph's or checkpoint's outputs, likewise."),
    click.option("--set", multiple=True, help="Give a placeholder a value for good, such as phase_train:0=false."),
    click.option("--tags", help="Which graph of a SavedModel, such as train,gpu; serve when left out."),
    click.option("--signature", help="Which signature is converted; serving_default or the only one when left out."),
    click.option("--allow-lambda", is_flag=True, default=None, help="Run the Python code inside a Keras file."),
    click.option(
        "--custom-objects",
        type=click.Path(path_type=Path),
        help="A Python file, which is run, with the layers that a Keras file names and Keras does not have.",
    ),
)


def choices(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all options that say how a source is read."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """What the user chose, as models.yaml would say it."""
    found = {name: value for name, value in options.items() if value not in (None, ())}
    for name in _NAMES:
        if name in found:
            found[name] = tuple(each.strip() for each in found[name].split(",") if each.strip())
    if "set" in found:
        found["set"] = dict(_setting(text) for text in found["set"])
    return found


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} has no value; write {text}=VALUE", param_hint="--set")
    return name.strip(), yaml.safe_load(value)
