"""A build in the converter image, whose libraries are the server's: the command line, the image, the run."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model_config import container_engine
from model_config.console import stderr
from model_config.errors import BuildError
from model_config.fit import STOCK_GPU_IMAGE
from model_config.models import Model

Argv = tuple[str, ...]

# of the same tag as the server's image, as it is made from it
IMAGE: Final = f"tf-serving-suite-converter:{STOCK_GPU_IMAGE.rpartition(':')[2]}"
DOCKERFILE: Final = Path("docker", "converter.Dockerfile")

_NOT_STARTED = 125  # what docker run ends with when the engine refuses
_PART: Final = re.compile(r"\.(meta|index|data-\d+-of-\d+)$")  # of a checkpoint


@dataclass(frozen=True)
class Order:
    """One build that is to run in a container; every path is absolute and the same inside as outside.

    Attributes:
        arguments: of ``python -m converters``.
        folder: where the command runs, from which relative paths start.
        reads: files and folders that the build reads; they are mounted read-only.
        repository: the folder that the versions are published in.
        checkout: the folder with our own packages, whose code then runs instead of the image's; None without one.
        user: ``uid:gid``, whose files the versions become.
        gpus: as ``docker run --gpus`` takes it; empty for none.
        options: more for ``docker run``.
        terminal: whether a person watches.
    """

    arguments: Argv
    folder: Path
    reads: tuple[Path, ...]
    repository: Path
    checkout: Path | None
    name: str
    user: str
    image: str = IMAGE
    gpus: str = ""
    options: Argv = ()
    terminal: bool = False


def argv(order: Order) -> Argv:
    """The whole ``docker run``."""
    return (
        *("docker", "run", "--rm", "--init", "--name", order.name),
        *(("--interactive", "--tty") if order.terminal else ()),
        *(("--gpus", order.gpus) if order.gpus else ()),
        *("--user", order.user, "--workdir", str(order.folder)),
        *(("--env", f"PYTHONPATH={order.checkout}") if order.checkout else ()),
        *(part for path in _read_only(order) for part in _mount(path, ",readonly")),
        *_mount(order.repository),
        *order.options,
        order.image,
        *order.arguments,
    )


def read_by(model: Model) -> tuple[Path, ...]:
    """The files and folders that a model's entry names and that are here; the build says which are missing."""
    labels = (Path(model.task.labels),) if isinstance(model.task.labels, str) else ()
    calibration = (model.calibration.path,) if model.calibration else ()
    data = model.data.places if model.data else ()
    named = (*_source(model.source), model.custom_objects, *model.passes, *calibration, *data, *labels)
    return tuple(path.absolute() for path in named if path is not None and path.exists())


def run(order: Order) -> int:
    """Build there, the image first where it is missing; gives the exit code of the build, which has said why.

    Raises:
        BuildError: no engine answers, there is no image, or the container does not start.
    """
    problem = container_engine.unfit()
    if problem:
        raise BuildError(f"backend docker cannot run here: {problem}")
    _require_image(order)
    order.repository.mkdir(parents=True, exist_ok=True)  # otherwise the engine would make it, for its own user
    code = _in_foreground(order)
    if code == _NOT_STARTED:
        raise BuildError(
            f"the engine did not start {order.image}, for the reason above; a GPU needs NVIDIA's container toolkit, "
            "and mounted folders an engine on this machine"
        )
    return code


def checkout() -> Path | None:
    """The folder that our packages run from, where it is one with the Dockerfile."""
    root = Path(__file__).parents[1]
    return root if (root / DOCKERFILE).is_file() else None


def _require_image(order: Order) -> None:
    if container_engine.has(order.image):
        return
    if order.image != IMAGE:
        raise BuildError(
            f"the image {order.image} is not here; fetch it with docker pull, or leave --image out (make: IMAGE) "
            "to use the one that is built here"
        )
    if order.checkout is None:
        raise BuildError(f"the image {IMAGE} is not here; build it in a checkout with docker build -f {DOCKERFILE}")
    stderr().print(f"building the image {IMAGE}, which takes minutes this once")
    # results alone go to stdout
    command = ("docker", "build", "--file", str(order.checkout / DOCKERFILE), "--tag", IMAGE, str(order.checkout))
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise BuildError(
            f"the image {IMAGE} could not be built, for the reason above; mend it, or name one with --image"
        )


def _in_foreground(order: Order) -> int:
    """Run to the end, or until Ctrl-C, which the build in the container is told once and ends by."""
    # at a terminal the keys go to the container as they are; otherwise the signal would reach docker from both sides
    with subprocess.Popen(argv(order), start_new_session=not order.terminal) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)
            return child.wait()


def _source(source: Path | None) -> tuple[Path, ...]:
    """A checkpoint is several files, none of which has to bear its name."""
    if source is None:
        return ()
    if source.exists() and not _PART.search(source.name):
        return (source,)
    # one by one, as what surrounds them may be a folder that has to stay writable, such as /tmp
    return tuple(sorted(each for each in source.parent.glob("*") if _PART.search(each.name)))


def _read_only(order: Order) -> list[Path]:
    """All that is read, without what is inside another; what only a link leads to is not inside."""
    paths = {*order.reads, *((order.checkout,) if order.checkout else ())} - {order.repository}
    kept: list[Path] = []
    for path in sorted(paths, key=lambda each: (len(each.parts), each)):
        if not any(other in path.parents and other.resolve() in path.resolve().parents for other in kept):
            kept.append(path)
    return kept


def _mount(path: Path, how: str = "") -> Argv:
    return ("--mount", f"type=bind,source={path},target={path}{how}")
