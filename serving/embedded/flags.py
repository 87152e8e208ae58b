"""The stock server's flags, with their names, meanings and defaults."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from serving.embedded import refusals


@dataclass(frozen=True)
class Flags:
    """What the server was told on its command line; each field is a flag of the same name."""

    port: int = 8500
    rest_api_port: int = 0
    host: str = "127.0.0.1"
    grpc_socket_path: Path | None = None
    model_config_file: Path | None = None
    model_name: str = "default"
    model_base_path: str = ""
    model_config_file_poll_wait_seconds: int = 0
    file_system_poll_wait_seconds: int = 1
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    allow_version_labels_for_unavailable_models: bool = False
    saved_model_tags: str = "serve"
    enable_model_warmup: bool = True
    enable_batching: bool = False
    batching_parameters_file: Path | None = None
    enable_per_model_batching_parameters: bool = False
    grpc_max_threads: int = 4 * (os.cpu_count() or 1)
    grpc_channel_arguments: str = ""
    enable_grpc_healthcheck_service: bool = False
    ssl_config_file: Path | None = None
    monitoring_config_file: Path | None = None
    platform_config_file: Path | None = None
    tensorflow_session_config_file: Path | None = None
    tensorflow_session_parallelism: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    per_process_gpu_memory_fraction: float = 0.0


_HELP = {
    "port": "The gRPC port; 0 for none.",
    "rest_api_port": "The HTTP port; 0 for none.",
    "host": "Where to listen; 0.0.0.0 exposes every model to the network. The stock server has no such flag.",
    "grpc_socket_path": "A Unix socket to answer gRPC on as well.",
    "model_config_file": "Which models and versions to serve.",
    "model_name": "Without a config: the one model's name.",
    "model_base_path": "Without a config: its absolute base path.",
    "model_config_file_poll_wait_seconds": "How often to read the config again; 0: never.",
    "file_system_poll_wait_seconds": "How often to look for new versions; 0: never.",
    "max_num_load_retries": "How often a load that failed is tried again.",
    "load_retry_interval_micros": "Between two tries.",
    "allow_version_labels_for_unavailable_models": "A new label may name a version that is not loaded yet.",
    "saved_model_tags": "Tags of the graph to load, separated by commas.",
    "enable_model_warmup": "Play the warm-up records that versions bring.",
    "enable_batching": "Compute requests that come together in one batch.",
    "batching_parameters_file": "How to batch.",
    "enable_per_model_batching_parameters": "A version's own batching_params.pbtxt goes before.",
    "grpc_max_threads": "Calls answered at a time; more are refused.",
    "grpc_channel_arguments": "gRPC's own settings: name=value,name=value.",
    "enable_grpc_healthcheck_service": "Answer grpc.health.v1.Health.",
    "ssl_config_file": "Keys and certificates for TLS.",
    "monitoring_config_file": "Whether and where Prometheus finds the metrics.",
    "platform_config_file": "A PlatformConfigMap, instead of the flags for batching, warm-up, tags and sessions.",
    "tensorflow_session_config_file": "A ConfigProto for TensorFlow.",
    "tensorflow_session_parallelism": "Both of the next two.",
    "tensorflow_intra_op_parallelism": "Threads within an operation; 0: TensorFlow chooses.",
    "tensorflow_inter_op_parallelism": "Operations at a time; 0: TensorFlow chooses.",
    "per_process_gpu_memory_fraction": "Share of a GPU's memory to take; 0: TensorFlow chooses.",
}
_RANGES = {
    "port": click.IntRange(0, 65535),
    "rest_api_port": click.IntRange(0, 65535),
    "grpc_max_threads": click.IntRange(1),
    "load_retry_interval_micros": click.IntRange(0),
    "per_process_gpu_memory_fraction": click.FloatRange(0, 1),
}
# the stock server knows these; here there is nothing that they could change
WITHOUT_MEANING = frozenset(
    {
        "enable_cors_support",
        "enable_signature_method_name_check",
        "flush_filesystem_caches",
        "num_load_threads",
        "num_unload_threads",
        "remove_unused_fields_from_bundle_metagraph",
        "rest_api_num_threads",
        "rest_api_timeout_in_ms",
        "xla_cpu_compilation_enabled",
    }
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command all flags; it is called with ``flags`` and the arguments that are none."""
    for name, text in reversed(_HELP.items()):
        command = _option(name, text)(command)
    return command


def _option(name: str, text: str) -> Callable[..., Any]:
    default = getattr(Flags(), name)
    if isinstance(default, bool):
        # --flag, --flag=true and --flag=false are all usual
        kind = {"type": bool, "is_flag": False, "flag_value": "true"}
    else:
        kind = {"type": click.Path(path_type=Path) if default is None else _RANGES.get(name, type(default))}
    return click.option(f"--{name}", default=default, show_default=default not in ("", None), help=text, **kind)  # type: ignore[arg-type]


def require_models(flags: Flags) -> None:
    """Refuse at once, rather than when TensorFlow is there, what names nothing to serve."""
    path = flags.model_config_file
    if path is not None and not path.is_file():
        raise refusals.not_found(f"{path}; No such file or directory", "name a model config that exists")
    if path is None and not flags.model_base_path:
        raise refusals.invalid(
            "Both server_options.model_base_path and server_options.model_config_file are empty!",
            "name one of them with --model_config_file or --model_base_path",
        )


def channel_arguments(text: str) -> list[tuple[str, Any]]:
    """gRPC's options out of ``name=value,name=value``; numbers are numbers there."""
    pairs = (each.partition("=") for each in text.split(",") if each)
    return [(name.strip(), int(value) if value.strip().lstrip("-").isdigit() else value) for name, _, value in pairs]
