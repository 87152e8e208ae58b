"""The same client under Locust, for load that one machine cannot make.

    pip install '.[locust]'
    locust --master --expect-workers 2 --host HOST:PORT --model demo --served 2 --size 320x320
    locust --worker --master-host MASTER        (on each machine, once a processor)

Locust's users are a closed loop: each waits for its answer before it asks again. ``python -m clients bench``
says more about one server from one machine; here the numbers are Locust's own, and its to judge.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import grpc.experimental.gevent as grpc_gevent
from locust import User, constant, events, task
from locust.argument_parser import LocustArgumentParser

from clients.client import Client
from clients.loadgen import words
from clients.loadgen.asked import Asked

grpc_gevent.init_gevent()  # before the first channel, else one that waits makes all users wait


@events.init_command_line_parser.add_listener
def _options(parser: LocustArgumentParser) -> None:
    parser.add_argument("--model", help="The model's name on the server.", required=False)
    parser.add_argument("--served", type=int, help="The version to ask; the latest when left out.")
    parser.add_argument("--batch", type=int, default=1, help="Examples a request.")
    parser.add_argument("--image", action="append", help="A picture to ask about; repeatable.")
    parser.add_argument("--size", type=words.sizes, default=(), help="Of random inputs, where open: 300x300.")


class Caller(User):  # type: ignore[misc]  # Locust's classes are untyped
    """Asks one version the same questions again and again, each made once before it starts."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Connect, and make the questions."""
        options = self.environment.parsed_options
        self._client = Client(self.environment.host)
        asked = Asked(images=[Path(each) for each in options.image or ()], sizes=options.size)
        self._requests = asked.requests(self._client, options.model, options.served, options.batch)
        self._turn = 0
        self._name = f"{options.model} {options.served or 'latest'}, batch {options.batch}"

    def on_stop(self) -> None:
        """Hang up."""
        self._client.close()

    @task
    def predict(self) -> None:
        """Ask once; Locust counts the time, or what went wrong."""
        self._turn += 1
        start, error = time.perf_counter(), None
        try:
            self._client.ask(self._requests[self._turn % len(self._requests)])
        except Exception as raised:  # a failed request is a result, and Locust goes on
            error = raised
        self._tell(1e3 * (time.perf_counter() - start), error)

    def _tell(self, milliseconds: float, error: Any) -> None:
        self.environment.events.request.fire(
            request_type="Predict",
            name=self._name,
            response_time=milliseconds,
            response_length=0,
            exception=error,
            context={},
        )
