"""Ask a server about pictures, measure it, compare what its versions answer."""

from __future__ import annotations

from model_config import interrupts

if __name__ == "__main__":
    interrupts.prepare()

# every command imports what it needs itself, so that --help comes at once
import os
from typing import TYPE_CHECKING

import click

from clients.compare.command import compare
from clients.loadgen.command import bench
from clients.options import connection
from clients.predict import predict
from model_config import options
from model_config.console import Commands, print_json

if TYPE_CHECKING:
    from clients.connection import Connection


# what goes wrong is told in a sentence of ours; these libraries would write lines of their own before it
for _chatty, _silent in (("OPENCV_LOG_LEVEL", "OFF"), ("OPENCV_FFMPEG_LOGLEVEL", "-8"), ("GRPC_VERBOSITY", "NONE")):
    os.environ.setdefault(_chatty, _silent)


@click.group(cls=Commands)
def main() -> None:
    """Ask a TensorFlow Serving server, without TensorFlow."""


main.add_command(predict)
main.add_command(bench)
main.add_command(compare)


@main.command()
@connection
@options.model
@click.option("--signatures", is_flag=True, help="Also what every available version takes and gives.")
@options.as_json
def status(connection: Connection, model: str, signatures: bool, as_json: bool) -> None:
    """Show the versions of a model on the server and the state of each."""
    from clients import status as server_status

    found = server_status.look(connection, model, signatures)
    print_json(found) if as_json else server_status.show(found)


if __name__ == "__main__":
    with interrupts.ignored_at_the_end():
        main(prog_name="python -m clients")
