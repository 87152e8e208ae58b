"""Real models of other people's, asked through their tasks as models.yaml describes them."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from command_line import run, run_here

from clients import Client, errors
from clients.ask import Expert
from clients.compare import judging
from clients.compare import run as comparing
from evaluation import pictures
from evaluation.datasets import loading
from model_config import models
from model_config.data import Data
from serving import address

pytestmark = pytest.mark.slow

MODELS = """
models:
  mnist:
    source: {material}/models/mnist_fc/frozen.pb
    versions: {{1: original, 2: quantized_weights}}
    data: {{path: {material}/data/mnist_t10k, limit: 2000}}
    task:
      type: classification
      encode: {{size: [28, 28], colour: grey, scale: 255, layout: flat}}
      decode: {{activation: softmax, top: 3}}
  resnet:
    source: {material}/models/resnet8_cifar10/pretrainedResnet.h5
    versions: {{1: original, 2: quantized_weights}}
    task: {{type: classification}}
  mobilenet:
    source: {material}/models/mobilenet_v2_imagenet/mobilenet_v2_1.0_224_frozen.pb
    versions: {{1: original, 2: quantized_weights}}
    data: {{path: {material}/data/cc0_detection, format: pictures, pictures: {material}/data/images}}
    batch_sizes: [1, 2]
    task:
      type: classification
      labels: {material}/models/mobilenet_v2_imagenet/labels.txt
      encode: {{mean: 127.5, scale: 127.5, fit: crop, interpolation: area}}
  deep_image:
    task:
      type: classification
      encode: {{size: [224, 224], file: jpg, base64: true}}
      decode: {{outputs: {{scores: softmax}}}}
"""
BUILT = ("mnist", "mobilenet", "resnet")
FOREIGN = {
    "deep_image": "deep_image_model",
    "template": "tensorflow_template_application_model",
    "estimator": "tensorflow_estimator_model",
}


@pytest.fixture(scope="module")
def known(material, tmp_path_factory):
    """The models file, with two of its models built."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "models.yaml").write_text(MODELS.format(material=material))
    for name in BUILT:
        places = ("--models", folder / "models.yaml", "--repository", folder / "models")
        done = run_here("converters", "build", name, *places)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def server(known, material):
    places = {name: known / "models" / name for name in BUILT}
    foreign = material / "models" / "simple_saved_models" / "models"
    places.update({name: foreign / folder for name, folder in FOREIGN.items()})
    entries = "".join(
        f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" '
        "model_version_policy { all {} } }"
        for name, path in places.items()
    )
    (known / "all.config").write_text(f"model_config_list {{ {entries} }}")
    port = address.free_port()
    command = [sys.executable, "-m", "serving.embedded", f"--port={port}"]
    with subprocess.Popen(
        [*command, f"--model_config_file={known / 'all.config'}"], stderr=subprocess.DEVNULL
    ) as child:
        wait(f"{address.LOCAL}:{port}", child, places)
        yield f"{address.LOCAL}:{port}"
        child.terminate()


def wait(server, child, names):
    with Client(server, timeout_s=5) as client:
        for _ in range(600):
            assert child.poll() is None
            try:
                if all(state.state == "AVAILABLE" for name in names for state in client.status(name)):
                    return
            except errors.ClientError:
                pass
            time.sleep(0.1)
    raise AssertionError("the models did not load")


@pytest.fixture
def client(server, known):
    with Client(server, repository=known / "models") as client:
        yield client


def expert(client, known, name):
    return Expert.connect(client, name, None, task=models.find(name, known / "models.yaml").task)


