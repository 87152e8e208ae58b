"""Ready entries as a user takes them: fetched or trained, converted, served and compared by their names alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from command_line import run
from publisher import publishing

from clients import Client
from clients.ask import Expert
from converters import graphs
from evaluation import pictures
from model_config import base_path, models, models_file
from serving import address

pytestmark = pytest.mark.slow

MASKS = "mask_rcnn_inception_resnet_v2"
BUILT = {"facenet": (1, 2), "chexnet": (1,), "mnist": (1,), MASKS: (1, 2)}


def versions(name):
    return [part for number in BUILT[name] for part in ("--version", number)]


def done(*argv, **kwargs):
    result = run(*argv, **kwargs)
    assert result.returncode == 0, result.stderr
    return result


def mnist(folder, material):
    """Its graph comes from its publisher's address, which is a server here; its digits are brought by hand."""
    text = models_file.files(models.MODELS_FILE)
    (entry,) = (path.read_text() for path in text if "\n  mnist:" in path.read_text())
    with publishing() as publisher:
        path = "/onnx/tensorflow-onnx/raw/main/tests/models/fc-layers/frozen.pb"
        publisher.files[path] = (material / "models" / "mnist_fc" / "frozen.pb").read_bytes()
        (folder / "mnist.yaml").write_text(entry.replace("https://github.com/onnx", publisher.url("/onnx")))
        done("model_config", "fetch", "mnist", "--models", folder / "mnist.yaml", "--no-data", cwd=folder)
    (folder / "data").mkdir(exist_ok=True)
    shutil.copytree(material / "data" / "mnist_t10k", folder / "data" / "mnist_t10k")


@pytest.fixture(scope="module")
def faces():
    import small_facenet

    return np.stack([np.full((small_facenet.SIZE,) * 2 + (3,), shade, np.uint8) for shade in (40, 200)])


@pytest.fixture(scope="module")
def house(tmp_path_factory, faces):
    """A folder with models as the entries expect them, built, and one server over all; their names, and embeddings."""
    import small_facenet
    import small_mask_rcnn
    from conftest import MATERIAL

    folder = tmp_path_factory.mktemp("house")
    asked = (faces.astype(np.float32) - 127.5) / 128
    wanted = small_facenet.save(folder / "sources" / "facenet" / small_facenet.NAME, asked)
    small_facenet.draw_faces(folder / "data" / "lfw")
    small_mask_rcnn.save(folder / "sources" / MASKS / "saved_model")
    small_mask_rcnn.draw_scenes(folder / "data" / "coco_val2017")
    done("training", "draw", "data/nih_chest_xray14", "--pictures", 48, cwd=folder)
    quick = ("--size", 32, "--batch", 16, "--head-epochs", 1, "--epochs", 0)
    trained = done("training", "chexnet", *quick, "--json", cwd=folder)
    names = ["facenet", "chexnet", MASKS]
    if MATERIAL.is_dir():
        mnist(folder, MATERIAL)
        names.append("mnist")
    for name in names:
        done("converters", "build", name, *versions(name), cwd=folder)
        done("model_config", "use", name, *versions(name), cwd=folder)
    return folder, wanted, json.loads(trained.stdout)


@pytest.fixture(scope="module")
def server(house):
    port = address.free_ports()
    done("serving", "up", "--backend", "embedded", "--port", port, "--detach", cwd=house[0])
    yield f"{address.LOCAL}:{port}"
    done("serving", "down", "--port", port, cwd=house[0])


def compared(server, folder, name, *options):
    """The rows of a comparison, by version."""
    quick = ("--requests", 10, "--warm-up", 1, "--batch", 1, "--concurrency", 1)
    done("clients", "compare", "--server", server, "--model", name, *versions(name), *quick, *options, cwd=folder)
    rows = json.loads((folder / "results" / name / "summary.json").read_text())["rows"]
    return {row["version"]: row for row in rows}


def test_mnist_is_fetched_and_as_right_as_known(material, server, house):
    rows = compared(server, house[0], "mnist", "--limit", 2000, "--ask-batch", 8)

    assert rows[1]["metric"]["value"] == pytest.approx(0.9405, abs=1e-9)


