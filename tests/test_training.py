"""The training of CheXNet, part by part: who is trained on, where it starts, what learns when, what is unreadable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from command_line import assert_one_sentence, run

from evaluation.datasets import findings as layout
from evaluation.datasets import loading
from evaluation.errors import BadDataset
from model_config import models
from model_config.data import Data
from model_config.errors import BadSource
from training import drawn, findings, fit, network, splits
from training.batches import Reader

tf1 = tf.compat.v1

# Keras 2 draws its seeds so
pytestmark = pytest.mark.filterwarnings("ignore:non-integer arguments:DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return drawn.write_dataset(tmp_path_factory.mktemp("chests"), 90)


@pytest.fixture(scope="module")
def questions(folder):
    return layout.load(Data(path=folder)).questions


def patients(part):
    return {question.name.partition("_")[0] for question in part}


def test_the_findings_are_those_of_the_entry():
    assert models.find("chexnet").task.labels == findings.FINDINGS


def test_no_patient_is_in_two_parts(questions, folder):
    split = splits.split(questions, folder)
    parts = [patients(part) for part in (split.training, split.validation, split.test)]

    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == 30
    assert len(split.training) + len(split.validation) + len(split.test) == len(questions)


def test_the_official_test_list_decides_where_there_is_one(questions, tmp_path):
    names = [question.name for question in questions[:3]]
    (tmp_path / splits.TEST_LIST).write_text("\r\n".join(names), encoding="utf-8-sig")

    assert [question.name for question in splits.split(questions, tmp_path).test] == names


def test_patients_are_kept_apart_whether_or_not_names_have_their_folder(questions, folder):
    placed = [replace(question, name=f"images_01/{question.name}") for question in questions]
    for bare, whole in zip(*(vars(splits.split(each, folder)).values() for each in (questions, placed))):
        assert [question.id for question in bare] == [question.id for question in whole]


def test_too_few_patients_are_refused(questions, folder):
    with pytest.raises(BadDataset, match="too few patients"):
        splits.split(questions[:3], folder)


def test_what_is_kept_out_is_written_in_the_layout_it_came_in(questions, folder, tmp_path):
    splits.write(questions[:9], tmp_path / "test.csv")
    again = loading.load(Data(path=tmp_path / "test.csv", pictures=folder)).questions

    assert [(each.name, each.label) for each in again] == [(each.name, each.label) for each in questions[:9]]
    assert all(each.path.exists() for each in again)


def test_labels_become_rows(questions):
    rows = findings.rows(questions)
    place = next(place for place, question in enumerate(questions) if question.label.names)

    assert rows.shape == (90, 14)
    assert {findings.FINDINGS[n] for n in np.flatnonzero(rows[place])} == set(questions[place].label.names)


def test_a_finding_that_is_none_of_the_14_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("Image Index,Finding Labels\n1_0.png,Edemma\n")
    with pytest.raises(BadDataset, match="did you mean 'Edema'"):
        findings.rows(layout.load(Data(path=tmp_path / "t.csv")).questions)


def test_an_unreadable_picture_is_named_and_counts_nothing(tmp_path):
    folder = drawn.write_dataset(tmp_path / "data", 4)
    (folder / "images" / "00000001_001.png").write_bytes(b"no picture")
    reader = Reader(layout.load(Data(path=folder)).questions, 32)
    weights = np.concatenate([batch[2].numpy() for _ in range(2) for batch in reader.batches(3)])

    assert weights.tolist() == [1, 0, 1, 1] * 2
    assert len(reader.unread) == 1
    assert "00000001_001.png" in reader.unread[0]


def small(size):
    """A network of the same build: a backbone with a batch norm, and new outputs."""
    layers = tf.keras.layers
    picture = tf.keras.Input((size, size, 3))
    maps = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, 2)(picture)))
    backbone = tf.keras.Model(picture, layers.GlobalAveragePooling2D()(maps))
    inputs = tf.keras.Input((size, size, 3))
    return tf.keras.Model(inputs, layers.Dense(14)(backbone(layers.Rescaling(1 / 127.5, offset=-1)(inputs))))


def test_first_the_outputs_learn_and_then_everything(questions):
    """The real training on a network that is smaller than ResNet-50, which takes a minute to be compiled."""
    tf.keras.utils.set_random_seed(2)
    model, losses = small(32), []
    backbone, part = network.backbone_of(model), Reader(questions, 32)
    keep, told = fit._Best(model, part, 16), fit.Told(lambda _, loss: losses.append(loss), lambda *_: None)
    plan = fit.Plan(size=32, batch=16)

    backbone.trainable = False
    before = [each.copy() for each in backbone.get_weights()]
    fit._learn(model, part, plan, 4, 0.02, "outputs", told, keep)
    frozen = all((old == new).all() for old, new in zip(before, backbone.get_weights()))
    backbone.trainable = True
    fit._learn(model, part, plan, 1, 1e-3, "everything", told, keep)

    assert frozen
    assert any((old != new).any() for old, new in zip(before, backbone.get_weights()))
    assert len(losses) == 5 * 6
    assert np.mean(losses[18:24]) < np.mean(losses[:6])
    keep.restore()
    assert np.mean(list(keep.judge(part).values())) == pytest.approx(keep._score, abs=1e-6)


@pytest.fixture(scope="module")
def slim(tmp_path_factory):
    """A checkpoint with the variables of TF-Slim's resnet_v2_50, every one filled with a number of its own."""
    prefix = tmp_path_factory.mktemp("slim") / "resnet_v2_50.ckpt"
    backbone = tf.keras.applications.ResNet50V2(include_top=False, weights=None, input_shape=(32, 32, 3))
    values = {}
    for layer, scope, parts in network._pairs(backbone):
        shapes = [each.shape for each in backbone.get_layer(layer).get_weights()]
        values.update({f"resnet_v2_50/{scope}/{part}": shape for part, shape in zip(parts, shapes)})
    with tf.Graph().as_default(), tf1.Session() as session:
        for number, (name, shape) in enumerate(values.items()):
            tf1.get_variable(name, initializer=np.full(shape, number, np.float32))
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, str(prefix), write_meta_graph=False)
    return prefix, list(values)


@pytest.mark.slow
def test_it_starts_from_a_checkpoint_of_slims(slim):
    prefix, names = slim
    backbone = network.backbone_of(network.network(32, str(prefix)))
    first = {float(each.flat[0]) for layer in backbone.layers for each in layer.get_weights()}

    assert first == set(map(float, range(len(names))))  # every variable of either has its partner
    kernel = backbone.get_layer("conv3_block1_0_conv").get_weights()[0]
    assert (kernel == names.index("resnet_v2_50/block2/unit_1/bottleneck_v2/shortcut/weights")).all()


@pytest.mark.parametrize("name", ["nothing.h5", "nothing.ckpt"])
def test_weights_that_are_not_there_are_one_sentence(tmp_path, name):
    with pytest.raises(BadSource, match="make fetch MODEL=chexnet"):
        network._load(None, tmp_path / name)


def test_data_that_is_not_there_is_one_sentence(tmp_path):
    assert_one_sentence(run("training", "chexnet", cwd=tmp_path), "no data at data/nih_chest_xray14")
