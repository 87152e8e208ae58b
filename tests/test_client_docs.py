"""What the documentation shows is taken by what it documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from model_config import models
from model_config.tasks import Decode, Encode

DOCS = Path(__file__).parents[1] / "docs"
CLIENT = (DOCS / "client.md").read_text(encoding="utf-8")
ENTRIES = yaml.safe_load(re.search(r"```yaml\n(.*?)```", CLIENT, re.DOTALL)[1])["models"]


@pytest.mark.parametrize("name", ENTRIES)
def test_every_model_shown_is_a_good_entry(name):
    assert models.parse(name, ENTRIES[name], name).name == name


@pytest.mark.parametrize(("heading", "part"), [("encode", Encode), ("decode", Decode)])
def test_every_key_of_a_task_is_explained(heading, part):
    table = re.search(rf"\| `{heading}` \|.*?\n\n", CLIENT + "\n\n", re.DOTALL)[0]
    explained = {key for row in table.strip().splitlines() for key in re.findall(r"`(\w+)`", row.split("|")[1])}

    assert explained - {heading} == set(part.model_fields)
