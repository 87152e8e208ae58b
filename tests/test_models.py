"""models.yaml: what is right is read, what is wrong is named with its file, key and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_config import models
from model_config.errors import BadModelsFile, UnknownName
from model_config.fetching.wanted import wanted

ROOT = Path(__file__).parents[1]

GOOD = """
models:
  ssd:
    source: somewhere
    outputs: ["a:0"]
    versions: {1: original, 2: quantized_weights}
    batch_sizes: [1, 8]
    task: {type: detection, labels: [cat, dog], metric: mAP@0.5}
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str):
        path = tmp_path / "models.yaml"
        path.write_text(text)
        return path

    return write


def test_an_entry_becomes_a_frozen_value(write):
    model = models.find("ssd", write(GOOD))

    assert model.versions == {1: "original", 2: "quantized_weights"}
    assert model.task.labels == ("cat", "dog")
    with pytest.raises(ValueError, match="frozen"):
        model.name = "other"


def test_how_a_source_is_read_is_part_of_its_entry(write):
    text = "models: {m: {source: x, tags: [train], signature: add, set: {phase_train:0: false}, custom_objects: l.py}}"
    model = models.find("m", write(text))

    assert (model.tags, model.signature, dict(model.set)) == (("train",), "add", {"phase_train:0": False})
    assert not model.allow_lambda


def test_versions_have_their_usual_numbers_where_nothing_is_said(write):
    assert models.find("m", write("models: {m: {source: x}}")).recipe(5) == "trt_int8"


READY = sorted(set(models.load()) - {"demo"})


def test_the_file_that_comes_with_the_suite_has_the_well_known_models():
    assert set(READY) >= {
        *("ssd_resnet_50_fpn_coco", "ssd_inception_v2_coco", "ssd_mobilenet_v1_coco"),
        *("mask_rcnn_inception_resnet_v2", "retinanet"),
        *("resnet50_fp32", "resnet50_fp16", "chexnet", "facenet", "mnist"),
    }


@pytest.mark.parametrize("name", READY)
def test_a_ready_model_says_where_everything_comes_from(name):
    known, datasets = models.load_all()
    folders = {str(each.folder) for each in wanted(name, known, datasets, data=True)}
    model = known[name]
    used = [*(model.data.places if model.data else ()), model.custom_objects]
    used += [model.calibration.path] if model.calibration else []
    used += [model.task.labels] if str(model.task.labels).startswith("sources/") else []

    assert model.goals.accuracy
    assert name == "chexnet" or str(model.source).startswith(f"sources/{name}")  # which is trained here
    for path in filter(None, used):  # what the training writes is there by then
        if str(path).startswith("sources/chexnet/"):
            continue
        assert (ROOT / path).is_file() or any(str(path).startswith(folder) for folder in folders)


