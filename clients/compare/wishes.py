"""The options of a comparison that are about speed and about what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from clients.loadgen import words
from model_config import goal_options

FORMATS = ("text", "json", "csv", "markdown")

_MEASURING = (
    click.option("--batch", "batches", type=words.integers, default="1,8", show_default=True, metavar="N,N,…",
                 help="Questions a request, to measure with."),
    click.option("--concurrency", "in_flights", type=words.integers, default="1,4", show_default=True,
                 metavar="N,N,…", help="Requests in flight, to measure with."),
    click.option("--slo-p99", "slo_ms", type=words.milliseconds, metavar="TIME",
                 help="Also search the highest rate whose p99 stays under: 7ms."),
    click.option("--requests", type=click.IntRange(1), default=1000, show_default=True,
                 help="Of the smallest load on each version; of the others at most."),
    click.option("--warm-up", type=click.IntRange(0), default=50, show_default=True,
                 help="Requests before them that do not count."),
    click.option("--seconds", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True,
                 help="Of each other load on each version at most, about."),
    click.option("--metrics-url", help="Where the server's Prometheus metrics are, if not on the next port."),
)  # fmt: skip
_PROMOTING = (
    click.option("--promote", is_flag=True, help="Move the label stable to the winner on the running server."),
)  # fmt: skip
_TELLING = (
    goal_options.goals,
    click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True,
                 help="Of the table on stdout."),
)  # fmt: skip


def measuring(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what says how to measure: ``batches in_flights slo_ms requests warm_up seconds metrics_url``."""
    return _with(command, _MEASURING)


def promoting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what says what to do with the winner: ``promote``."""
    return _with(command, _PROMOTING)


def telling(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what says how to judge and tell: ``goals form``."""
    return _with(command, _TELLING)


def _with(command: Callable[..., Any], chosen: tuple[Callable[..., Any], ...]) -> Callable[..., Any]:
    for option in reversed(chosen):
        command = option(command)
    return command
