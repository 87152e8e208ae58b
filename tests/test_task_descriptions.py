"""Models as models.yaml describes them: what becomes of pictures, and of answers."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest
import yaml
from described import boxes, signature

from evaluation.tasks import prepared
from evaluation.tasks.embedding import Embedded
from evaluation.tasks.placing import placed
from model_config import models
from model_config.errors import SuiteError
from model_config.models import Task
from model_config.tasks import Encode

KNOWN = yaml.safe_load("""
ssd:
  source: x
  task: {type: detection, labels: [cat, dog]}
retinanet:
  source: x
  task:
    type: detection
    labels: [cat, dog]
    encode: {size: [80, 120], fit: pad, colour: bgr, mean: [103.939, 116.779, 123.68]}
    decode: {outputs: {boxes: boxes, scores: scores, classes: labels}, boxes: xyxy, units: pixels, first_class: 0}
resnet:
  source: x
  task: {type: classification, encode: {size: [224, 224], colour: bgr, mean: [103.939, 116.779, 123.68]}}
mobilenet:
  source: x
  task: {type: classification, encode: {size: [224, 224], mean: 127.5, scale: 127.5}, decode: {top: 1}}
chexnet:
  source: x
  task:
    type: multi_label
    labels: [Atelectasis, Cardiomegaly, Effusion]
    encode: {size: [224, 224], mean: [123.675, 116.28, 103.53], scale: [58.395, 57.12, 57.375]}
    decode: {activation: sigmoid, threshold: 0.5}
facenet:
  source: x
  task: {type: embedding, encode: {size: [160, 160], per_picture: true}}
digits:
  source: x
  task:
    type: classification
    encode: {size: [28, 28], colour: grey, scale: 255, layout: flat}
    decode: {activation: softmax}
torch:
  source: x
  task: {type: classification, encode: {size: [224, 224], scale: 255, layout: nchw, fit: crop}}