def test_files_are_included_from_the_folder_of_the_one_that_names_them(write, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.yaml").write_text("models: {a: {source: x}}")
    (tmp_path / "more" / "b.yaml").write_text("datasets: {d: {by_hand: ask}}")
    known, datasets = models.load_all(write("include: [more/*.yaml]\nmodels: {m: {source: x}}"))

    assert set(known) == {"m", "a"}
    assert datasets["d"].by_hand == "ask"


@pytest.mark.parametrize(
    ("text", "other", "words"),
    [
        ("include: [none.yaml]", "models: {}", "there is no .*none.yaml to include"),
        ("include: other.yaml", "models: {}", "must be a list"),
        ("include: [other.yaml]", "include: [x]", "cannot include others"),
        ("include: [other.yaml]\nmodels: {m: {source: x}}", "models: {m: {source: y}}", "models.m stands in .* too"),
        ("include: [other.yaml]", "models: {m: {sauce: y}}", "other.yaml: models.m.sauce"),
        ("include: [other.yaml]", "datasets: {d: {}}", "datasets.d: .*by_hand"),
        ("include: [other.yaml]", "datasets: {d: {fils: []}}", "did you mean 'files'"),
        ("datasets: {d: x}", "models: {}", "such as into and files"),
    ],
)
def test_what_is_wrong_with_an_included_file_is_named(write, tmp_path, text, other, words):
    (tmp_path / "other.yaml").write_text(other)
    with pytest.raises(BadModelsFile, match=words):
        models.load_all(write(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models: {m: {sauce: x}}", ["models.m.sauce", "did you mean 'source'?"]),
        ("models: {m: {source: x, task: {metrik: mAP}}}", ["models.m.task.metrik", "did you mean 'metric'?"]),
        ("models: {m: {source: x, task: {metric: AP}}}", ["models.m.task.metric", "'mAP'", "'AP'"]),
        ("models: {m: {source: x, task: {type: detektion}}}", ["models.m.task.type", "'detection'"]),
        (
            "models: {m: {source: x, batch_sizes: [0]}}",
            ["models.m.batch_sizes.0", "greater than or equal to 1", "it is 0"],
        ),
        ("models: {m: {source: x, batch_sizes: many}}", ["models.m.batch_sizes", "'many'"]),
        ("models: {m: {source: x, versions: {0: original}}}", ["models.m.versions.0", "it is 0"]),
        ("models: {m: {source: x, versions: {one: original}}}", ["models.m.versions.one", "'one'"]),
        ("models: {m: {source: x, versions: {1: [original]}}}", ["models.m.versions.1", "['original']"]),
        ("models: {m: {source: x, versions: {}}}", ["models.m.versions", "at least 1 item"]),
        ("models: {m: {source: 3}}", ["models.m.source", "it is 3"]),
        ("models: {m: {name: x}}", ["models.m.name", "delete this line"]),
        ("models: {m/n: {source: x}}", ["models.m/n", "rename the entry"]),
        ("models: {m: }", ["models.m", "must be a mapping"]),
        ("models: {m: {source: x, versions: {1: a, 1: b}}}", ["1 stands twice", "line 1"]),
        ("models: {m: {source: x}, m: {source: y}}", ["m stands twice"]),
        ("models: {m: {source: x", ["not valid YAML"]),
        ("include: [/models.yaml]\nmodels: {}", ["'/models.yaml' cannot be included"]),
        ("include: ['']\nmodels: {}", ["'' cannot be included"]),
        ("model: {}", ["must hold one key, 'models'"]),
        ("", ["must hold one key, 'models'"]),
    ],
)
def test_what_is_wrong_is_named(write, text, words):
    path = write(text)

    with pytest.raises(BadModelsFile) as caught:
        models.load(path)

    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


def test_an_entry_may_borrow_from_another_and_say_some_of_it_anew(write):
    lines = ["models:", "  a: &a {source: x, batch_sizes: [1]}", "  b: &b {<<: *a, source: y}", "  c: {<<: *b}"]
    found = models.load(write("\n".join(lines)))

    assert [str(found[name].source) for name in "abc"] == ["x", "y", "y"]
    assert found["c"].batch_sizes == (1,)


def test_a_missing_file_names_the_option(tmp_path):
    with pytest.raises(BadModelsFile, match="--models"):
        models.load(tmp_path / "nothing.yaml")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "models.yaml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(BadModelsFile, match="UTF-8"):
        models.load(path)


def test_an_unknown_model_shows_the_near_miss(write):
    with pytest.raises(UnknownName, match="did you mean 'ssd'"):
        models.find("sssd", write(GOOD))


def test_an_undeclared_version_shows_the_declared_ones(write):
    with pytest.raises(UnknownName, match=r"1 \(original\), 2 \(quantized_weights\)"):
        models.find("ssd", write(GOOD)).recipe(3)


def test_data_of_a_well_known_model_that_nobody_fetched_hinders_no_build(tmp_path):
    entry = {"data": tmp_path / "absent"}
    fetched = {"fetch": {"homepage": "https://example.org", "files": [{"url": "https://example.org/a.pb"}]}}
    known, own = models.parse("known", {**entry, **fetched}, "here"), models.parse("own", entry, "here")

    assert known.without_unfetched_data().data is None
    assert own.without_unfetched_data().data == own.data
    (tmp_path / "absent").mkdir()
    assert known.without_unfetched_data().data == known.data
