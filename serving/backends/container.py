"""The stock image in a container: models and config mounted read-only, the ports published on one address."""

from __future__ import annotations

import json
from pathlib import Path

from model_config import container_engine, fit, gpu
from model_config.console import stderr
from model_config.errors import ServeError
from serving.address import EVERYWHERE
from serving.backends.launch import PROGRAM, Argv, Launch, Seen, library_version

MODELS, BUNDLE = "/models", "/bundle"  # the first is the stock image's own

_GRPC, _REST = 8500, 8501  # what the stock image listens on
_CUDA_CACHE = "/var/cache/cuda"
_CUDA_CACHE_BYTES = 4 << 30
_NAME = "tf-serving-suite-"


class Container:
    """``docker run`` in the foreground, so that the process lives and ends with the container."""

    reason = "a docker engine answers"

    def unfit(self) -> str:
        """No engine answers us, and why."""
        return container_engine.unfit()

    def seen(self, launch: Launch) -> Seen:
        """Both are mounted."""
        return Seen(MODELS, BUNDLE)

    def facts(self, image: str) -> fit.Facts:
        """Of the image, whose environment names what was put into it, and of this machine's GPU."""
        found = gpu.first()
        told = container_engine.ask("image", "inspect", "--format", "{{json .Config.Env}}", image)
        names = dict(entry.split("=", 1) for entry in json.loads(told.stdout) or ()) if told.returncode == 0 else {}
        named = fit.of_image(image)
        return fit.Facts(
            image,
            tensorflow=named.tensorflow or (_version_inside(image) if told.returncode == 0 else None),
            tensorrt=names.get("TF_TENSORRT_VERSION", named.tensorrt),
            cuda=names.get("CUDA"),
            gpu=found.name,
            driver=found.driver,
            onednn=False if found.name else None,  # TensorFlow gives the GPU what it can, and that is not oneDNN
        )

    def prepare(self, launch: Launch) -> None:
        """Fetch the image if it is not here, and remove a container that has ended but was kept."""
        container_engine.ask("rm", name_of(launch))
        image = launch.image
        if container_engine.has(image):
            return
        with stderr().status(f"fetching {image}, which takes minutes the first time"):
            pulled = container_engine.ask("pull", "--quiet", image, timeout_s=None)
        if pulled.returncode:
            raise ServeError(
                f"the image {image} is not here and cannot be fetched ({container_engine.last_line(pulled.stderr)}); "
                "name one that is with --image (make: IMAGE=...), or use another backend"
            )

    def argv(self, launch: Launch, flags: Argv) -> Argv:
        """The whole ``docker run``."""
        return (
            *("docker", "run", "--rm", "--name", name_of(launch)),
            # the image's entrypoint is a shell, which would keep the signal to stop for itself
            *("--init", "--env", "TINI_KILL_PROCESS_GROUP=1"),
            *_network(launch),
            *_mount(launch.repository, MODELS),
            *_mount(launch.bundle, BUNDLE),
            *_gpu_options(launch),
            *(part for name, value in launch.environment.items() for part in ("--env", f"{name}={value}")),
            *launch.options,
            launch.image,
            *(launch.port_flags if launch.network else ()),
            *flags,
            *launch.flags,
        )

    def clean_up(self, launch: Launch) -> Argv:
        """A container outlives a ``docker run`` that was killed."""
        return ("docker", "rm", "--force", name_of(launch))

    def listens_on(self, launch: Launch) -> str:
        """Where its ports are published; in the machine's own network the server knows no address."""
        return EVERYWHERE if launch.network == "host" else launch.host

    def memory_bytes(self, pid: int, port: int) -> int | None:
        """Of all processes in the container, as our own one only waits for it."""
        told = container_engine.ask("top", f"{_NAME}{port}", "-eo", "pid,rss")
        sizes = [int(line.split()[1]) for line in told.stdout.splitlines()[1:]]
        return sum(sizes) * 1024 if told.returncode == 0 else None


def name_of(launch: Launch) -> str:
    """The container's name: one a port."""
    return f"{_NAME}{launch.port}"


def _network(launch: Launch) -> Argv:
    if launch.network:
        return ("--network", launch.network)
    ports = ((launch.port, _GRPC), (launch.rest_port, _REST))
    return tuple(part for ours, theirs in ports for part in ("--publish", f"{launch.host}:{ours}:{theirs}"))


def _mount(folder: Path, place: str) -> Argv:
    return ("--mount", f"type=bind,source={folder},target={place},readonly")


def _gpu_options(launch: Launch) -> Argv:
    """The GPUs, and a place that keeps the kernels that a first start on a new GPU compiles for minutes."""
    if not launch.gpus:
        return ()
    return (
        *("--gpus", launch.gpus),
        *("--mount", f"type=volume,source=tf-serving-suite-cuda-cache,target={_CUDA_CACHE}"),
        *("--env", f"CUDA_CACHE_PATH={_CUDA_CACHE}", "--env", f"CUDA_CACHE_MAXSIZE={_CUDA_CACHE_BYTES}"),
    )


def _version_inside(image: str) -> str | None:
    """The TensorFlow of an image whose name does not tell it, such as one named by its digest."""
    told = container_engine.ask("run", "--rm", "--network", "none", "--entrypoint", PROGRAM, image, "--version")
    return library_version(told.stdout + told.stderr)