""")


def task(name):
    return models.parse(name, KNOWN[name], name).task


def ready_for(name, outputs=("scores",), dtype="float32", shape=None):
    return prepared.prepared(task(name), signature(outputs, dtype, shape))


@pytest.fixture
def square(pictures):
    """A picture of the size that the networks take, so that nothing is resized."""
    return np.random.default_rng(1).integers(0, 256, (224, 224, 3), np.uint8)


@pytest.mark.parametrize(
    ("name", "module"), [("resnet", "resnet50"), ("mobilenet", "mobilenet_v2"), ("chexnet", "densenet")]
)
def test_pixels_become_what_keras_makes_of_them(name, module, square):
    import keras

    inputs, _ = ready_for(name).encode([square])
    theirs = getattr(keras.applications, module).preprocess_input(square[None].astype(np.float32))

    assert inputs["image"].dtype == np.float32
    np.testing.assert_allclose(inputs["image"], theirs, atol=1e-3)


def test_a_picture_is_normalised_by_itself_as_tensorflow_does_it():
    import tensorflow as tf

    picture = np.random.default_rng(1).integers(0, 256, (160, 160, 3), np.uint8)
    inputs, _ = ready_for("facenet").encode([picture, np.full_like(picture, 7)])

    np.testing.assert_allclose(inputs["image"][0], tf.image.per_image_standardization(picture), atol=1e-4)
    assert not inputs["image"][1].any()


def test_digits_are_rows_of_grey_pixels(square):
    inputs, _ = ready_for("digits", shape=(None, 784)).encode([square])
    grey = cv2.resize(square, (28, 28))

    assert inputs["image"].shape == (1, 784)
    np.testing.assert_allclose(inputs["image"][0] * 255, cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY).ravel(), atol=1e-4)


def test_channels_may_come_first(square):
    inputs, _ = ready_for("torch", shape=(None, 3, 224, 224)).encode([square])

    np.testing.assert_allclose(inputs["image"][0, 1], square[:, :, 1] / 255, atol=1e-6)


def test_the_size_comes_from_the_signature_where_it_is_fixed_there(pictures):
    shape = (None, 20, 30, 3)
    inputs, _ = prepared.prepared(Task(type="classification"), signature(("s",), "uint8", shape)).encode(pictures)

    assert inputs["image"].shape == (8, 20, 30, 3)


def test_pictures_of_several_sizes_make_a_batch_only_where_the_input_has_one_size():
    sizes = [np.zeros((30, 20, 3), np.uint8), np.zeros((10, 20, 3), np.uint8)]

    assert ready_for("resnet").encode(sizes)[0]["image"].shape == (2, 224, 224, 3)
    with pytest.raises(SuiteError, match="one size, not 20x10, 20x30"):
        ready_for("ssd", boxes(1), "uint8").encode(sizes)


@pytest.mark.parametrize(("dtype", "wanted"), [("float16", np.float16), ("int32", np.int32), ("float64", np.float64)])
def test_pixels_take_the_type_of_the_input(dtype, wanted, pictures):
    inputs, _ = prepared.prepared(Task(), signature(boxes(1), dtype)).encode(pictures)

    assert inputs["image"].dtype == wanted
    assert np.array_equal(inputs["image"], np.stack(pictures))


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(50, 100), (100, 50), (64, 64), (7, 300)])
def test_boxes_go_to_the_input_and_back(fit, size):
    place = placed(size, (64, 64), fit)
    picture = np.zeros((*size, 3), np.uint8)

    assert place.put(picture, "area").shape == (64, 64, 3)
    there = np.array([[2.0, 3.0, 5.0, 6.0]])
    scale = np.tile(np.divide(place.resized, size), 2)
    np.testing.assert_allclose(place.back(there * scale + np.tile(place.offset, 2)), there)


def test_padding_keeps_the_shape_and_cropping_fills_the_frame():
    white = np.full((50, 100, 3), 255, np.uint8)
    padded = placed((50, 100), (64, 64), "pad").put(white, "linear")
    cropped = placed((50, 100), (64, 64), "crop").put(white, "linear")

    assert padded[32].all()
    assert not padded[:16].any()
    assert not padded[48:].any()
    assert cropped.all()


def test_a_retinanets_boxes_come_back_to_the_picture():
    ready = ready_for("retinanet", ("boxes", "scores", "labels"))
    picture = np.zeros((40, 120, 3), np.uint8)
    inputs, places = ready.encode([picture])
    arrays = {
        # as pixels of the padded input, which shows the picture 20 pixels lower
        "boxes": np.float32([[[10, 25, 60, 50], [0, 20, 120, 60], [-1, -1, -1, -1]]]),
        "scores": np.float32([[0.5, 0.75, -1]]),
        "labels": np.int32([[1, 0, -1]]),
    }
    (answer,) = ready.decode(arrays, places)

    assert inputs["image"].shape == (1, 80, 120, 3)
    assert [(each.label, each.box) for each in answer.detections] == [
        ("cat", (0, 0, 40, 120)),
        ("dog", (5, 10, 30, 60)),
    ]


def test_scores_for_every_class_give_the_best_of_them(pictures):
    how = {"outputs": {"boxes": "b", "scores": "s"}}
    ready = prepared.prepared(Task(type="detection", decode=how), signature(("b", "s")))
    _, places = ready.encode(pictures[:1])
    (answer,) = ready.decode({"b": np.zeros((1, 2, 4)), "s": np.float32([[[0, 1, 0.5], [0.2, 0, 0.4]]])}, places)

    assert [(each.number, each.score) for each in answer.detections] == [(1, 1.0), (2, pytest.approx(0.4))]


def test_a_chexnet_says_of_every_finding_how_likely_it_is(square):
    ready = ready_for("chexnet")
    (answer,) = ready.decode({"scores": np.float32([[0.0, -2.0, 3.0]])}, ready.encode([square])[1])

    assert [guess.label for guess in answer.guesses] == ["Atelectasis", "Cardiomegaly", "Effusion"]
    assert [guess.score for guess in answer.guesses] == pytest.approx([0.5, 0.1192, 0.9526], abs=1e-4)
    assert [guess.present for guess in answer.guesses] == [True, False, True]


def test_a_softmax_gives_probabilities_best_first(square):
    ready = ready_for("digits")
    (answer,) = ready.decode({"scores": np.float32([[1.0, 1000.0, 999.0]])}, ready.encode([square])[1])

    assert [guess.number for guess in answer.guesses] == [1, 2, 0]
    assert [guess.score for guess in answer.guesses] == pytest.approx([0.7311, 0.2689, 0], abs=1e-4)


def test_vectors_have_the_length_one_and_tell_how_far_apart_they_are(square):
    ready = ready_for("facenet", ("embeddings",))
    one, other = ready.decode({"embeddings": np.float32([[3, 4], [4, -3]])}, ready.encode([square, square])[1])

    assert isinstance(one, Embedded)
    assert one.vector.tolist() == pytest.approx([0.6, 0.8])
    assert one.distance(one) == 0
    assert one.distance(other) == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("file", ["png", "jpg"])
@pytest.mark.parametrize("web_safe", [False, True])
def test_where_strings_are_wanted_pictures_go_as_the_bytes_of_files(pictures, file, web_safe):
    encode = Encode(file=file, base64=web_safe)
    wanted = signature(("scores",), "string", (None,))
    inputs, _ = prepared.prepared(Task(type="classification", encode=encode), wanted).encode(pictures)
    content = inputs["image"][0]
    content = base64.urlsafe_b64decode(content) if web_safe else content
    back = cv2.cvtColor(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    assert inputs["image"].shape == (8,)
    assert back.shape == pictures[0].shape
    assert file == "jpg" or np.array_equal(back, pictures[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("encode: {sise: [1, 1]}", "m.task.encode.sise: no such key; did you mean 'size'?"),
        ("decode: {activation: relu}", "m.task.decode.activation"),
        ("encode: {size: [0, 1]}", "m.task.encode.size"),
        ("decode: {outputs: {boxen: x}}", "m.task.decode.outputs"),
    ],
)
def test_a_wrong_description_is_named(text, words):
    with pytest.raises(models.BadModelsFile, match=words.replace("?", r"\?")):
        models.parse("m", {"source": "x", "task": yaml.safe_load(text)}, "m")
