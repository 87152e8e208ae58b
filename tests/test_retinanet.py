"""keras-retinanet's files, as far as a small network of their structure shows it: for training and for use."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from converters import sources, user_code
from evaluation.tasks import prepared
from model_config import base_path, models
from model_config.errors import BadSource
from model_config.signatures import Signature, Tensor

KERAS_3 = not keras.__version__.startswith("2.")
tf_keras = pytest.importorskip("tf_keras", reason="Keras 2 is not installed beside Keras 3") if KERAS_3 else keras

LAYERS = Path(__file__).parents[1] / "model_config" / "ready" / "keras_retinanet.py"
ours = user_code.run(LAYERS)
SIZE = (128, 160)
CLASSES, WIDTH = 80, 8


def network():
    """A backbone of strided convolutions with a batch norm that is frozen, a pyramid P3 to P7, shared heads."""
    layers = tf_keras.layers
    picture = tf_keras.Input((None, None, 3))
    maps, stages = picture, []
    for stage in range(5):
        maps = layers.Conv2D(WIDTH, 3, 2, "same", activation="relu", name=f"c{stage + 1}")(maps)
        maps = ours["BatchNormalization"](freeze=True, name=f"norm{stage + 1}")(maps)
        stages.append(maps)
    p5 = layers.Conv2D(WIDTH, 1, name="C5_reduced")(stages[4])
    p4 = layers.Add()([ours["UpsampleLike"]()([p5, stages[3]]), layers.Conv2D(WIDTH, 1)(stages[3])])
    p3 = layers.Add()([ours["UpsampleLike"]()([p4, stages[2]]), layers.Conv2D(WIDTH, 1)(stages[2])])
    named = [layers.Conv2D(WIDTH, 3, 1, "same", name=f"P{n}")(each) for n, each in ((3, p3), (4, p4), (5, p5))]
    named.append(layers.Conv2D(WIDTH, 3, 2, "same", name="P6")(stages[4]))
    named.append(layers.Conv2D(WIDTH, 3, 2, "same", name="P7")(named[-1]))
    likely, small = ours["PriorProbability"](0.1), tf_keras.initializers.RandomNormal(stddev=0.0003, seed=5)
    scores = {"activation": "sigmoid", "bias_initializer": likely}
    heads = {
        "regression": layers.Conv2D(9 * 4, 3, 1, "same", kernel_initializer=small),
        "classification": layers.Conv2D(9 * CLASSES, 3, 1, "same", kernel_initializer=small, **scores),
    }
    return tf_keras.Model(picture, [head(name, layer, named) for name, layer in heads.items()])


def head(name, layer, maps):
    numbers = 4 if name == "regression" else CLASSES
    flat = [tf_keras.layers.Reshape((-1, numbers))(layer(each)) for each in maps]
    return tf_keras.layers.Concatenate(axis=1, name=name)(flat)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The two kinds of files: for training, with raw heads; and for use, with anchors and suppression."""
    folder, model = tmp_path_factory.mktemp("retinanet"), network()
    use = tf_keras.Model(model.inputs, [*ours["_detect"](model, *model.outputs)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls HDF5 old
        model.save(folder / "training.h5")
        use.save(folder / "use.h5")
    return folder


@pytest.fixture(scope="module")
def loaded(files):
    """The ready entry's way with each."""
    entry = models.find("retinanet")
    for name in ("training", "use"):
        at_hand = entry.model_copy(update={"source": files / f"{name}.h5", "custom_objects": LAYERS})
        sources.locate(at_hand).load(files / name)
    return {name: tf.saved_model.load(str(files / name)) for name in ("training", "use")}


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(8).integers(0, 256, (*SIZE, 3), np.uint8)


def answered(servable, picture):
    function = servable.signatures["serving_default"]
    (name,) = function.structured_input_signature[1]
    encoded = picture[None, ..., ::-1] - np.float32([103.939, 116.779, 123.68])
    return {key: value.numpy() for key, value in function(**{name: tf.constant(encoded)}).items()}


def test_a_file_for_training_answers_as_one_for_use(loaded, picture):
    training, use = (answered(loaded[name], picture) for name in ("training", "use"))

    assert set(training) == {"boxes", "scores", "labels"}
    assert (training["scores"] > 0.05).any()
    for name, values in training.items():
        np.testing.assert_allclose(values, use[name], atol=1e-3)


def test_class_numbers_are_cocos_and_what_is_none_stays_none(loaded, picture):
    found = answered(loaded["use"], picture)

    assert set(np.unique(found["labels"])) <= {-1, *ours["_NUMBERS"]}
    assert len(ours["_NUMBERS"]) == 80
    np.testing.assert_array_equal(found["labels"] == -1, found["scores"] == -1)


def test_boxes_are_anchors_moved_by_what_the_network_says(files, picture):
    """Against the formula, written out for single anchors."""
    model = tf_keras.models.load_model(files / "training.h5", custom_objects=dict(ours), compile=False)
    moves, scores = (each.numpy() for each in model(picture[None].astype(np.float32)))
    detected = ours["_detect"](model, *model.outputs)
    whole = tf_keras.Model(model.inputs, detected)
    boxes, found = (each.numpy()[0] for each in whole(picture[None].astype(np.float32))[:2])
    place = best = int(scores[0].max(axis=1).argmax())
    # every level has 9 anchors a place, three scales of each ratio; its places are twice as far apart as those before
    for stride in (8, 16, 32, 64, 128):
        rows, columns = (-(-side // stride) for side in SIZE)
        if place < rows * columns * 9:
            break
        place -= rows * columns * 9
    cell, kind = divmod(place, 9)
    ratio, scale = (0.5, 1.0, 2.0)[kind // 3], 2 ** (kind % 3 / 3)
    width, height = 4 * stride * scale / ratio**0.5, 4 * stride * scale * ratio**0.5
    x, y = (cell % columns + 0.5) * stride, (cell // columns + 0.5) * stride
    anchor = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
    moved = anchor + moves[0, best] * 0.2 * np.array([width, height, width, height])
    limits = np.array([SIZE[1], SIZE[0]] * 2)

    np.testing.assert_allclose(boxes[0], np.clip(moved, 0, limits), atol=1e-2)
    assert found[0] == pytest.approx(scores.max(), abs=1e-5)


def test_the_entry_reads_its_answers(loaded, picture):
    entry = models.find("retinanet")
    dtypes = {"boxes": "float32", "scores": "float32", "labels": "int32"}
    outputs = {name: Tensor(dtype, None) for name, dtype in dtypes.items()}
    pictures = Tensor("float32", (None, None, None, 3))
    way = prepared.prepared(entry.task, Signature("predict", {"input_1": pictures}, outputs))
    arrays, places = way.encode([picture])
    function = loaded["use"].signatures["serving_default"]
    (name,) = function.structured_input_signature[1]
    (answer,) = way.decode(
        {key: value.numpy() for key, value in function(**{name: tf.constant(arrays["input_1"])}).items()}, places
    )

    assert arrays["input_1"].shape == (1, 800, 1333, 3)
    assert answer.detections
    assert all(each.label for each in answer.detections)
    for detection in answer.detections:
        assert -1 <= detection.box[0] <= detection.box[2] <= SIZE[0] + 1
        # the input is 27 pixels of this picture wider on either side
        assert -27 <= detection.box[1] <= detection.box[3] <= SIZE[1] + 27


def test_a_finish_that_fails_is_one_sentence(files, tmp_path):
    broken = tmp_path / "broken.py"
    shutil.copy(LAYERS, broken)
    broken.write_text(broken.read_text() + "\n\ndef finish(model):\n    raise ValueError('no such layer')\n")
    entry = models.parse("m", {"source": str(files / "use.h5"), "custom_objects": str(broken)}, "test")

    with pytest.raises(BadSource, match=r"finish of .* cannot finish .*no such layer"):
        sources.locate(entry).load(tmp_path / "out")


@pytest.mark.slow
def test_versions_of_it_answer_as_it_does(files, tmp_path):
    from command_line import run

    options = ("--custom-objects", LAYERS, "--version", 1, "--version", 7, "--repository", tmp_path)
    done = run(
        "converters", "build", "retinanet", "--source", files / "training.h5", "--models", bare(tmp_path), *options
    )

    assert done.returncode == 0, done.stderr
    assert list(base_path.scan(tmp_path, "retinanet")) == [1, 7]


def bare(folder):
    (folder / "models.yaml").write_text("models: {other: {source: x}}")
    return folder / "models.yaml"