def test_facenet_answers_as_its_checkpoint(server, house, faces):
    entry = models.find("facenet")
    with Client(server, repository=house[0] / "models") as client:
        answers = Expert.connect(client, "facenet", 1, task=entry.task).ask(list(faces))[1]
    vectors = np.stack([each.vector for each in answers])

    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors, house[1], atol=1e-4)


def test_facenet_is_served_without_its_training(house):
    operations = {node.op for node in graphs.nodes(graphs.meta_graph(house[0] / "models" / "facenet" / "2").graph_def)}

    assert not operations & {"Switch", "Merge", "FIFOQueueV2", "QueueDequeueUpToV2", "RandomUniform", "ApplyAdam"}


def test_faces_are_verified_by_pairs(server, house):
    rows = compared(server, house[0], "facenet", "--ask-batch", 8)

    assert "accuracy" in rows[1]["metric"]["name"].lower()
    # three pictures of one subject differ by noise alone, those of two in everything
    assert rows[1]["metric"]["value"] >= 0.9
    assert rows[2]["agreement"] >= 0.9


def test_a_detector_with_masks_finds_what_is_there_one_picture_at_a_time(server, house):
    rows = compared(server, house[0], MASKS, "--batch", "1,8")

    assert [(row["metric"]["name"], row["metric"]["value"]) for row in rows.values()] == [("mAP", 1.0)] * 2
    assert rows[2]["agreement"] == 1.0
    # a batch of 8 would be answered for its first picture alone, and counted as 8
    assert [load["batch"] for load in rows[1]["loads"]] == [1]


def test_a_detector_with_masks_is_not_asked_about_several_pictures_at_a_time(server, house):
    chosen = ("--server", server, "--model", MASKS, "--version", 1)
    for command in (("compare", *chosen, "--ask-batch", 2), ("bench", *chosen, "--size", "64x64", "--batch", 8)):
        refused = run("clients", *command, cwd=house[0])

        assert refused.returncode == 1
        assert "is uint8 [1, any, any, 3], which leaves no room for a batch of" in refused.stderr


def test_a_detector_with_masks_says_what_it_found(server, house):
    image = house[0] / "data" / "coco_val2017" / "images" / "000000000002.png"
    chosen = ("--server", server, "--model", MASKS, "--version", 2, "--image", image)
    said = json.loads(done("clients", "predict", *chosen, "--json", cwd=house[0]).stdout)

    assert [(each["label"], each["score"]) for each in said["detections"]] == [("person", 0.9)]


def test_chexnet_gives_categories_and_scores(house):
    servable = base_path.require(house[0] / "models", "chexnet", 1).path
    function = tf.saved_model.load(str(servable)).signatures["serving_default"]
    names = sorted((house[0] / "data" / "nih_chest_xray14" / "images").iterdir())[:3]
    batch = np.stack([pictures.read(path)[::4, ::4] for path in names])
    found = {name: value.numpy() for name, value in function(image=tf.constant(batch)).items()}

    assert set(found) == {"categories", "scores"}
    labels = models.find("chexnet").task.labels
    assert [[each.decode() for each in row] for row in found["categories"]] == [list(labels)] * 3
    assert found["scores"].shape == (3, 14)
    assert ((found["scores"] > 0) & (found["scores"] < 1)).all()


def test_chexnets_auroc_is_the_same_asked_as_trained(server, house):
    """The client asks what the training kept out, prepares it the same way, and finds the same."""
    rows = compared(server, house[0], "chexnet")
    by_finding = house[2]["auroc"]

    assert rows[1]["metric"]["name"] == "AUROC"
    assert rows[1]["metric"]["value"] == pytest.approx(np.mean(list(by_finding.values())), abs=2e-3)


def test_what_was_tested_was_not_trained_on(house):
    folder = house[0]
    listed = (folder / "sources" / "chexnet" / "test.csv").read_text().splitlines()[1:]
    patients = {line.partition("_")[0] for line in listed}
    everybody = {path.name.partition("_")[0] for path in (folder / "data" / "nih_chest_xray14" / "images").iterdir()}

    assert listed
    assert patients < everybody
    assert not Path(folder, "sources", "chexnet", "fetched.json").exists()
