"""The model config is read back by TensorFlow Serving's own message to what was meant."""

from __future__ import annotations

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_config import server_config
from model_config.errors import SuiteError, UnknownName
from model_config.server_config import Served, choose, render

TEXT = st.text(max_size=20)
NUMBERS = st.lists(st.integers(1, 2**62), min_size=1, max_size=4, unique=True)


@st.composite
def served(draw):
    versions = draw(NUMBERS)
    labels = draw(st.dictionaries(TEXT, st.sampled_from(versions), max_size=3))
    return Served(draw(TEXT), "/" + draw(TEXT), tuple(versions), labels)


@given(st.lists(served(), max_size=3))
def test_the_real_parser_reads_what_was_meant(models):
    parsed = text_format.Parse(render(models), ModelServerConfig())

    wanted = ModelServerConfig()
    wanted.model_config_list.SetInParent()
    for model in models:
        config = wanted.model_config_list.config.add(
            name=model.name, base_path=model.base_path, model_platform="tensorflow", version_labels=model.labels
        )
        config.model_version_policy.specific.versions.extend(model.versions)
    assert parsed == wanted


def test_a_version_that_is_not_built_is_refused(repository):
    with pytest.raises(UnknownName, match="version 9 of tiny is not built, only 1, 2"):
        choose(repository, "tiny", [1, 9], {})


@pytest.mark.parametrize(
    ("versions", "labels", "words"),
    [((), {}, "at least one"), ((1, 1), {}, "none twice"), ((1,), {"stable": 2}, "label stable points at version 2")],
)
def test_nonsense_is_refused_at_birth(versions, labels, words):
    with pytest.raises(SuiteError, match=words):
        Served("m", "/models/m", versions, labels)


def test_a_relative_base_path_is_refused():
    with pytest.raises(SuiteError, match="absolute"):
        Served("m", "models/m", (1,))


def test_the_config_is_written_beside_the_base_paths(repository):
    path = server_config.write([choose(repository, "tiny", [2], {"stable": 2})], repository)

    parsed = text_format.Parse(path.read_text(), ModelServerConfig())
    assert parsed.model_config_list.config[0].base_path == str(repository.resolve() / "tiny")
