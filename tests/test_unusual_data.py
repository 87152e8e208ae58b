"""Data that is legal but unusual: files that leave something out, names of any kind, limits, classes of one name."""

from __future__ import annotations

import json
import os
import struct
import zlib

import numpy as np
import pytest

from evaluation import labels, pictures, truth
from evaluation.datasets import loading
from evaluation.datasets.limiting import spread
from evaluation.errors import BadDataset, BadPicture
from evaluation.metrics.average_precision import average_precision
from evaluation.tasks.detection import Detection
from evaluation.tasks.feeding import Feed
from model_config.data import Data
from model_config.signatures import Signature, Tensor

PICTURE = np.zeros((4, 6, 3), np.uint8)
BOX = {"id": 0, "image_id": 7, "category_id": 3, "bbox": [10, 10, 20, 20]}
CATS = [{"id": 3, "name": "cat"}]


def load(path, **more):
    return loading.load(Data(path=path, **more))


def coco(folder, encoding="utf-8", **more):
    index = {"images": [{"id": 7, "file_name": "x.png"}], "categories": CATS, "annotations": [BOX], **more}
    (folder / "instances.json").write_text(json.dumps(index), encoding=encoding)
    return load(folder)


def test_a_box_counts_whatever_its_number_and_though_its_area_is_left_out(tmp_path):
    """pycocotools itself takes a box of number 0 for one that nothing has matched."""
    dataset = coco(tmp_path, encoding="utf-8-sig")

    assert average_precision(dataset, {7: [Detection((10, 10, 30, 30), 3, "cat", 0.9)]}, "mAP") == pytest.approx(1)


@pytest.mark.parametrize("more", [{"annotations": []}, {"annotations": [], "categories": []}])
def test_an_index_without_boxes_is_pictures_without_labels(tmp_path, more):
    assert not coco(tmp_path, **more).labelled


@pytest.mark.parametrize("more", [{"annotations": [{**BOX, "bbox": []}]}, {"categories": []}, {"annotations": [7]}])
def test_a_wrong_index_is_said_to_be_one(tmp_path, more):
    with pytest.raises(BadDataset, match=r"is not COCO's instances\.json"):
        coco(tmp_path, **more)


def test_categories_that_the_model_numbers_otherwise_are_refused(tmp_path):
    dataset = coco(tmp_path)

    truth.require_fitting("detection", dataset, {3: "Cat", 4: "dog"})
    truth.require_fitting("detection", dataset, {3: "tabby"})  # the same in other words, as far as anybody can tell
    with pytest.raises(BadDataset, match=r"'cat' is class 3 of the .*, but class 17 of the model"):
        truth.require_fitting("detection", dataset, labels.load("coco"))


def test_two_classes_of_one_label_are_told_apart_by_their_numbers(tmp_path):
    for name in ("crane", "135"):
        pictures.write(PICTURE, tmp_path / name / "a.png")
    dataset, known = load(tmp_path), {134: "heron", 135: "crane", 518: "crane"}
    words = truth.in_words_of("classification", dataset, known)

    assert words(dataset.questions[0].label).guesses[0].number == 135
    with pytest.raises(BadDataset, match=r"'crane', which is the label of the model's classes 135 and 518"):
        words(dataset.questions[1].label)


@pytest.mark.parametrize(("limit", "kept"), [(None, 11), (1, 1), (7, 7), (11, 11), (40, 11)])
def test_a_limit_is_reached_exactly_and_in_order(limit, kept):
    places = spread(11, limit)

    assert len(places) == kept
    assert sorted(set(places)) == list(places)
    assert spread(0, limit) == []


def test_a_limited_number_of_pairs_has_all_folds_and_pictures_of_whole_pairs(tmp_path):
    lines = [f"Ann\t{n}\t{n + 1}" if n % 2 else f"Ann\t{n}\tBob\t{n}" for n in range(200)]
    (tmp_path / "pairs.txt").write_text("10\t10\n" + "\n".join(lines))
    dataset = load(tmp_path, limit=50)

    assert len(dataset.questions) <= 50
    assert len(dataset.pairs) == 25
    assert max(max(pair.left, pair.right) for pair in dataset.pairs) < len(dataset.questions)
    assert {pair.fold for pair in dataset.pairs} == set(range(10))


def test_findings_are_found_by_name_or_by_place_and_never_by_chance(tmp_path):
    for name in ("a/1.png", "b/1.png", "b/ü 2.png", "3.png", "b/3.png"):
        pictures.write(PICTURE, tmp_path / name)
    rows = ["Image Index,Finding Labels", "b/1.png,Mass", "1.png,Mass", "ü 2.png,", "3.png,Mass|Hernia"]
    (tmp_path / "table.csv").write_bytes("\r\n".join(rows).encode("utf-8-sig"))
    placed, doubtful, alone, above = load(tmp_path).questions

    assert [each.path for each in (placed, alone, above)] == [
        tmp_path / name for name in ("b/1.png", "b/ü 2.png", "3.png")
    ]
    with pytest.raises(BadPicture, match=r"line 3 names 1\.png, which is 2 times in the folder"):
        doubtful.read()


def test_a_file_name_of_any_bytes_can_be_asked_and_shown(tmp_path):
    for folder in ("x", "y"):
        pictures.write(PICTURE, tmp_path / folder / "a.png")
    (tmp_path / "x" / "a.png").rename(tmp_path / "x" / os.fsdecode(b"caf\xe9.png"))
    dataset = load(tmp_path)

    assert dataset.questions[0].name == "x/caf\N{REPLACEMENT CHARACTER}.png"
    assert dataset.questions[0].read().shape == PICTURE.shape


def test_a_picture_that_claims_more_pixels_than_memory_holds_is_none(tmp_path):
    def part(kind, content=b""):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = part(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    (tmp_path / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + part(b"IDAT") + part(b"IEND"))

    with pytest.raises(BadPicture, match=r"large\.png is no picture that can be decoded"):
        pictures.read(tmp_path / "large.png")


def test_an_npz_keeps_the_names_of_inputs_and_strings_go_to_inputs_of_strings(tmp_path):
    np.savez(tmp_path / "x.npz", **{"text/words.1": np.array([b"one", b"two"]), "labels": np.arange(2)})
    rows = [each.read() for each in load(tmp_path / "x.npz").questions]
    signature = Signature("predict", {"text/words.1": Tensor("string", (None,))}, {})

    inputs, _ = Feed(signature).encode(rows)
    assert inputs["text/words.1"].tolist() == [b"one", b"two"]
    assert inputs["text/words.1"].dtype == np.object_


def test_a_table_of_one_label_is_read_whichever_column_has_the_number(tmp_path):
    (tmp_path / "one.csv").write_text("cat,3\n")

    assert labels.load(str(tmp_path / "one.csv")) == {3: "cat"}
