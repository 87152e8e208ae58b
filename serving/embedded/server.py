"""The whole server: models loaded, ports opened, disk and config watched, until it is told to stop."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.config import model_server_config_pb2

from serving.embedded import files, grpc_server, load_settings, model_configs, refusals, rest, ssl_files
from serving.embedded.catalog import Catalog
from serving.embedded.flag_files_pb2 import MonitoringConfig
from serving.embedded.flags import Flags, channel_arguments
from serving.embedded.metrics import Metrics
from serving.embedded.refusals import Refusal
from serving.embedded.say import say
from serving.embedded.services import ModelService, PredictionService

_GRACE_S = 5.0  # for requests in flight when the server is told to stop
_METRICS_PATH = "/monitoring/prometheus/metrics"


def serve(flags: Flags, stop: threading.Event) -> bool:
    """Serve until ``stop``; whether everything had ended when it returned.

    Raises:
        Refusal: the server cannot start; the stock server's words for why.
        ServeError: a port was taken while the models were loaded.
    """
    tf.get_logger().setLevel("ERROR")
    # what is there now stays: looking for garbage in it would stop every request for a moment
    gc.freeze()
    metrics = Metrics()
    metrics_path = _metrics_path(flags)
    ports = _grpc_ports(flags)
    catalog = Catalog(load_settings.loading(flags, metrics), flags.allow_version_labels_for_unavailable_models, stop)
    catalog.apply(_config(flags), "servable")
    ended = stop.is_set() or _answer(flags, stop, catalog, metrics, ports, metrics_path)
    return catalog.close(_GRACE_S) and ended


def _answer(
    flags: Flags,
    stop: threading.Event,
    catalog: Catalog,
    metrics: Metrics,
    ports: grpc_server.Ports,
    metrics_path: str | None,
) -> bool:
    services = {
        "tensorflow.serving.PredictionService": PredictionService(catalog, metrics).methods,
        "tensorflow.serving.ModelService": ModelService(catalog).methods,
    }
    server = grpc_server.Server(services, ports)
    http = rest.start(catalog, metrics, flags.host, flags.rest_api_port, metrics_path) if flags.rest_api_port else None
    _watch(flags, stop, catalog)
    where = ", ".join([*ports.addresses, *([f"http://{flags.host}:{flags.rest_api_port}"] if http else [])])
    say(f"serving {', '.join(sorted(catalog.models))} on {where}")
    stop.wait()
    ended = server.stop(_GRACE_S)
    if http:
        http.shutdown()
    return ended


def _watch(flags: Flags, stop: threading.Event, catalog: Catalog) -> None:
    _every(flags.file_system_poll_wait_seconds, stop, catalog.look_again)
    if flags.model_config_file is not None:
        path = flags.model_config_file
        _every(flags.model_config_file_poll_wait_seconds, stop, lambda: _read_again(path, catalog))


def _every(seconds: int, stop: threading.Event, action: Callable[[], None]) -> None:
    def repeat() -> None:
        while not stop.wait(seconds):
            action()

    if seconds > 0:
        threading.Thread(target=repeat, daemon=True).start()


def _read_again(path: Path, catalog: Catalog) -> None:
    """Follow the config; one that cannot be served is told of, and what is served goes on."""
    try:
        config = files.read(path, model_server_config_pb2.ModelServerConfig())
    except Refusal as refusal:
        say(f"Failed to read ModelServerConfig file: {refusal.sentence}")
        return
    try:
        catalog.apply(config)
    except Refusal as refusal:
        say(f"Failed to reload the config: {refusal.sentence}")


def _config(flags: Flags) -> Any:
    if flags.model_config_file is not None:
        return files.read(flags.model_config_file, model_server_config_pb2.ModelServerConfig())
    return model_configs.of_one_model(flags.model_name, flags.model_base_path)


def _metrics_path(flags: Flags) -> str | None:
    """Where the metrics are; None when nobody asked for them."""
    if flags.monitoring_config_file is None:
        return None
    wanted = files.read(flags.monitoring_config_file, MonitoringConfig()).prometheus_config
    return (wanted.path or _METRICS_PATH) if wanted.enable else None


def _grpc_ports(flags: Flags) -> grpc_server.Ports:
    addresses = [f"{flags.host}:{flags.port}"] if flags.port else []
    if flags.grpc_socket_path is not None:
        addresses.append(grpc_server.socket_address(flags.grpc_socket_path))
    if not addresses:
        raise refusals.invalid("--port is 0 and there is no --grpc_socket_path", "give one of them")
    return grpc_server.Ports(
        addresses,
        None if flags.ssl_config_file is None else ssl_files.credentials(flags.ssl_config_file),
        flags.grpc_max_threads,
        flags.enable_grpc_healthcheck_service,
        channel_arguments(flags.grpc_channel_arguments),
    )
