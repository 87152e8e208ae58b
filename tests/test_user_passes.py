"""Passes and recipes of the user's own join by models.yaml."""

from __future__ import annotations

import pytest
from command_line import assert_one_sentence, run

from model_config import base_path

PASS = """
from converters.graphs import Graph
from converters.registry import on_graphs, register


@register("mark_devices")
@on_graphs
def mark_devices(graph: Graph, device: str = "/cpu:0") -> Graph:
    '''Ask for a device by name.'''
    for node in graph.graph_def.node:
        node.device = device
    return graph
"""
MODELS = """
models:
  tiny:
    source: {source}
    passes: [{folder}/mine.py]
    recipes:
      marked: {steps}
    versions: {{1: original, 8: marked}}
"""
STEPS = "[freeze, strip_unused_nodes, mark_devices: {device: '/cpu:0'}]"


@pytest.fixture
def build(saved_model, tmp_path):
    def build(text: str = PASS, steps: str = STEPS):
        (tmp_path / "mine.py").write_text(text)
        (tmp_path / "models.yaml").write_text(MODELS.format(source=saved_model, folder=tmp_path, steps=steps))
        places = ("--models", tmp_path / "models.yaml", "--repository", tmp_path / "models")
        return run("converters", "build", "tiny", "--version", 8, *places)

    return build


def test_a_pass_of_ones_own_joins_a_recipe_of_ones_own(build, tmp_path):
    done = build()
    assert done.returncode == 0, done.stderr
    made = base_path.require(tmp_path / "models", "tiny", 8).manifest

    assert made.recipe == "marked"
    assert [(step.name, dict(step.params)) for step in made.steps][-1] == ("mark_devices", {"device": "/cpu:0"})


def test_a_changed_pass_is_something_else(build):
    assert build().returncode == 0
    assert "unchanged" in build().stdout
    assert_one_sentence(build(PASS + "# changed"), "made from something else", "--replace")


@pytest.mark.parametrize(
    ("text", "steps", "words"),
    [
        ("raise RuntimeError('not today')", STEPS, "cannot be run: RuntimeError: not today"),
        (PASS.replace("mark_devices", "freeze"), STEPS, "two passes are called 'freeze'"),
        (PASS, "[freeze, mark_device]", "did you mean 'mark_devices'"),
        (PASS, "[]", "models.tiny.recipes.marked"),
        (PASS, "[freeze: 3]", "models.tiny.recipes.marked"),
    ],
)
def test_what_is_wrong_with_it_is_one_sentence(build, text, steps, words):
    assert_one_sentence(build(text, steps), words)
