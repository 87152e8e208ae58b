"""Models whose answers are vectors, judged by pairs of pictures that show the same or not."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_facenet import SIZE, draw_faces
from small_graphs import graph_of

from converters import graphs
from converters.judging.held_out import NotJudged
from converters.judging.judge import judge_for
from model_config import models

FACE = np.zeros((1, SIZE, SIZE, 3), np.float32)
KEY = graphs.DEFAULT_KEY


def saved(build, folder):
    graphs.write(graph_of(build, FACE), folder)
    return folder


def model(data):
    return models.parse("x", {"data": str(data), "task": {"type": "embedding"}}, "test")


def embedder(coarse=False):
    """Vectors of small pictures: what they show in 25 places, or their mean alone."""

    def build(x):
        seen = tf.image.resize(x, (5, 5), antialias=True) - 127.5
        return tf.reduce_mean(seen, (1, 2, 3))[:, None] if coarse else tf.reshape(seen, (-1, 75))

    return build


def test_a_model_with_pairs_is_judged_by_telling_them_apart(tmp_path):
    faces = draw_faces(tmp_path / "lfw")
    known = model(faces)
    source = saved(embedder(), tmp_path / "source")
    judge = judge_for(known, source, KEY)
    same, coarse = judge.score(source), judge.score(saved(embedder(coarse=True), tmp_path / "coarse"))

    assert (same.metric, same.met, coarse.met) == ("accuracy", True, False)
    assert same.value > 0.95 > coarse.value
    assert judge.examples.startswith("40 pairs among 32 pictures of ")


def test_pairs_of_one_kind_tell_nothing(tmp_path):
    faces = draw_faces(tmp_path / "lfw")
    lines = (faces / "pairs.txt").read_text().splitlines()
    (faces / "pairs.txt").write_text("\n".join(line for line in lines if len(line.split()) == 3))
    with pytest.raises(NotJudged, match="cannot tell accuracy"):
        judge_for(model(faces), saved(embedder(), tmp_path / "source"), KEY)
