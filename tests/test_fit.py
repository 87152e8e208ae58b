"""A version that does not fit a server is refused before it is served, with the reason and the remedy."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from command_line import assert_one_sentence, run

from model_config import base_path, fit, manifest
from model_config.manifest import TensorRT

BUILT = TensorRT(
    tensorflow="2.17.1",
    tensorrt="8.6.1",
    cuda="12.2",
    cudnn="8.9.4",
    gpu="NVIDIA H200",
    compute_capability="9.0",
    driver="550.54.15",
    precision="FP16",
    dynamic=False,
    shapes=({"inputs": (1, 32, 32, 3)},),
    minimum_segment_size=3,
    workspace_mib=1024,
    engines=(),
    outside=(),
    arithmetic_inside=0.9,
    engine_bytes=1,
)
THERE = fit.Facts("the server", "2.17.1", "8.6.1.6", "12.3.2", "NVIDIA H200", "560.28.03", onednn=False)


@pytest.fixture(scope="module")
def made(repository):
    """The manifest of a version without engines."""
    return base_path.require(repository, "tiny", 1).manifest


@pytest.fixture(scope="module")
def engines(made):
    """The same as if it held TensorRT engines."""
    return made.model_copy(update={"tensorrt": BUILT})


def test_engines_fit_the_stack_and_the_gpu_they_were_built_with(engines):
    assert fit.problems(engines, THERE) == []


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ({"tensorflow": "2.18.0"}, "TensorFlow 2.18.0 of the server cannot run them"),
        ({"tensorrt": "8.4.3"}, "TensorRT 8.6.1, and the server has 8.4.3"),
        ({"tensorrt": ""}, "the server has no TensorRT; serve it with tensorflow/serving:2.17.1-gpu"),
        ({"cuda": "11.8"}, "CUDA 12.2, and the server has 11.8"),
        ({"gpu": "Tesla V100-SXM2-16GB"}, "GPU NVIDIA H200, and the server has Tesla V100"),
        ({"gpu": ""}, "the server has no GPU"),
        ({"driver": "535.104.05"}, "driver 550.54.15, and the server has 535.104.05"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_mismatch_is_named(engines, there, words):
    (problem,) = fit.problems(engines, replace(THERE, **there))

    assert words in problem


def test_without_engines_any_server_does(made):
    assert fit.problems(made, replace(THERE, tensorflow="2.19.0", gpu="", tensorrt=None)) == []


def test_what_is_not_known_is_held_against_nobody(engines):
    assert fit.problems(engines, fit.Facts("the server")) == []


def test_8_bit_arithmetic_needs_onednn(made):
    needing = made.model_copy(update={"requires": (fit.ONEDNN,)})

    assert fit.problems(needing, replace(THERE, onednn=None)) == []
    assert "computes with oneDNN" in fit.problems(needing, THERE)[0]


@pytest.mark.parametrize(
    ("image", "tensorflow", "tensorrt"),
    [
        ("tensorflow/serving:2.17.1-gpu", "2.17.1", None),
        ("tensorflow/serving:2.17.1", "2.17.1", ""),
        ("registry:5000/serving:2.19.0", "2.19.0", None),
        ("tensorflow/serving@sha256:0123", None, None),
        ("tensorflow/serving:latest-gpu", None, None),
    ],
)
def test_the_name_of_an_image_tells_its_tensorflow_and_whether_it_has_tensorrt(image, tensorflow, tensorrt):
    assert (fit.of_image(image).tensorflow, fit.of_image(image).tensorrt) == (tensorflow, tensorrt)


@pytest.fixture
def with_engines(repository, engines, tmp_path):
    """A repository whose version 1 says that it holds engines."""
    import shutil

    folder = shutil.copytree(repository / "tiny", tmp_path / "models" / "tiny") / "1"
    manifest.write(engines, folder)
    return tmp_path / "models"


def test_preflight_answers_by_its_exit_code(with_engines):
    ask = ("serving", "preflight", "tiny", "--repository", with_engines, "--image", "tensorflow/serving:2.19.0-gpu")
    fits = run(*ask, "--version", 2, "--gpu", "NVIDIA H200")
    refused = run(*ask, "--version", 1, "--version", 2, "--gpu", "NVIDIA A100-PCIE-40GB", "--json")

    assert (fits.returncode, fits.stdout) == (0, "version 2 of tiny fits\n")
    assert_one_sentence(refused, "version 1 of tiny", "2.17 was the last", "NVIDIA A100-PCIE-40GB")
    assert [each["fits"] for each in json.loads(refused.stdout)] == [False, True]


def test_neither_use_nor_up_takes_what_does_not_fit(with_engines, tmp_path):
    use = ("model_config", "use", "tiny", "--version", 1, "--repository", with_engines)
    up = ("serving", "up", "--model", "tiny", "--version", 1, "--repository", with_engines, "--backend", "embedded")

    assert_one_sentence(run(*use, "--image", "tensorflow/serving:2.18.0-gpu"), "TensorFlow 2.18.0")
    assert not (with_engines / "models.config").exists()
    assert_one_sentence(run(*up, "--dry-run", cwd=tmp_path), "the embedded server has no GPU")
