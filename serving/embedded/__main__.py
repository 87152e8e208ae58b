"""Serve with the stock server's own flags, from Python."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from model_config.console import Command, Failure
from model_config.errors import ServeError
from serving import address
from serving.embedded import flags, refusals
from serving.signals import stop_signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what goes wrong is told here, in a sentence

_START_FAILED = 255  # the stock server's


@click.command(cls=Command, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@flags.options
@click.pass_context
def main(context: click.Context, /, **given: Any) -> None:
    """A gRPC server over TensorFlow that takes the stock server's flags; others are named and passed over."""
    for argument in context.args:
        _pass_over(argument)
    _require_ports(given["host"], given["port"], given["rest_api_port"])
    try:
        idle = _serve(flags.Flags(**given))
    except refusals.Refusal as refusal:
        failure = Failure(f"Failed to start server. Error: {refusal.sentence}", _START_FAILED)
        failure.show()
        _end(_START_FAILED)
    if not idle:
        _end(0)


def _serve(given: flags.Flags) -> bool:
    flags.require_models(given)
    stop = stop_signal()
    from serving.embedded import server

    return server.serve(given, stop)


def _require_ports(host: str, grpc_port: int, rest_port: int) -> None:
    """Refuse now, rather than when the models are loaded, what cannot be listened on."""
    if grpc_port and grpc_port == rest_port:
        raise ServeError(f"--port and --rest_api_port are both {rest_port}; give them different numbers")
    for port, option in ((grpc_port, "--port"), (rest_port, "--rest_api_port")):
        if port:
            address.require_free(port, host, option)


def _pass_over(argument: str) -> None:
    name = argument.lstrip("-").partition("=")[0]
    known = name in flags.WITHOUT_MEANING
    click.echo(f"without meaning here: {argument}" if known else f"unknown argument: {argument}", err=True)


def _end(code: int) -> None:
    """End at once: a thread that still loads would otherwise come back into an interpreter that is gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main(prog_name="python -m serving.embedded"))
