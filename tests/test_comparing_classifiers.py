"""Comparisons of classifiers: answers that are none, labels that do not fit, tensors; all on a real server."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from command_line import assert_one_sentence, run

from clients.compare import judging
from clients.compare import run as comparing
from evaluation import pictures
from evaluation.datasets import loading
from model_config.data import Data
from model_config.models import Task

VERSIONS = (1, 2)


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory):
    """A server over a classifier whose version 2 divides by the darkest pixel."""
    import tensorflow as tf

    from serving import address

    folder = tmp_path_factory.mktemp("doubtful")
    for version in VERSIONS:
        module = tf.Module()

        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, name="x")])
        def scores(x, version=version):
            least = tf.reduce_min(x, (1, 2, 3))
            return {"scores": tf.reduce_mean(x, (1, 2)) / (tf.ones_like(least) if version == 1 else least)[:, None]}

        module.scores = scores
        tf.saved_model.save(module, str(folder / "models" / "net" / str(version)), signatures=scores)
    up = ("serving", "up", "--model", "net", "--version", 1, "--version", 2, "--repository", folder / "models")
    port = address.free_ports()
    done = run(*up, "--backend", "embedded", "--port", port, "--detach", cwd=folder)
    assert done.returncode == 0, done.stderr
    models = {"net": {"source": "x", "task": {"type": "classification", "labels": ["bright", "dark", "red"]}}}
    (folder / "models.yaml").write_text(yaml.safe_dump({"models": models}))
    yield (
        "clients",
        "compare",
        "--server",
        f"{address.LOCAL}:{port}",
        "--model",
        "net",
        "--models",
        folder / "models.yaml",
    )
    assert run("serving", "down", "--port", port, cwd=folder).returncode == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_nan_in_an_answer_names_version_and_picture(doubtful, tmp_path, workers):
    for name, least in (("bright/a", 9), ("bright/b", 7), ("dark/c", 0)):
        pixels = np.random.default_rng(1).integers(least, 200, (8, 8, 3), np.uint8)
        pixels[0, 0] = least
        pictures.write(pixels, tmp_path / "data" / f"{name}.png")
    data, quick = ("--data", tmp_path / "data"), ("--requests", 2, "--warm-up", 0)
    command = (*doubtful, *data, *quick, "--workers", workers)
    both = run(*command, "--version", 1, "--version", 2, "--output", tmp_path / "both")
    alone = run(*command, "--version", 1, "--output", tmp_path / "alone")

    assert_one_sentence(both, "version 2 answered NaN or an infinite number in output scores about dark/c.png")
    assert alone.returncode == 0, alone.stderr


def test_labels_that_do_not_fit_are_told_before_anything_is_asked(doubtful, tmp_path):
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 2, 20, 20], "area": 400, "iscrowd": 0}
    cats = {"categories": [{"id": 1, "name": "cat"}], "images": [{"id": 1, "file_name": "a.png"}], "annotations": [box]}
    (tmp_path / "instances.json").write_text(json.dumps(cats))
    done = run(*doubtful, "--version", 1, "--data", tmp_path, "--output", tmp_path / "out")

    assert_one_sentence(done, "another kind than one class each", "--format pictures")
    assert not (tmp_path / "out").exists()


def test_tensors_go_to_a_model_as_they_are(doubtful, tmp_path):
    rows = np.random.default_rng(1).uniform(1, 2, (40, 8, 8, 3))
    np.savez(tmp_path / "rows.npz", x=rows, labels=rows.mean((1, 2)).argmax(1))
    command = (
        *doubtful,
        "--data",
        tmp_path / "rows.npz",
        "--requests",
        2,
        "--warm-up",
        0,
        "--ask-batch",
        16,
        "--workers",
        2,
    )
    done = run(*command, "--version", 1, "--version", 2, "--output", tmp_path / "out", "--json")

    assert done.returncode == 0, done.stderr
    with comparing.stores(tmp_path / "out", VERSIONS) as files:
        found = judging.judge(files, loading.load(Data(path=tmp_path / "rows.npz")), Task(type="classification"))
    assert [each.value for each in found.accuracy[1].scores] == [1.0, 1.0]
    assert found.accuracy[1].asked == 40
