"""The shape of the house: who may import whom, and what comes without TensorFlow."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[1]
LAYERS = {
    "model_config": set(),
    "evaluation": {"model_config"},
    "converters": {"model_config", "evaluation"},
    "clients": {"model_config", "evaluation"},
    "serving": {"model_config", "clients"},
    # the demo types the others' commands, and imports only what draws its progress and finds a port
    "demo": {"model_config", "serving"},
    "training": {"model_config", "evaluation"},
}


def imported_roots(package: str) -> set[str]:
    roots = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                roots |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                roots.add((node.module or "").split(".")[0])
    return roots


@pytest.mark.parametrize("package", LAYERS)
def test_a_package_imports_only_the_layers_below_it(package):
    assert imported_roots(package) & (LAYERS.keys() - {package}) <= LAYERS[package]


@pytest.mark.parametrize(
    "package",
    [
        "model_config",
        "evaluation.tasks.detection",
        "clients",
        "clients.client",
        "clients.__main__",
        "clients.loadgen.session",
        "serving.__main__",
        "training.__main__",
    ],
)
def test_importing_it_does_not_import_tensorflow(package):
    program = f"import {package}, sys; sys.exit('tensorflow' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_package_is_installed():
    # read as text, as Python 3.9 has no parser for this format
    listed = re.search(r"\[tool.setuptools\]\npackages = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    packages = {
        str(path.parent.relative_to(ROOT)).replace("/", ".")
        for name in LAYERS
        for path in (ROOT / name).rglob("__init__.py")
    }

    assert set(re.findall(r'"(.*?)"', listed[1])) == packages


def test_tensorflow_is_an_extra():
    required = [each for each in importlib.metadata.requires("tf-serving-suite") if "extra ==" not in each]

    assert required
    assert not [each for each in required if "tensorflow" in each]


def commands() -> list[tuple[str, click.Command]]:
    groups = {
        name: importlib.import_module(f"{name}.__main__").main
        for name in ("model_config", "converters", "clients", "serving", "training")
    }
    return [(f"{name} {command}", each) for name, group in groups.items() for command, each in group.commands.items()]


@pytest.mark.parametrize(("name", "command"), commands())
def test_every_command_and_option_says_what_it_does(name, command):
    assert command.help
    undocumented = [each.name for each in command.params if isinstance(each, click.Option) and not each.help]

    assert undocumented == []


def modules() -> list[Path]:
    folders = [*LAYERS, "tests", "benchmarks"]
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")) if "_pb2" not in path.name]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_starts_with_a_sentence(path):
    assert ast.get_docstring(ast.parse(path.read_text()))
