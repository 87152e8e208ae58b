"""The flags that cases want, and the models and files that go with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from serving.conformance import certificates
from serving.conformance.questions import ALL, config, label, model

Flags = Sequence[str]

POLL_S = 1
MAX_THREADS = 2
_BATCHING = """
max_batch_size { value: 16 } batch_timeout_micros { value: 100000 } max_enqueued_batches { value: 100 }
num_batch_threads { value: 2 } allowed_batch_sizes: 4 allowed_batch_sizes: 8 allowed_batch_sizes: 16
"""
_ONE_AT_A_TIME = """
max_batch_size { value: 1 } max_enqueued_batches { value: 1 } num_batch_threads { value: 1 }
"""
_NOT_PADDED = "max_batch_size { value: 16 } num_batch_threads { value: 2 }"


def base_config(folder: Path) -> str:
    """What the plain setting serves, and what reload cases go back to."""
    dense = model(folder, "dense", ALL, label("stable", 1))
    return config(dense, model(folder, "slow"), model(folder, "half_plus_two"))


def lay_out(folder: Path) -> None:
    """What is beside the models: one that is garbage, a base path without versions, one that will grow."""
    bad = folder / "bad" / "1"
    bad.mkdir(parents=True)
    (bad / "saved_model.pb").write_bytes(b"\xff garbage")
    (folder / "empty").mkdir()
    (folder / "hpt_grow").mkdir()
    shutil.copytree(folder / "half_plus_two" / "123", folder / "hpt_grow" / "123")


def _plain(folder: Path) -> Flags:
    lay_out(folder)
    monitoring = _write(folder / "monitoring.config", "prometheus_config { enable: true }")
    return (
        f"--model_config_file={_write(folder / 'models.config', base_config(folder))}",
        f"--monitoring_config_file={monitoring}",
        f"--file_system_poll_wait_seconds={POLL_S}",
        "--allow_version_labels_for_unavailable_models",
        "--max_num_load_retries=0",
        "--enable_grpc_healthcheck_service",
        f"--grpc_socket_path={folder / 'socket'}",
        "--a_flag_that_there_is_not=1",
    )


def _batching(folder: Path) -> Flags:
    _write(folder / "slow" / "1" / "batching_params.pbtxt", _ONE_AT_A_TIME)
    _write(folder / "dense" / "1" / "batching_params.pbtxt", _NOT_PADDED)
    text = config(model(folder, "dense", ALL), model(folder, "slow"))
    return (
        f"--model_config_file={_write(folder / 'models.config', text)}",
        "--enable_batching",
        f"--batching_parameters_file={_write(folder / 'batching.config', _BATCHING)}",
        "--enable_per_model_batching_parameters",
        "--max_num_load_retries=0",
    )


def _guarded(folder: Path) -> Flags:
    certificates.make(folder)
    return (
        f"--model_config_file={_write(folder / 'models.config', guarded_config(folder, 1))}",
        f"--model_config_file_poll_wait_seconds={POLL_S}",
        f"--ssl_config_file={folder / 'ssl.config'}",
        f"--grpc_max_threads={MAX_THREADS}",
        "--max_num_load_retries=0",
    )


def guarded_config(folder: Path, version: int) -> str:
    """What the guarded setting serves: one version of dense, and what was recorded for it."""
    dense = model(folder, "dense", f"model_version_policy {{ specific {{ versions: {version} }} }}")
    return config(dense, model(folder, "slow"), model(folder, "warm"))


SETTINGS: Mapping[str, Callable[[Path], Flags]] = {"plain": _plain, "batching": _batching, "guarded": _guarded}


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
