"""Versions on disk: found by number, sized, and missed with a helpful sentence."""

from __future__ import annotations

import pytest

from model_config import base_path
from model_config.errors import UnknownName


@pytest.fixture
def versions(tmp_path):
    for name in ("1", "12", "3", ".4.draft", "notes", "5"):
        (tmp_path / "m" / name).mkdir(parents=True)
        if name != "5":
            (tmp_path / "m" / name / "saved_model.pb").write_bytes(b"xyz")
    return tmp_path


def test_whole_numbered_folders_are_versions_and_nothing_else(versions):
    assert list(base_path.scan(versions, "m")) == [1, 3, 12]


def test_a_size_counts_every_file(versions):
    (versions / "m" / "1" / "variables").mkdir()
    (versions / "m" / "1" / "variables" / "data").write_bytes(b"12345")

    assert base_path.scan(versions, "m")[1].size_bytes == 8


def test_a_missing_version_tells_which_there_are_and_how_to_make_it(versions):
    with pytest.raises(UnknownName, match=r"only 1, 3, 12.*converters build m --version 2"):
        base_path.require(versions, "m", 2)


def test_a_missing_model_shows_the_near_miss(versions):
    (versions / "m").rename(versions / "detector")

    with pytest.raises(UnknownName, match="did you mean 'detector'"):
        base_path.require(versions, "detektor", 1)


def test_no_repository_is_no_version(tmp_path):
    assert base_path.scan(tmp_path / "nowhere", "m") == {}
    assert base_path.models(tmp_path / "nowhere") == []
