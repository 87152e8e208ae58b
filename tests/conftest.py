"""Small real models, real files and a real server for all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from command_line import run, run_here
from hypothesis import HealthCheck, settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# started in the background of a script or by nohup we ignore these, and so would every program the tests stop by them
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# how fast the machine is decides nothing here
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

ROOT = Path(__file__).parents[1]
MATERIAL = Path(os.environ.get("SUITE_MATERIAL", ROOT.parent / "shared" / "material"))
MODEL = "tiny"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        from converters.tensorrt import machine
        from model_config.errors import BuildError

        try:
            machine.here()
        except BuildError as lacking:
            pytest.skip(str(lacking))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: one that begins last would keep a worker busy while the others have ended."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def material() -> Path:
    if not MATERIAL.is_dir():
        pytest.skip(f"the real models and data are not at {MATERIAL} (SUITE_MATERIAL names another place)")
    return MATERIAL


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TensorFlow 2 SavedModel: a detector with variables, random but seeded."""
    import tiny

    return tiny.save_detector(tmp_path_factory.mktemp("source") / "saved_model")


@pytest.fixture(scope="session")
def frozen_graph(tmp_path_factory: pytest.TempPathFactory, saved_model: Path) -> Path:
    """The same detector as a frozen graph without a signature, its outputs named as the zoo's are."""
    import tiny

    return tiny.freeze_detector(saved_model, tmp_path_factory.mktemp("source") / "frozen.pb")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory, saved_model: Path) -> Path:
    """Versions 1 and 2 of the tiny model, built once by the command line."""
    folder = tmp_path_factory.mktemp("models")
    done = run_here(
        "converters", "build", MODEL, "--source", saved_model, "--version", 1, "--version", 2, "--repository", folder
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def server(repository: Path, tmp_path_factory: pytest.TempPathFactory):
    """An embedded server over both versions, in a process of its own."""
    from serving import address

    port, folder = address.free_ports(), tmp_path_factory.mktemp("serving")
    up = ("serving", "up", "--model", MODEL, "--version", 1, "--version", 2, "--repository", repository)
    done = run(*up, "--backend", "embedded", "--port", port, "--detach", cwd=folder)
    assert done.returncode == 0, done.stderr
    yield f"{address.LOCAL}:{port}"
    assert run("serving", "down", "--port", port, cwd=folder).returncode == 0


@pytest.fixture(scope="session")
def engine() -> list[str]:
    """A docker engine with an image that keeps to the stock one's contract; gives what ``up`` has to be told."""
    import stock_image

    problem = stock_image.why_no_engine()
    if problem:
        pytest.skip(problem)
    stock_image.build()
    return ["--image", stock_image.IMAGE, *(f"--docker-option={each}" for each in stock_image.mounts())]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of the conformance suite."""
    from serving.conformance import models

    folder = tmp_path_factory.mktemp("made")
    models.make(folder)
    return folder


@pytest.fixture
def publisher():
    """A web server that has a file, ``/model.pb``."""
    from publisher import CONTENT, publishing

    with publishing() as server:
        server.files["/model.pb"] = CONTENT
        yield server


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads and folders are where the command runs."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def rows(tmp_path: Path) -> str:
    """Calibration data for small layers, as a file."""
    from small_layers import ROWS

    np.save(tmp_path / "rows.npy", ROWS)
    return str(tmp_path / "rows.npy")


@pytest.fixture
def pictures() -> list[np.ndarray]:
    """Eight pictures of one size."""
    rng = np.random.default_rng(7)
    return list(rng.integers(0, 256, (8, 48, 64, 3), np.uint8))


@pytest.fixture
def picture_file(tmp_path: Path, pictures: list[np.ndarray]) -> Path:
    from evaluation import pictures as files

    path = tmp_path / "picture.png"
    files.write(pictures[0], path)
    return path
