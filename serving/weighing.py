"""What a version takes when a server has nothing else: each is served alone for a moment, in a server of its own."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clients import costs
from clients.loadgen.measure import Target
from model_config import base_path, bundle, files, gpu, server_config
from model_config.places import state_folder
from serving import address, plan, servers
from serving.backends import BACKENDS
from serving.notes import Running


@dataclass(frozen=True)
class Weight:
    """One version alone on a server, after it has answered.

    Attributes:
        key: the manifest's, so that it is not taken for that of a version built later; empty without a manifest.
        load_seconds: as the server tells; None where it does not.
        memory_bytes: resident memory of all of the server.
        gpu_memory_bytes: what less was free on the first GPU; None without one.
    """

    version: int
    key: str
    backend: str
    load_seconds: float | None
    memory_bytes: int | None
    gpu_memory_bytes: int | None

    @property
    def words(self) -> str:
        """In one line."""
        load = "unknown" if self.load_seconds is None else f"{self.load_seconds:.2f} s"
        memory = "unknown" if self.memory_bytes is None else f"{self.memory_bytes / 2**20:.0f} MiB"
        on_gpu = "" if self.gpu_memory_bytes is None else f", {self.gpu_memory_bytes / 2**20:.0f} MiB on the GPU"
        return f"version {self.version}: loads in {load}, takes {memory}{on_gpu}"

    def to_json(self) -> dict[str, Any]:
        """As a plain object."""
        return dict(vars(self))


def weigh(order: plan.Order, stop: threading.Event, timeout_s: float) -> Iterator[Weight]:
    """Serve every version of the order alone, one after the other.

    Raises:
        ServeError: a version cannot be served.
    """
    for served in order.models:
        for number in served.versions:
            before = gpu.used_bytes()
            with _alone(order, served, number, stop, timeout_s) as running:
                yield _weight(running, base_path.require(order.repository, served.name, number), before)


@contextmanager
def _alone(
    order: plan.Order, served: server_config.Served, number: int, stop: threading.Event, timeout_s: float
) -> Iterator[Running]:
    port = address.free_ports()
    one = replace(order, models=(replace(served, versions=(number,), labels={}),), port=port, rest_port=port + 1)
    made = plan.make(one)
    # TensorFlow takes all of a GPU's memory unless told to take what it needs
    sparing = replace(made.launch, environment={**made.launch.environment, "TF_FORCE_GPU_ALLOW_GROWTH": "true"})
    argv = made.choice.backend.argv(sparing, made.bundle.flags(made.choice.backend.seen(sparing).bundle))
    server = servers.start(replace(made, launch=sparing, argv=argv), stop, timeout_s)
    try:
        yield server.running
    finally:
        server.stop()
        # its log is of no use any more, as nobody looks for a server on this port
        shutil.rmtree(state_folder(port), ignore_errors=True)


def _weight(running: Running, version: base_path.Version, before: int | None) -> Weight:
    told = costs.load_seconds(costs.metrics_of(Target(running.server)))
    after = gpu.used_bytes()
    return Weight(
        version.number,
        version.manifest.key if version.manifest else "",
        running.backend,
        told.get(f"{version.path.parent.name}/{version.number}"),
        BACKENDS[running.backend].memory_bytes(running.pid, running.port),
        None if before is None or after is None else max(0, after - before),
    )


def order(repository: Path, model: str, versions: Sequence[int], backend: str, image: str) -> plan.Order:
    """The versions that are to be weighed, and what is to serve them."""
    served = server_config.choose(repository, model, versions, {})
    return plan.Order((served,), repository, bundle.Choices(), backend=backend, image=image)


def keep(model: str, found: Sequence[Weight], results: Path) -> Path:
    """Write weights where a comparison looks for them; those of other versions stay."""
    path = results / costs.WEIGHED
    kept = costs.weighed(path, model)
    versions = {**kept, **{str(each.version): each.to_json() for each in found}}
    files.replace(results, {path.name: (json.dumps({"model": model, "versions": versions}, indent=2) + "\n").encode()})
    return path
