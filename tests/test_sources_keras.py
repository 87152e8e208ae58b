"""Keras files: read by the Keras that wrote them, answering as it does, and never running code unasked."""

from __future__ import annotations

import json
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from command_line import assert_one_sentence, run_here

from converters import graphs, sources
from model_config.errors import BadSource
from model_config.models import Model

KERAS_3 = not keras.__version__.startswith("2.")
tf_keras = pytest.importorskip("tf_keras", reason="Keras 2 is not installed beside Keras 3") if KERAS_3 else keras

LAYERS = """
import {library}

class Doubling({library}.layers.Layer):
    def call(self, x):
        return x * 2.0
"""


def network(library):
    """Two inputs, two outputs, dropout and a batch norm between."""
    first, second = library.Input((4,), name="left"), library.Input((4,), name="right")
    x = library.layers.Concatenate()([first, second])
    x = library.layers.Dropout(0.5)(library.layers.BatchNormalization()(library.layers.Dense(8)(x)))
    return library.Model([first, second], [library.layers.Dense(2, name=name)(x) for name in ("boxes", "scores")])


def save(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls HDF5 old
        model.save(path)
    return path


def load(path, target, **choices):
    sources.locate(Model(name="m", source=path, **choices)).load(target)
    return tf.saved_model.load(str(target)).signatures["serving_default"]


LIBRARIES = [pytest.param(keras, id="keras"), pytest.param(tf_keras, id="tf_keras")]


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5", "model.keras"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_model_answers_as_keras_itself(tmp_path, library, name):
    model = network(library)
    rng = np.random.default_rng(1)
    feeds = {side: rng.normal(size=(3, 4)).astype(np.float32) for side in ("left", "right")}
    wanted = [each.numpy() for each in model([feeds["left"], feeds["right"]], training=False)]
    path = (
        save(model, tmp_path / "m.h5").rename(tmp_path / name)
        if name != "model.keras"
        else save(model, tmp_path / name)
    )

    got = load(path, tmp_path / "loaded")(**{side: tf.constant(value) for side, value in feeds.items()})

    assert set(got) == {"boxes", "scores"}
    for name, expected in zip(("boxes", "scores"), wanted):
        np.testing.assert_allclose(got[name], expected, atol=1e-5)


def test_the_real_model_of_keras_2_answers_as_keras_itself(material, tmp_path):
    path = material / "models" / "resnet8_cifar10" / "pretrainedResnet.h5"
    pictures = np.random.default_rng(2).integers(0, 256, (5, 32, 32, 3)).astype(np.float32)
    wanted = tf_keras.models.load_model(path, compile=False)(pictures, training=False)

    got = load(path, tmp_path / "loaded")(input_1=tf.constant(pictures))

    np.testing.assert_allclose(got["dense"], wanted, atol=1e-5)


@pytest.mark.slow
def test_both_versions_build_from_it(material, tmp_path):
    path = material / "models" / "resnet8_cifar10" / "pretrainedResnet.h5"
    build = ("converters", "build", "r", "--source", path, "--version", 1, "--version", 2, "--json")
    done = run_here(*build, "--repository", tmp_path)

    assert done.returncode == 0, done.stderr
    assert [each["version"] for each in json.loads(done.stdout)["versions"]] == [1, 2]
    assert graphs.signatures(tmp_path / "r" / "1") == graphs.signatures(tmp_path / "r" / "2")


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_lambda_layer_runs_only_when_allowed(tmp_path, library, name):
    """Keras 2 would run a Lambda layer out of HDF5 whatever its safe mode says."""
    model = library.Sequential([library.Input((2,)), library.layers.Lambda(lambda x: x * 3.0, output_shape=(2,))])
    path = save(model, tmp_path / name)

    with pytest.raises(BadSource, match=r"Lambda layer, .* allow it with --allow-lambda"):
        load(path, tmp_path / "refused")
    loaded = load(path, tmp_path / "loaded", allow_lambda=True)
    (side,) = loaded.structured_input_signature[1]
    assert next(iter(loaded(**{side: tf.constant([[1.0, 2.0]])}).values())).numpy().tolist() == [[3.0, 6.0]]


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_custom_layer_needs_its_python_file(tmp_path, library, name):
    code = tmp_path / "layers.py"
    code.write_text(LAYERS.format(library=library.__name__))
    space = {}
    exec(code.read_text(), space)
    path = save(library.Sequential([library.Input((2,)), space["Doubling"]()]), tmp_path / name)

    with pytest.raises(BadSource, match="--custom-objects"):
        load(path, tmp_path / "refused")
    loaded = load(path, tmp_path / "loaded", custom_objects=code)
    (side,) = loaded.structured_input_signature[1]
    assert next(iter(loaded(**{side: tf.constant([[1.0, 2.0]])}).values())).numpy().tolist() == [[2.0, 4.0]]


def test_the_custom_layers_count_in_the_hash(tmp_path):
    (tmp_path / "layers.py").write_text("a = 1")
    (tmp_path / "model.h5").write_bytes(b"x")
    source = sources.Source(tmp_path / "model.h5", "keras_hdf5", custom_objects=tmp_path / "layers.py")
    before = source.sha256()
    (tmp_path / "layers.py").write_text("a = 2")

    assert source.sha256() != before


@pytest.mark.parametrize("library", LIBRARIES)
def test_weights_alone_say_what_to_do(tmp_path, library):
    path = tmp_path / "model.weights.h5"
    network(library).save_weights(path)
    build = ("converters", "build", "m", "--source", path, "--version", 1, "--repository", tmp_path)

    assert_one_sentence(run_here(*build), "holds weights only", "load_weights()", "save it whole")
    assert not (tmp_path / "m" / "1").exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_a_truncated_file_is_refused(tmp_path, name, share):
    path = save(network(keras), tmp_path / name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(BadSource, match="truncated"):
        load(path, tmp_path / "loaded")


def test_what_a_file_names_outside_of_keras_is_not_imported(tmp_path):
    """A file whose layer is a function of another module is refused before Keras sees it."""
    import zipfile

    path = save(network(keras), tmp_path / "model.keras")
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["layers"][2].update(
        module="os", class_name="function", config="system", registered_name="function"
    )
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)

    with pytest.raises(BadSource, match="needs system, which is not part of Keras"):
        load(path, tmp_path / "loaded")
