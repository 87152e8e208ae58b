"""Models as they come: found out, read, or refused with what to do."""

from __future__ import annotations

import os
import shutil

import pytest
import tensorflow as tf

from converters import graphs, sources
from converters.sources.registry import formats
from model_config.errors import BadSource, UnknownName
from model_config.models import Model

tf1 = tf.compat.v1
OUTPUTS = ("detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0")


def load(tmp_path, path, **model):
    sources.locate(Model(name="m", source=path, **model)).load(tmp_path / "loaded")
    return graphs.signatures(tmp_path / "loaded")["serving_default"]


def test_a_saved_model_stays_byte_for_byte(saved_model, tmp_path):
    load(tmp_path, saved_model)

    for path in saved_model.rglob("*"):
        if path.is_file():
            assert (tmp_path / "loaded" / path.relative_to(saved_model)).read_bytes() == path.read_bytes()


def test_every_byte_counts_in_the_hash(saved_model, tmp_path):
    copy = shutil.copytree(saved_model, tmp_path / "copy")
    same = sources.Source(copy, "saved_model").sha256()
    (copy / "more").write_bytes(b"x")

    assert same == sources.Source(saved_model, "saved_model").sha256()
    assert same != sources.Source(copy, "saved_model").sha256()


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        (("detection_box:0",), "did you mean 'detection_boxes'"),
        (("nothing_like_it:0",), "no operation called 'nothing_like_it'"),
    ],
)
def test_an_unknown_output_shows_the_near_misses(frozen_graph, tmp_path, outputs, words):
    with pytest.raises(UnknownName, match=words):
        load(tmp_path, frozen_graph, outputs=outputs)


def test_a_tensor_the_operation_does_not_have_is_refused(frozen_graph, tmp_path):
    with pytest.raises(BadSource, match="no tensor 'num_detections:7'"):
        load(tmp_path, frozen_graph, outputs=("num_detections:7",))


def test_a_missing_source_shows_what_is_there_instead(frozen_graph):
    with pytest.raises(BadSource, match=r"does not exist; .*did you mean 'frozen.pb'"):
        sources.locate(Model(name="m", source=frozen_graph.with_name("frozn.pb")))


def test_a_missing_source_among_strangers_names_none_of_them(tmp_path):
    for number in range(30):
        (tmp_path / f"other{number}.txt").touch()

    with pytest.raises(BadSource, match=r"does not exist; check the path$"):
        sources.locate(Model(name="m", source=tmp_path / "frozen.pb"))


def test_no_source_at_all_names_the_option():
    with pytest.raises(BadSource, match="--source"):
        sources.locate(Model(name="m"))


@pytest.mark.parametrize("content", [b"", b"hello, this is no graph at all", b"\x0a"])
def test_a_file_that_is_no_graph_is_refused(tmp_path, content):
    path = tmp_path / "model.pb"
    path.write_bytes(content)

    with pytest.raises(BadSource, match="no frozen graph"):
        load(tmp_path, path)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_graph_is_refused(frozen_graph, tmp_path, share):
    content = frozen_graph.read_bytes()
    path = tmp_path / "model.pb"
    path.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(BadSource):
        load(tmp_path, path)


def test_a_folder_that_is_no_saved_model_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()

    with pytest.raises(BadSource, match=r"no SavedModel; name the folder that holds saved_model.pb"):
        load(tmp_path, tmp_path / "folder")


def test_the_folder_above_a_saved_model_shows_the_right_one(saved_model, tmp_path):
    with pytest.raises(BadSource, match=f"did you mean {saved_model}"):
        load(tmp_path, saved_model.parent)


def test_a_truncated_saved_model_is_refused(saved_model, tmp_path):
    copy = shutil.copytree(saved_model, tmp_path / "copy")
    content = (copy / "saved_model.pb").read_bytes()
    (copy / "saved_model.pb").write_bytes(content[: len(content) // 2])

    with pytest.raises(BadSource, match="truncated or damaged"):
        load(tmp_path, copy)


def test_a_saved_models_file_in_place_of_its_folder_is_refused(saved_model, tmp_path):
    with pytest.raises(BadSource, match="name the folder"):
        load(tmp_path, saved_model / "saved_model.pb")


def test_more_than_a_graph_can_hold_is_refused(tmp_path):
    path = tmp_path / "model.pb"
    path.touch()
    os.truncate(path, 2**31)  # takes no space

    with pytest.raises(BadSource, match=r"over 2 GB, .* export the model as a SavedModel"):
        load(tmp_path, path)


def test_more_than_a_graph_can_hold_is_not_hashed_first(tmp_path):
    path = tmp_path / "model.pb"
    path.touch()
    os.truncate(path, 2**31)

    with pytest.raises(BadSource, match="over 2 GB"):
        sources.locate(Model(name="m", source=path)).sha256()


def hashed_and_loaded(source, target):
    source.sha256()
    source.load(target)


@pytest.mark.parametrize("format_", sorted(formats()))
def test_a_folder_that_is_no_model_is_refused_whatever_it_is_called(format_, tmp_path):
    source = sources.locate(Model(name="m", source=tmp_path, format=format_))

    with pytest.raises(BadSource, match=str(tmp_path)):
        sources.look(source)
    with pytest.raises(BadSource, match=str(tmp_path)):
        hashed_and_loaded(source, tmp_path / "loaded")


def test_a_source_that_is_not_there_is_said_to_be_missing_whatever_its_format(tmp_path):
    with pytest.raises(BadSource, match=r"nothing\.pb does not exist"):
        sources.locate(Model(name="m", source=tmp_path / "nothing.pb", format="frozen_graph"))


@pytest.mark.parametrize(
    ("choice", "option"),
    [({"tags": ("train",)}, "--tags"), ({"signature": "x"}, "--signature"), ({"allow_lambda": True}, "--allow-lambda")],
)
def test_a_choice_that_means_nothing_here_is_refused(frozen_graph, choice, option):
    with pytest.raises(BadSource, match=f"{option} means nothing to the frozen_graph .* --inputs, --outputs, --set"):
        sources.locate(Model(name="m", source=frozen_graph, **choice))


def test_an_unknown_format_shows_the_near_miss(saved_model):
    with pytest.raises(UnknownName, match="did you mean 'saved_model'"):
        sources.locate(Model(name="m", source=saved_model, format="savedmodel"))
