"""Serve with the stock server's own flags, from Python."""

from __future__ import annotations

import os
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_config.console import Command
from model_config.errors import ServeError
from serving.signals import stop_signal

if TYPE_CHECKING:
    from serving.embedded.catalog import Catalog

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_GRACE_S = 5.0  # for requests in flight when the server is told to stop
_POLL_S = 0.1


@click.command(cls=Command, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.option("--port", default=8500, show_default=True, help="The gRPC port.")
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 exposes every model to the network.")
@click.option("--model_config_file", type=click.Path(path_type=Path), help="Which models and versions to serve.")
@click.option("--model_name", default="default", show_default=True, help="Without a config: the one model's name.")
@click.option("--model_base_path", type=click.Path(path_type=Path), help="Without a config: its absolute base path.")
@click.option("--grpc_max_threads", default=4 * (os.cpu_count() or 1), help="Calls answered at a time.")
@click.option(
    "--tensorflow_intra_op_parallelism", default=0, help="Threads within an operation; 0: TensorFlow chooses."
)
@click.option("--tensorflow_inter_op_parallelism", default=0, help="Operations at a time; 0: TensorFlow chooses.")
@click.pass_context
def main(
    context: click.Context,
    port: int,
    host: str,
    model_config_file: Path | None,
    model_name: str,
    model_base_path: Path | None,
    grpc_max_threads: int,
    tensorflow_intra_op_parallelism: int,
    tensorflow_inter_op_parallelism: int,
) -> None:
    """A gRPC server over TensorFlow that takes the stock server's flags; others are named and passed over."""
    for flag in context.args:
        click.echo(f"unknown argument: {flag}", err=True)  # as the stock server does
    stop = stop_signal()
    catalog = _catalog(model_config_file, model_name, model_base_path)
    session_config = _session_config(tensorflow_intra_op_parallelism, tensorflow_inter_op_parallelism)
    _start_loading(catalog, session_config)
    if _wait_for_models(catalog, stop):
        _serve(catalog, f"{host}:{port}", grpc_max_threads, stop)


def _catalog(config: Path | None, name: str, base: Path | None) -> Catalog:
    from serving.embedded import catalog

    if config is not None:
        return catalog.from_config_file(config)
    if base is not None:
        return catalog.of_one_model(name, base)
    raise ServeError("Both server_options.model_base_path and server_options.model_config_file are empty!")


def _session_config(intra: int, inter: int) -> Any:
    import tensorflow as tf

    return tf.compat.v1.ConfigProto(intra_op_parallelism_threads=intra, inter_op_parallelism_threads=inter)


def _start_loading(catalog: Catalog, session_config: Any) -> None:
    """Load beside the server, so that a version that loads for long does not keep the others from answering."""
    from serving.embedded.servable import Servable

    loader = partial(Servable, session_config=session_config)
    threading.Thread(target=catalog.load, args=(loader,), daemon=True).start()


def _wait_for_models(catalog: Catalog, stop: threading.Event) -> bool:
    """Like the stock server, open no port before every model has a version; False when told to stop before."""
    for model in catalog.models.values():
        while not model.started.wait(_POLL_S):
            if stop.is_set():
                return False
        if len(model.failures) == len(model.entries):
            causes = "; ".join(f"version {entry.number}: {entry.error_message}" for entry in model.failures)
            raise ServeError(f"no version of {model.name} could be loaded: {causes}")
    return True


def _serve(catalog: Catalog, address: str, threads: int, stop: threading.Event) -> None:
    from serving.embedded import services

    server = services.start(catalog, address, threads)
    click.echo(f"serving {', '.join(sorted(catalog.models))} on {address}", err=True)
    stop.wait()
    server.stop(_GRACE_S).wait()
    catalog.close()


if __name__ == "__main__":
    sys.exit(main(prog_name="python -m serving.embedded"))
