"""Every format of labelled data from files as their publishers lay them out, and what is told where they are wrong."""

from __future__ import annotations

import gzip
import json
import struct
import tracemalloc

import numpy as np
import pytest

from evaluation import pictures, truth
from evaluation.datasets import loading
from evaluation.datasets.questions import ClassName, ClassNumber, Findings, Flags, Subject
from evaluation.errors import BadDataset, BadPicture
from model_config import models
from model_config.data import Data
from model_config.errors import BadModelsFile

RNG = np.random.default_rng(3)


def draw(path, shape=(10, 12, 3)):
    pictures.write(RNG.integers(0, 256, shape, np.uint8), path)
    return path


def load(path, **more):
    return loading.load(Data(path=path, **more))


def idx(array, kind=8):
    header = bytes((0, 0, kind, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def test_a_folder_a_class_gives_every_class_its_share_of_a_limited_number(tmp_path):
    for name in ("cat", "dog"):
        for number in range(6):
            draw(tmp_path / name / f"{number}.png")
    dataset = load(tmp_path, limit=4)

    assert [each.name for each in dataset.questions] == ["cat/0.png", "cat/3.png", "dog/0.png", "dog/3.png"]
    assert [each.label for each in dataset.questions] == [ClassName("cat")] * 2 + [ClassName("dog")] * 2
    assert dataset.questions[0].read().shape == (10, 12, 3)


@pytest.fixture
def xrays(tmp_path):
    """The NIH's layout: pictures spread over folders, and one file that is listed but not there."""
    draw(tmp_path / "images_001" / "images" / "a.png")
    draw(tmp_path / "images_002" / "images" / "b.png")
    lines = ["Image Index,Finding Labels,Follow-up #", "a.png,Cardiomegaly|Pleural_Thickening,0", "b.png,No Finding,1"]
    (tmp_path / "Data_Entry_2017.csv").write_text("\n".join([*lines, "c.png,Mass,2", "nothing", ""]))
    return tmp_path


def test_findings_come_from_the_nihs_table_and_what_is_wrong_in_it_is_named(xrays):
    dataset = load(xrays)

    labels = [Findings(("Cardiomegaly", "Pleural_Thickening")), Findings(()), Findings(("Mass",))]
    assert [each.label for each in dataset.questions] == labels
    assert dataset.questions[1].read().shape == (10, 12, 3)
    assert dataset.unread == ("Data_Entry_2017.csv, line 5: it does not name a file and labels",)
    with pytest.raises(BadPicture, match=r"line 4 names c.png, which is nowhere"):
        dataset.questions[2].read()


def test_findings_are_the_models_classes_whatever_their_spelling(xrays):
    dataset = load(xrays)
    words = truth.in_words_of("multi_label", dataset, {0: "Mass", 1: "Pleural Thickening", 2: "cardiomegaly"})

    assert [each.present for each in words(dataset.questions[0].label).guesses] == [False, True, True]
    with pytest.raises(BadDataset, match=r"class 'Mass', which is no label of the model"):
        truth.in_words_of("multi_label", dataset, {0: "Hernia"})(dataset.questions[2].label)


PAIRS = "10\t1\n" + "".join(f"Ann\t{n}\t{n + 1}\nAnn\t{n}\tBob\t1\n" for n in range(1, 11))


@pytest.fixture
def faces(tmp_path):
    """Labeled Faces in the Wild's layout, ten folds of one pair each kind."""
    for number in range(1, 12):
        draw(tmp_path / "lfw" / "Ann" / f"Ann_{number:04}.jpg")
    draw(tmp_path / "lfw" / "Bob" / "Bob_0001.jpg")
    (tmp_path / "pairs.txt").write_text(PAIRS)
    return tmp_path


def test_every_picture_of_pairs_is_asked_once_and_folds_are_the_files(faces):
    dataset = load(faces)

    assert [each.name for each in dataset.questions[:3]] == ["Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg", "Bob/Bob_0001.jpg"]
    assert dataset.questions[2].label == Subject("Bob")
    assert len(dataset.questions) == 12
    assert [(pair.left, pair.right, pair.same, pair.fold) for pair in dataset.pairs[:3]] == [
        (0, 1, True, 0),
        (0, 2, False, 0),
        (1, 3, True, 1),
    ]
    assert {pair.fold for pair in dataset.pairs} == set(range(10))


def test_a_line_that_is_no_pair_is_named(faces):
    (faces / "pairs.txt").write_text(PAIRS + "Ann one two\n")

    assert load(faces).unread == ("pairs.txt, line 22: it is no pair (NAME N M, or NAME N OTHER M)",)


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_pictures_of_one_colour_with_their_classes(packed, tmp_path):
    grey, ending = RNG.integers(0, 256, (5, 4, 3), np.uint8), ".gz" if packed else ""
    write = gzip.compress if packed else bytes
    (tmp_path / f"t10k-images-idx3-ubyte{ending}").write_bytes(write(idx(grey)))
    (tmp_path / f"t10k-labels-idx1-ubyte{ending}").write_bytes(write(idx(np.arange(5, dtype=np.uint8))))
    dataset = load(tmp_path, limit=3)

    assert [each.label for each in dataset.questions] == [ClassNumber(0), ClassNumber(1), ClassNumber(2)]
    np.testing.assert_array_equal(dataset.questions[2].read(), np.repeat(grey[2][:, :, None], 3, 2))
    assert not dataset.tensors


def test_of_mnists_four_files_the_test_set_is_meant(tmp_path):
    for part, count in (("train", 4), ("t10k", 2)):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(np.zeros((count, 2, 2), np.uint8)))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.zeros(count, np.uint8)))

    assert len(load(tmp_path).questions) == 2


