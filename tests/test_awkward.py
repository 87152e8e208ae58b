"""Graphs that are awkward in practice: every version of each takes, gives and answers what the model does."""

from __future__ import annotations

import shutil

import awkward
import awkward_functions
import numpy as np
import pytest

from converters import graphs, pipeline, recipes, sessions, sources
from converters.build import build
from converters.checking import checks, verify
from evaluation import pictures as files
from model_config import models

MODELS = {**awkward.MODELS, **awkward_functions.MODELS}
KEY = graphs.DEFAULT_KEY
# how far answers may be off: of rounding only, of 8-bit weights, of 8-bit arithmetic
ALLOWED = {1: 0.0, 7: 1e-4, 2: 0.02, 3: 0.1}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (8, 40, 48, 3), np.uint8)):
        files.write(pixels, folder / f"{number}.jpg")
    return folder


@pytest.fixture
def told(photos, tmp_path):
    """A model's entry in models.yaml."""

    def entry(name):
        made = MODELS[name](tmp_path)
        calibration = photos
        if made.examples is not None:
            calibration = tmp_path / "examples.npz"
            np.savez(calibration, **made.examples)
        known = {"source": made.path, "calibration": {"path": calibration}, "batch_sizes": [1, 2], **made.choices}
        return models.parse(name, known, "test")

    return entry


def unheard(step, record):
    """Nobody follows the progress."""


@pytest.mark.parametrize("name", MODELS)
def test_every_version_takes_gives_and_answers_what_the_model_does(name, told, tmp_path):
    model = told(name)
    made = {number: build(model, number, tmp_path / "models", unheard, ask=verify.ask) for number in ALLOWED}

    for number, built in made.items():
        signature = graphs.meta_graph(built.version.path).signature_def[KEY]
        assert built.manifest.signatures[KEY] == made[1].manifest.signatures[KEY]
        assert not [key for key in (*signature.inputs, *signature.outputs) if ":" in key]
        assert max(built.manifest.differences.values()) <= ALLOWED[number]
        assert all(check.outputs for check in built.manifest.checks if check.inputs != "none")


@pytest.mark.parametrize("name", MODELS)
def test_what_engines_are_made_of_answers_as_the_model_does(name, told, tmp_path):
    """All steps of version 4 but the last, which needs a GPU."""
    model = told(name)
    sources.locate(model).load(tmp_path / "source", whole=False)
    steps = recipes.find("trt_fp16").steps_for(model)
    assert steps[-1].name == "tf_trt"
    pipeline.run(steps[:-1], tmp_path / "source", tmp_path / "prepared", unheard)
    found = checks.check(tmp_path / "prepared", tmp_path / "source", KEY, model, verify.ask)

    assert max(each.largest_difference for check in found for each in check.outputs.values()) <= ALLOWED[7]


@pytest.mark.parametrize("name", ["tables_in_functions", "keras_lookup", "learnt_words"])
def test_words_are_looked_up_without_the_source(name, told, tmp_path):
    model = told(name)
    words = np.load(model.calibration.path)["words"].astype("S").astype(object)
    answers = {}
    for number in (1, 2, 3, 7):
        built = build(model, number, tmp_path / "models", unheard, ask=verify.ask)
        shutil.move(built.version.path, tmp_path / f"moved_{number}")
    shutil.rmtree(model.source)
    for number in (1, 2, 3, 7):
        signature = graphs.meta_graph(tmp_path / f"moved_{number}").signature_def[KEY]
        fetched = {name: info.name for name, info in signature.outputs.items()}
        with sessions.session(tmp_path / f"moved_{number}") as session:
            answers[number] = session.run(fetched, {signature.inputs["words"].name: words})

    for number, answer in answers.items():
        for output, wanted in answers[1].items():
            if wanted.dtype == object:
                assert answer[output].tolist() == wanted.tolist()
            else:
                np.testing.assert_allclose(answer[output], wanted, atol=ALLOWED[number])
    (rows,) = (output for output in answers[1].values() if output.ndim > 1)
    assert len({row.tobytes() for row in rows}) == 4
