"""What a case is, and the list of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from serving.conformance.asking import Answer, Text, ask
from serving.conformance.target import Target


@dataclass(frozen=True)
class Bench:
    """What a case works with: a server in its setting, and a connection to it.

    Attributes:
        command: starts a server of the kind under test, where a case wants one of its own.
    """

    target: Target
    channel: grpc.Channel
    command: Sequence[str]

    def ask(self, request: Any, timeout_s: float = 12.0) -> Answer:
        """Send a request."""
        return ask(self.channel, request, timeout_s)


@dataclass(frozen=True)
class Case:
    """One thing that a server must do.

    Attributes:
        setting: the flags it wants.
        check: raises when the server does something else.
        may_break: the real server hangs or poisons itself over this, so what comes after wants a fresh one.
        own: wants a server that was started for it, as its flags, its log or its other ports matter.
    """

    name: str
    setting: str
    check: Callable[[Bench], None]
    may_break: bool = False
    own: bool = False


CASES: list[Case] = []

# request, code, text (or its pattern; None: any)
Row = tuple[Any, str, "Text | None"]


def case(
    name: str, setting: str = "plain", *, may_break: bool = False, own: bool = False
) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Register a function as a case."""

    def register(check: Callable[[Bench], None]) -> Callable[[Bench], None]:
        CASES.append(Case(name, setting, check, may_break, own or setting != "plain"))
        return check

    return register


def rows(group: str, table: Mapping[str, Row], setting: str = "plain") -> None:
    """Register a table of requests and what the real server answered."""
    for name, (request, code, text) in table.items():
        CASES.append(Case(f"{group}: {name}", setting, _asking(request, code, text), own=setting != "plain"))


def _asking(request: Any, code: str, text: Text | None) -> Callable[[Bench], None]:
    def check(bench: Bench) -> None:
        bench.ask(request).require(code, text)

    return check