def test_an_npz_gives_tensors_by_input_name_or_pictures(tmp_path):
    features, flags = RNG.random((3, 9)), np.eye(3, 4)
    np.savez(tmp_path / "rows.npz", features=features, keys=np.arange(3), labels=flags.astype(int))
    np.savez_compressed(
        tmp_path / "keras.npz", x_train=features, x_test=np.zeros((2, 8, 8, 3), np.uint8), y_test=[[4], [5]]
    )
    rows, keras = load(tmp_path / "rows.npz"), load(tmp_path / "keras.npz")

    np.testing.assert_array_equal(rows.questions[1].read()["features"], features[1])
    assert rows.questions[1].read()["keys"] == 1
    assert rows.questions[1].label == Flags((False, True, False, False))
    assert rows.tensors
    assert [each.label for each in keras.questions] == [ClassNumber(4), ClassNumber(5)]
    assert keras.questions[0].read().shape == (8, 8, 3)


def test_pictures_without_labels_are_asked_too(tmp_path):
    draw(tmp_path / "b.png")
    draw(tmp_path / "a.jpg")
    (tmp_path / "notes.txt").write_text("no picture")
    dataset = load(tmp_path)

    assert [each.name for each in dataset.questions] == ["a.jpg", "b.png", "notes.txt"]
    assert not dataset.labelled
    with pytest.raises(BadPicture, match=r"notes.txt is no picture"):
        dataset.questions[2].read()


def test_coco_as_it_is_downloaded_has_its_pictures_beside_the_annotations(tmp_path):
    draw(tmp_path / "val2017" / "1.jpg")
    (tmp_path / "annotations").mkdir()
    index = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [], "categories": []}
    path = tmp_path / "annotations" / "instances_val2017.json"
    path.write_text(json.dumps(index))

    assert load(path).questions[0].read().shape == (10, 12, 3)


def test_the_same_data_has_the_same_hash_wherever_it_lies_and_any_change_another(xrays, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy") / "xrays"
    xrays.rename(copy)
    before = load(copy).sha256
    copy.rename(xrays)

    assert load(xrays).sha256 == before
    draw(xrays / "images_001" / "images" / "c.png")
    assert load(xrays).sha256 != before


def test_a_large_array_is_not_read_into_memory(tmp_path):
    np.savez(tmp_path / "large.npz", x=np.zeros((64, 2**18), np.float32), labels=np.zeros(64, int))
    tracemalloc.start()
    dataset = load(tmp_path / "large.npz")
    total = sum(float(question.read()["x"].sum()) for question in dataset.questions)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert total == 0
    assert peak < 2**23  # of 64 MB


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.npz", b"PK no zip", "no npz file that can be read"),
        ("t10k-images-idx3-ubyte.gz", gzip.compress(idx(np.zeros((5, 4, 4), np.uint8)))[:-30], "damaged"),
        ("t10k-images-idx3-ubyte", idx(np.zeros((5, 4, 4), np.uint8))[:-9], "only a part of one"),
        ("t10k-images-idx3-ubyte", idx(np.zeros((4, 4, 4), np.uint8)), "holds 4 rows, but t10k-labels-idx1-ubyte 5"),
        ("findings.csv", b"\xff\xfe\0", "no CSV that can be read"),
        ("pairs.txt", b"10 300\n", "lists no pairs"),
        ("notes.txt", b"nothing", "no data set of a known format"),
    ],
)
def test_what_is_no_data_set_is_said_in_one_sentence(name, content, words, tmp_path):
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(5, np.uint8)))
    (tmp_path / name).write_bytes(content)

    with pytest.raises(BadDataset, match=words):
        load(tmp_path / name)


def test_labels_of_another_kind_than_the_tasks_are_refused(faces):
    dataset = load(faces)

    with pytest.raises(BadDataset, match="another kind than boxes"):
        truth.in_words_of("detection", dataset, {})(dataset.questions[0].label)


def test_models_yaml_takes_a_path_or_a_mapping():
    long = {"path": "x.csv", "format": "findings", "pictures": "p", "limit": 7}
    short, full = (models.parse("m", {"data": data}, "test").data for data in ("x", long))

    assert (str(short.path), short.format, str(full.pictures), full.limit) == ("x", None, "p", 7)
    with pytest.raises(BadModelsFile, match=r"data.formt: no such key; did you mean 'format'"):
        models.parse("m", {"data": {"path": "x", "formt": "coco"}}, "test")