def digits(material, count):
    folder = material / "data" / "mnist_t10k"
    pixels = np.frombuffer(gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    wanted = np.frombuffer(gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    grey = pixels.reshape(-1, 28, 28)[:count]
    return [cv2.cvtColor(each, cv2.COLOR_GRAY2RGB) for each in grey], wanted[:count]


def test_written_digits_are_read(client, known, material):
    written, wanted = digits(material, 300)
    reader = expert(client, known, "mnist")
    said = [reader.ask([each])[1][0].guesses[0].number for each in written]

    assert np.mean(said == wanted) > 0.9


def test_a_beagle_is_a_beagle_alone_and_in_a_batch(client, known, material):
    dogs, kites = (
        pictures.read(material / "data" / "images" / name) for name in ("image1_dogs.jpg", "image2_kites.jpg")
    )
    judge = expert(client, known, "mobilenet")
    _, (alone,) = judge.ask([dogs])
    _, (together, _) = judge.ask([dogs, kites])

    assert [guess.label for guess in alone.guesses[:2]] == ["beagle", "English foxhound"]
    assert alone.guesses[0].score == pytest.approx(together.guesses[0].score, abs=1e-3)


def test_a_batch_larger_than_the_manifest_declares_is_not_sent(client, known, material):
    dogs = pictures.read(material / "data" / "images" / "image1_dogs.jpg")
    with pytest.raises(errors.WrongBatch, match="declares batches of 1, 2; send at most 2"):
        expert(client, known, "mobilenet").ask([dogs] * 3)


def test_encoded_pictures_go_as_strings(client, known, material):
    dogs = pictures.read(material / "data" / "images" / "image1_dogs.jpg")
    asked = expert(client, known, "deep_image")
    _, (answer,) = asked.ask([dogs])
    inputs, _ = asked.task.encode([dogs])
    outputs = client.predict("deep_image", inputs).outputs

    assert outputs["softmax"].sum() == pytest.approx(1)
    assert answer.guesses[0].number == outputs["prediction"][0]


def test_strings_that_are_no_examples_are_told(client):
    with pytest.raises(errors.BadExample, match=r"send serialised tf\.Example records"):
        client.predict("estimator", {"inputs": [b"no example"]})


def test_two_versions_answer_for_themselves_and_a_wrong_input_is_named(client):
    inputs = {"features": np.ones((2, 9), np.float32), "keys": np.array([[7], [8]], np.int32)}
    for version in (1, 2):
        answer = client.predict("template", inputs, version=version, outputs=["keys", "prediction"])

        assert answer.version == version
        assert answer.outputs["keys"].tolist() == [[7], [8]]
    with pytest.raises(errors.WrongShape, match=r"features came as \[2, 8\], but wanted is float32 \[any, 9\]"):
        client.predict("template", {**inputs, "features": np.ones((2, 8), np.float32)})


def test_the_command_takes_the_way_from_models_yaml(server, known, material):
    image = material / "data" / "images" / "image1_dogs.jpg"
    arguments = ("--server", server, "--model", "mobilenet", "--models", known / "models.yaml")
    done = run("clients", "predict", image, *arguments)

    assert done.returncode == 0, done.stderr
    assert "beagle" in done.stdout


def compared(server, known, name, output, *more):
    """What the versions' answers are worth, as the command leaves them."""
    places = ("--models", known / "models.yaml", "--repository", known / "models", "--output", output)
    chosen = ("--server", server, "--model", name, "--version", 1, "--version", 2, "--requests", 2, "--warm-up", 0)
    one_load = ("--batch", 1, "--concurrency", 1)
    done = run("clients", "compare", *chosen, *one_load, *places, *more)
    assert done.returncode in (0, 3), done.stderr  # whatever the verdict is
    entry = models.find(name, known / "models.yaml")
    with comparing.stores(output, (1, 2)) as files:
        return judging.judge(files, loading.load(Data(path=more[1]) if more else entry.data), entry.task)


def test_written_digits_are_compared_by_their_classes(server, known, tmp_path):
    found = compared(server, known, "mnist", tmp_path)

    assert found.accuracy[1].asked == 2000
    assert found.accuracy[1].scores[0].value == pytest.approx(0.9405, abs=0.0005)
    assert found.accuracy[2].scores[0].difference.low <= 0 <= found.accuracy[2].scores[0].difference.high
    assert found.accuracy[2].agreement.value > 0.99
    assert set(found.accuracy[1].per_class) == set("0123456789")


def test_photos_without_labels_are_compared_by_what_versions_say(server, known, tmp_path):
    found = compared(server, known, "mobilenet", tmp_path)

    assert found.accuracy[1].scores == ()
    assert found.accuracy[1].asked == 3
    assert {example.name for example in found.examples} == {"000000008021.jpg", "image1_dogs.jpg", "image2_kites.jpg"}
    assert found.accuracy[2].drift[0].cosine > 0.9


def test_arrays_of_pictures_go_to_a_keras_model_as_it_takes_them(server, known, material, tmp_path):
    photos = [pictures.read(path) for path in sorted((material / "data" / "images").iterdir())]
    np.savez(
        tmp_path / "small.npz",
        x=np.stack([cv2.resize(each, (32, 32), interpolation=cv2.INTER_AREA) for each in photos]),
    )
    found = compared(server, known, "resnet", tmp_path / "out", "--data", tmp_path / "small.npz")

    assert found.accuracy[2].asked == len(photos)
    assert found.accuracy[2].agreement.value == 1.0
    assert found.accuracy[2].drift[0].cosine > 0.99
