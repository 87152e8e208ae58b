"""The command line: python -m serving conformance."""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from model_config import options
from model_config.console import print_json, print_table
from model_config.errors import ServeError

if TYPE_CHECKING:
    from serving.conformance.case import Case
    from serving.conformance.running import Result

_COMMANDS = {"embedded": (sys.executable, "-m", "serving.embedded"), "binary": ("tensorflow_model_server",)}


@click.command()
@click.option(
    "--backend", type=click.Choice(list(_COMMANDS)), default="embedded", show_default=True, help="What to test."
)
@click.option("--command", "given", help="Test what this starts instead, e.g. a path to tensorflow_model_server.")
@click.option(
    "--server", help="Test what runs at HOST:PORT on this machine, as far as its flags allow; unloads its models."
)
@click.option("--only", default="", help="Cases whose names contain this.")
@options.as_json
def conformance(backend: str, given: str | None, server: str | None, only: str, as_json: bool) -> None:
    """Ask a server of one's own everything that the real one was asked, and compare the answers."""
    command = tuple(shlex.split(given)) if given else _COMMANDS[backend]
    if shutil.which(command[0]) is None:
        raise ServeError(f"there is no {command[0]} on the PATH; install it, or name another with --command")
    from serving.conformance import running

    def wanted(case: Case) -> bool:
        return only in case.name

    results = running.results_of(server, wanted) if server else running.results(command, wanted)
    found = [_told(each, as_json) for each in results]
    failed = [each for each in found if each.trouble]
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        _show(found)
    if failed or not found:
        what = f"{len(failed)} of {len(found)} cases" if found else f"no case has {only!r} in its name"
        raise ServeError(f"{what} differ from the real server; the table says how" if found else what)


def _told(result: Result, as_json: bool) -> Result:
    if not as_json:
        click.echo(f"{_verdict(result):8} {result.name}", err=True)
    return result


def _show(results: list[Result]) -> None:
    rows = [(each.name, each.setting, _verdict(each), f"{each.seconds:.2f}") for each in results]
    print_table("conformance to TensorFlow Serving 2.17.1", ("case", "setting", "verdict", "seconds"), rows, left=3)
    for each in results:
        if each.trouble:
            click.echo(f"{each.name}\n  {each.trouble}\n")


def _verdict(result: Result) -> str:
    return "differs" if result.trouble else "ok"
