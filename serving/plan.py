"""How a server is to run: the backend, the config it is given, the whole command line; nothing runs yet."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_config import base_path, bundle, fit, gpu, places
from model_config.errors import ServeError
from model_config.server_config import Served
from serving import address, backends, notes
from serving import certificates as certificate
from serving.backends.launch import Argv, Launch, Seen

_LAST_PORT = 65535
_NO_GPUS = "none"
_ONEDNN_SWITCH = "TF_ENABLE_ONEDNN_OPTS"


@dataclass(frozen=True)
class Order:
    """What a user asks for.

    Attributes:
        models: with the base paths of this machine.
        image, gpus: what suits this machine when empty; ``none`` for no GPU.
        options: more for ``docker run``.
        flags: more for the server.
    """

    models: tuple[Served, ...]
    repository: Path
    choices: bundle.Choices
    backend: str = "auto"
    port: int = 8500
    rest_port: int = 8501
    host: str = address.LOCAL
    image: str = ""
    gpus: str = ""
    network: str = ""
    options: Argv = ()
    flags: Argv = ()

    def __post_init__(self) -> None:
        ports = self.port, self.rest_port
        if not all(1 <= port <= _LAST_PORT for port in ports) or self.port == self.rest_port:
            raise ServeError(
                f"ports are two different numbers from 1 to {_LAST_PORT}, not {self.port} and {self.rest_port}; "
                "choose others with --port and --rest-port"
            )


@dataclass(frozen=True)
class Plan:
    """A server that could be started as it stands here."""

    choice: backends.Choice
    launch: Launch
    bundle: bundle.Bundle
    argv: Argv
    running: notes.Running

    @property
    def command(self) -> str:
        """What one would type."""
        variables = [f"{name}={value}" for name, value in self.launch.environment.items()]
        return shlex.join([*(variables if self.argv[0] != "docker" else ()), *self.argv])

    @property
    def remark(self) -> str:
        """Which backend and why, and who else can reach it."""
        listens = self.choice.backend.listens_on(self.launch)
        told = f"backend {self.choice.name}: {self.choice.why}"
        if address.is_local(listens):
            return told
        return (
            f"{told}\nit listens on {listens}: whoever reaches this machine can ask every model, read the metrics on "
            f"port {self.launch.rest_port} and change what is served, {_guard(bool(self.running.tls))}"
        )


def make(order: Order, elsewhere: bool = False) -> Plan:
    """Choose the backend, hold the versions against it, and write down what would run.

    Args:
        order: what is asked for.
        elsewhere: it is only to be read here, so the backend need not be able to run here.

    Raises:
        ServeError: the backend cannot run here, or a version does not fit it.
    """
    versions = bundle.versions_of(order.models, order.repository)
    launch = _launch(order, versions)
    choice = backends.choose(order.backend, launch)
    if not elsewhere:
        choice.require()
    fit.require(versions, choice.backend.facts(launch.image))
    seen = choice.backend.seen(launch)
    made = bundle.make([each.below(seen.repository) for each in order.models], versions, order.choices)
    argv = choice.backend.argv(launch, made.flags(seen.bundle))
    return Plan(choice, launch, made, argv, _running(order, choice, launch, seen))


def _launch(order: Order, versions: Sequence[base_path.Version]) -> Launch:
    gpus = "" if order.gpus == _NO_GPUS else order.gpus or ("all" if gpu.first().name else "")
    return Launch(
        repository=order.repository.resolve(),
        bundle=places.bundle_folder(order.port).resolve(),
        port=order.port,
        rest_port=order.rest_port,
        host=order.host,
        image=order.image or (fit.STOCK_GPU_IMAGE if gpus else fit.STOCK_IMAGE),
        gpus=gpus,
        network=order.network,
        options=order.options,
        flags=order.flags,
        environment=environment(versions),
    )


def environment(versions: Sequence[base_path.Version]) -> dict[str, str]:
    """The variables that a server of these versions needs.

    8-bit versions load without oneDNN too, and then fail every request; on processors that do well without it
    TensorFlow leaves it off unless told.
    """
    needing = any(each.manifest and fit.ONEDNN in each.manifest.requires for each in versions)
    return {_ONEDNN_SWITCH: "1"} if needing and os.environ.get(_ONEDNN_SWITCH) != "0" else {}


def _running(order: Order, choice: backends.Choice, launch: Launch, seen: Seen) -> notes.Running:
    return notes.Running(
        pid=0,
        port=order.port,
        rest_port=order.rest_port,
        host=order.host,
        backend=choice.name,
        image=launch.image,
        models={each.name: each.versions for each in order.models},
        repository=str(launch.repository),
        seen_repository=seen.repository,
        clean_up=choice.backend.clean_up(launch),
        tls=_for_clients(order.choices.certificates),
    )


def _for_clients(certificates: bundle.Certificates | None) -> dict[str, str]:
    """What our own questions to the server need."""
    if certificates is None:
        return {}
    folder = certificates.cert.parent
    own = {"cert": certificate.CLIENT_CERT, "key": certificate.CLIENT_KEY} if certificates.require_client else {}
    return {"ca": str(certificates.ca), **{kind: str(folder / name) for kind, name in own.items()}}


def _guard(tls: bool) -> str:
    return "as far as its certificate lets him in" if tls else "as nothing asks who he is (--tls does)"
