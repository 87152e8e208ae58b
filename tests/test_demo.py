"""The demo: its pictures, its detector's bar, and the whole run as a newcomer sees it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import run

from demo import anchors, shapes, train
from evaluation.datasets import loading
from model_config import models
from model_config.data import Data

ROOT = Path(__file__).parents[1]


def test_a_picture_is_the_same_for_the_same_seed_and_another_for_another():
    one, same, other = shapes.draw(1, 5), shapes.draw(1, 5), shapes.draw(2, 5)

    np.testing.assert_array_equal(one.picture, same.picture)
    np.testing.assert_array_equal(one.boxes, same.boxes)
    assert (one.picture != other.picture).any()


def test_pictures_have_several_objects_of_every_kind_that_overlap_too():
    scenes = list(shapes.series(3, 60))

    assert {len(scene.boxes) for scene in scenes} >= {1, 2, 3, 4, 5, 6}
    assert {kind for scene in scenes for kind in scene.classes.tolist()} == {1, 2, 3, 4}
    assert any(overlapping(scene.boxes) for scene in scenes)
    for scene in scenes:
        assert (scene.boxes[:, :2] >= 0).all()
        assert (scene.boxes[:, 2:] <= shapes.SIZE).all()


def overlapping(boxes):
    low, high = np.maximum(boxes[:, None, :2], boxes[None, :, :2]), np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    return np.triu((high > low).all(axis=2), 1).any()


def test_a_box_is_matched_to_the_anchor_that_is_the_box():
    scene = shapes.draw(1, 0)
    labels, offsets = anchors.encode(scene.boxes / shapes.SIZE, scene.classes)

    assert set(scene.classes.tolist()) <= set(labels.tolist())
    assert np.isfinite(offsets).all()


def test_a_data_set_is_written_once_in_cocos_format(tmp_path):
    folder = shapes.write_dataset(tmp_path / "data", 3, seed=9)
    written = (folder / "instances.json").stat().st_mtime_ns
    shapes.write_dataset(tmp_path / "data", 3, seed=9)
    dataset = loading.load(Data(path=folder))

    assert (folder / "instances.json").stat().st_mtime_ns == written
    assert len(dataset.questions) == 3
    assert len(dataset.questions[0].label.detections) == len(shapes.draw(9, 0).boxes)
    assert len(loading.load(Data(path=shapes.write_dataset(tmp_path / "data", 4, seed=9))).questions) == 4


def test_the_labels_in_models_yaml_are_the_shapes():
    assert models.find("demo").task.labels == shapes.LABELS


def test_a_short_training_gives_a_servable_that_is_kept(tmp_path):
    plan = train.Plan(pictures=8, steps=2)
    folder = train.ensure(tmp_path, plan)
    made = (folder / "saved_model.pb").stat().st_mtime_ns

    assert train.ensure(tmp_path, plan) == folder
    assert (folder / "saved_model.pb").stat().st_mtime_ns == made


@pytest.mark.slow
def test_the_demo_ends_with_a_table_a_summary_and_a_page(tmp_path):
    if (ROOT / ".cache" / "demo").exists():  # trained already by make demo: the bar below holds for it all the same
        shutil.copytree(ROOT / ".cache" / "demo", tmp_path / ".cache" / "demo")
    done = run("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "results" / "demo" / "summary.json").read_text())["rows"]

    assert [(row["version"], row["recipe"]) for row in rows] == [(1, "original"), (2, "quantized_weights")]
    for row in rows:
        assert row["metric"]["name"] == "mAP@0.5"
        assert row["metric"]["value"] >= 0.80
        assert row["agreement"] >= 0.95
        assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
    assert rows[1]["size_bytes"] < 0.45 * rows[0]["size_bytes"]
    assert "quantized_weights" in done.stdout
    assert (tmp_path / "results" / "demo" / "report.html").stat().st_size > 100_000
    assert list((tmp_path / ".serving").glob("*.json")) == []
