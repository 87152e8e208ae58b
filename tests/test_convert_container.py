"""Builds in the converter image: the command line, what is mounted, and one for real."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
import stock_image
from command_line import assert_one_sentence, make, run

from converters import container
from model_config import base_path, fit
from model_config.models import Model

BUILD = ("converters", "build", "tiny", "--version", 2, "--backend", "docker")
ROOT = stock_image.ROOT


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    import converter_image

    problem = stock_image.why_no_engine()
    if problem:
        pytest.skip(problem)
    converter_image.build(tmp_path_factory.mktemp("context"))
    return converter_image


def order(**changes):
    told = {
        "arguments": ("build", "tiny"),
        "folder": Path("/here"),
        "reads": (Path("/data/models.yaml"), Path("/suite/model_config/models.yaml"), Path("/data")),
        "repository": Path("/here/models"),
        "checkout": Path("/suite"),
        "name": "converter-1",
        "user": "1000:100",
    }
    return container.Order(**{**told, **changes})


def test_all_is_mounted_once_where_it_is_and_only_the_repository_can_be_written():
    assert shlex.join(container.argv(order(gpus="all", options=("--memory=8g",)))) == (
        "docker run --rm --init --name converter-1 --gpus all --user 1000:100 --workdir /here --env PYTHONPATH=/suite"
        " --mount type=bind,source=/data,target=/data,readonly --mount type=bind,source=/suite,target=/suite,readonly"
        " --mount type=bind,source=/here/models,target=/here/models"
        " --memory=8g tf-serving-suite-converter:2.17.1-gpu build tiny"
    )


def test_without_a_gpu_or_a_checkout_neither_is_named():
    command = container.argv(order(checkout=None))

    assert "--gpus" not in command
    assert not any("PYTHONPATH" in part for part in command)


def test_everything_that_an_entry_names_and_that_is_there_is_read(tmp_path):
    files = [tmp_path / name for name in ("model.pb", "labels.txt", "layers.py", "passes.py")]
    folders = [tmp_path / name for name in ("pictures", "data")]
    for path in files:
        path.touch()
    for path in folders:
        path.mkdir()
    model = Model(
        name="all",
        source=files[0],
        task={"labels": str(files[1])},
        custom_objects=files[2],
        passes=(files[3], tmp_path / "missing.py"),
        calibration={"path": folders[0]},
        data=folders[1],
    )

    assert set(container.read_by(model)) == {*files, *folders}


def test_a_checkpoint_is_read_with_all_its_files(tmp_path):
    parts = {tmp_path / f"model.ckpt-7{end}" for end in (".meta", ".index", ".data-00000-of-00001")}
    for path in (*parts, tmp_path / "events.out"):
        path.touch()

    assert set(container.read_by(Model(name="tf1", source=tmp_path / "model.ckpt-7"))) == parts


def test_what_only_a_link_inside_another_folder_leads_to_is_mounted_too(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere")
    command = container.argv(order(reads=(tmp_path / "here", tmp_path / "here" / "link")))

    assert f"type=bind,source={tmp_path}/here/link,target={tmp_path}/here/link,readonly" in command


def test_the_image_is_made_from_the_server_s_and_brings_no_tensorrt_of_its_own():
    assert f"ARG BASE={fit.STOCK_GPU_IMAGE}\n" in (ROOT / container.DOCKERFILE).read_text()
    locked = [line.split("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line]
    assert "tensorflow" in locked
    assert not [name for name in locked if name.startswith(("tensorrt", "nvidia"))]


def test_a_dry_run_prints_the_command_and_leaves_nothing(saved_model, tmp_path):
    done = run(*BUILD, "--source", saved_model, "--json", "--dry-run", cwd=tmp_path)

    command = shlex.split(done.stdout)
    assert command[:3] == ["docker", "run", "--rm"]
    assert f"type=bind,source={saved_model},target={saved_model},readonly" in command
    start = command.index(container.IMAGE)
    assert command[start + 1 : start + 6] == ["build", "tiny", "--version=2", f"--source={saved_model}", "--json"]
    assert list(tmp_path.iterdir()) == []


def test_options_of_the_container_need_the_backend(saved_model):
    done = run("converters", "build", "tiny", "--source", saved_model, "--image", "any", "--dry-run")

    assert_one_sentence(done, "--image, --dry-run", "--backend docker")


def test_without_an_engine_it_is_one_sentence(saved_model, tmp_path):
    nowhere = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nothing.sock", "PATH": str(tmp_path)}
    done = run(*BUILD, "--source", saved_model, cwd=tmp_path, env=nowhere)

    assert_one_sentence(done, "backend docker cannot run here", "install it")


@pytest.mark.docker
def test_an_image_that_is_not_here_is_one_sentence(saved_model, tmp_path):
    problem = stock_image.why_no_engine()
    if problem:
        pytest.skip(problem)
    done = run(*BUILD, "--source", saved_model, "--image", "no-such-image:1", cwd=tmp_path)

    assert_one_sentence(done, "no-such-image:1 is not here", "docker pull")


@pytest.mark.docker
@pytest.mark.slow
def test_make_converts_in_the_image_as_it_would_here(image, saved_model, repository, tmp_path):
    options = " ".join(f"--docker-option={each}" for each in image.options())
    variables = ("MODEL=tiny", "VERSION=2", f"SOURCE={saved_model}", "BACKEND=docker", f"IMAGE={image.IMAGE}")
    make("convert", *variables, f"OPTIONS={options}", cwd=tmp_path)

    here, there = (base_path.scan(each, "tiny")[2] for each in (repository, tmp_path / "models"))
    assert there.manifest.recipe == "quantized_weights"
    assert there.manifest.key == here.manifest.key
    assert (there.path / "saved_model.pb").stat().st_uid == os.getuid()


@pytest.mark.docker
def test_a_failure_in_the_container_is_told_once_with_its_exit_code(image, tmp_path):
    options = [f"--docker-option={each}" for each in image.options()]
    done = run(*BUILD, "--source", tmp_path / "nothing", "--image", image.IMAGE, *options, cwd=tmp_path)

    assert_one_sentence(done, f"{tmp_path}/nothing")


@pytest.mark.docker
def test_the_suite_is_installed_in_the_image(image):
    program = "from importlib import metadata; print(metadata.version('tf-serving-suite'))"
    command = ["docker", "run", "--rm", "--entrypoint", "python", image.IMAGE, "-c", program]

    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
