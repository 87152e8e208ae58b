"""Label files of every kind, and what is said about those that are none."""

from __future__ import annotations

import pytest

from evaluation import labels
from model_config.errors import SuiteError

FILES = {
    "lines.txt": ("cat\n\ndög\n", {1: "cat", 3: "dög"}),
    "list.json": ('["cat", "dög"]', {1: "cat", 2: "dög"}),
    "numbers.json": ('{"1": "cat", "90": "dög"}', {1: "cat", 90: "dög"}),
    "names.json": ('{"cat": 1, "dög": 90}', {1: "cat", 90: "dög"}),
    "imagenet.json": ('{"0": ["n01440764", "tench"]}', {0: "tench"}),
    "one.csv": ("cat\ndög\n", {1: "cat", 2: "dög"}),
    "numbers.csv": ("id,name\n1,cat\n90,dög\n", {1: "cat", 90: "dög"}),
    "behind.csv": ('"cat, tabby",1\ndög,2\n', {1: "cat, tabby", 2: "dög"}),
    "marked.csv": ("\ufeff0,cat\n", {0: "cat"}),
    "map.pbtxt": (
        """
        # the Object Detection API's
        item { id: 1 name: '/m/01yrx' display_name: "cat" }
        item: {
          name: "d\\303\\266g" id: 90
          keypoints { id: 3 label: "nose" }
        }
        item { id: 91 }
        """,
        {1: "cat", 90: "dög", 91: "91"},
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_labels_are_read(tmp_path, name):
    text, wanted = FILES[name]
    (tmp_path / name).write_text(text, encoding="utf-8")

    assert labels.load(str(tmp_path / name)) == wanted


@pytest.mark.parametrize("name", ["lines.txt", "list.json", "one.csv"])
def test_files_without_numbers_start_where_the_model_does(tmp_path, name):
    (tmp_path / name).write_text(FILES[name][0], encoding="utf-8")

    assert labels.load(str(tmp_path / name), first=0)[0] == "cat"
    assert labels.load(("cat",), first=0) == {0: "cat"}


def test_the_built_in_list_has_numbers_of_its_own():
    assert labels.load("coco", first=0)[1] == "person"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"{"),
        ("a.json", b"3"),
        ("a.json", b'{"one": "cat"}'),
        ("a.csv", b"cat,tabby\ndog,terrier\n"),
        ("a.csv", b"1,cat\n2\n"),
        ("a.pbtxt", b"item { id: }"),
        ("a.pbtxt", b'item { name: "cat" }'),
        ("a.txt", b"\xff\xfe\x00"),
    ],
)
def test_a_file_without_labels_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(SuiteError, match=f"{name} holds no labels that can be read"):
        labels.load(str(tmp_path / name))
