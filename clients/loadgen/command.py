"""python -m clients bench: put a server under load and tell what it took."""

from __future__ import annotations

# as in every command line of ours, what is heavy is imported where it is needed, so that --help comes at once
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clients.loadgen import words
from clients.options import tls
from model_config import options
from model_config.console import INTERRUPTED, Commands, print_json, stderr

if TYPE_CHECKING:
    from clients.loadgen.session import Outcome

_path = click.Path(path_type=Path)
_integers = partial(click.option, type=words.integers, metavar="N,N,…")


@click.group(cls=Commands, invoke_without_command=True)
@options.server
@tls
@click.option("--model", help="The model's name on the server.")
@_integers("--version", "versions", multiple=True, help="1,2,4; the latest when left out.")
@click.option("--image", "images", type=_path, multiple=True, help="A picture to ask about; repeatable.")
@click.option("--data", type=_path, help="Recorded inputs: an .npz of arrays by input name, or warm-up records.")
@click.option(
    "--size", "sizes", type=words.sizes, metavar="NxN", help="For random inputs: the sizes that are open, 300x300."
)
@click.option("--signature", default="", help="For --data and random inputs; serving_default when left out.")
@_integers("--batch", "batches", help="Examples a request: 1,8,32.  [default: 1]")
@_integers("--concurrency", "in_flight", help="Closed loop: requests in flight, 1,2,4,8.")
@click.option("--rate", "rates", type=words.rates, metavar="N,N,…", help="Open loop: requests a second, 50,100,200.")
@click.option("--arrival", default="poisson", type=click.Choice(["poisson", "constant"]), help="Of an open loop.")
@click.option("--seed", default=0, show_default=True, help="Of Poisson arrivals and random inputs.")
@click.option("--scenario", help="One of MLPerf's: SingleStream, MultiStream, Server, Offline.")
@click.option(
    "--slo-p99",
    "slo_ms",
    type=words.milliseconds,
    metavar="TIME",
    help="Search the highest rate whose p99 stays under: 7ms.",
)
@click.option("--requests", type=int, help="Exactly so many a point, instead of until it settles.")
@click.option("--warm-up", default=50, show_default=True, help="Requests before them that do not count.")
@click.option("--percentile", "percent", type=float, help="What has to settle and rests on enough.  [default: 99]")
@click.option("--window", "window_s", default=1.0, show_default=True, help="Seconds; three alike end a point.")
@click.option("--limit", "limit_s", default=60.0, show_default=True, help="Seconds after which a point ends anyway.")
@click.option("--timeout", "timeout_s", default=60.0, show_default=True, help="Seconds until a request has failed.")
@click.option("--workers", default=0, help="Processes that ask; as many as suit the machine when left out.")
@click.option("--connections", default=0, help="Of all workers; one a caller, at most 8, when left out.")
@click.option("--in-process", type=_path, help="Measure a version's folder without a server (imports TensorFlow).")
@click.option("--metrics-url", help="Where the server's Prometheus metrics are: http://HOST:PORT/PATH.")
@options.repository
@options.models_file
@click.option("--output", type=_path, help="Keep the samples here (JSON lines); what is there is not measured again.")
@click.option("--from", "source", type=_path, help="Make the figures again from such a file.")
@options.as_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for spreadsheets.")
@click.pass_context
def bench(context: click.Context, /, **given: Any) -> None:
    """Measure latency and throughput under load: closed loop, open loop, or the highest rate under a bound.

    Example: python -m clients bench --model demo --version 1,2 --size 320x320 --concurrency 1,4
    """
    if context.invoked_subcommand:
        return
    from clients.loadgen import session

    found = session.outcome(given)
    _print(found, given["as_json"], given["as_csv"])
    if found.interrupted:
        context.exit(INTERRUPTED)


@bench.command()
@click.argument("first", type=_path)
@click.argument("second", type=_path)
@options.as_json
def diff(first: Path, second: Path, as_json: bool) -> None:
    """Hold two files of samples against each other: how many times as fast the second is, if that is sure.

    Example: python -m clients bench diff before.jsonl after.jsonl
    """
    from clients.loadgen import difference

    found = difference.between(first, second)
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(difference.sentence(each))


def _print(found: Outcome, as_json: bool, as_csv: bool) -> None:
    from clients.loadgen import tables

    if as_json:
        print_json({"model": found.title, "rows": found.rows})
    elif as_csv:
        click.echo(tables.as_csv(found.rows), nl=False)
    else:
        tables.show(found.title, found.rows)
        for line in [*tables.headlines(found.rows), *tables.splits(found.rows)]:
            click.echo(line)
        for doubt in tables.doubts(found.rows):
            stderr().print(doubt)
