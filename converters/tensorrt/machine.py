"""What engines are built for: the GPU, its driver, and the libraries around TensorRT."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tensorflow as tf

from model_config.errors import BuildError

_DRIVER: Final = Path("/proc/driver/nvidia/version")
# what converter.Dockerfile sets
_INSIDE: Final = "TF_SERVING_SUITE_CONVERTER"
_REMEDY: Final = (
    "the same command works in the converter image, which has what the server has: "
    "make convert MODEL=... VERSION=... BACKEND=docker"
)
_REMEDY_INSIDE: Final = (
    "give this container a GPU (docker run --gpus all, which wants NVIDIA's container toolkit), "
    "in an image that docker/converter.Dockerfile made from a -gpu image of the server"
)


@dataclass(frozen=True)
class Machine:
    """What an engine runs on, and nothing else.

    Attributes:
        gpu: the GPU's name, such as ``NVIDIA H200``.
        compute_capability: such as ``9.0``.
        driver: the NVIDIA driver's version.
    """

    gpu: str
    compute_capability: str
    driver: str
    cuda: str
    cudnn: str
    tensorrt: str
    tensorflow: str


def here() -> Machine:
    """This machine; BuildError says what it lacks."""
    version = _tensorrt()
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        raise BuildError(f"TensorRT needs an NVIDIA GPU, and TensorFlow sees none here; {_remedy()}")
    details = tf.config.experimental.get_device_details(gpus[0])
    built = tf.sysconfig.get_build_info()
    return Machine(
        gpu=str(details.get("device_name", "unknown")),
        compute_capability=".".join(map(str, details.get("compute_capability", ()))),
        driver=_driver(),
        cuda=str(built.get("cuda_version", "unknown")),
        cudnn=str(built.get("cudnn_version", "unknown")),
        tensorrt=version,
        tensorflow=tf.__version__,
    )


def _remedy() -> str:
    return _REMEDY_INSIDE if os.environ.get(_INSIDE) else _REMEDY


def _tensorrt() -> str:
    """The version of TensorRT that TensorFlow has loaded."""
    try:
        from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils as bindings
    except ImportError:
        raise BuildError(
            f"TensorFlow {tf.__version__} here was built without TensorRT (2.17 is the last with it); {_remedy()}"
        ) from None
    linked = bindings.get_linked_tensorrt_version()
    if not bindings.is_tensorrt_enabled():  # asked for the version of one that is not here, TensorFlow would abort
        raise BuildError(
            f"TensorRT {_dotted(linked)}, which TensorFlow {tf.__version__} needs, is not here; {_remedy()}"
        )
    loaded = bindings.get_loaded_tensorrt_version()
    if loaded[0] != linked[0] or loaded < linked:
        raise BuildError(
            f"TensorRT {_dotted(loaded)} is here, but TensorFlow {tf.__version__} needs {_dotted(linked)} "
            f"or a later {linked[0]}; {_remedy()}"
        )
    return _dotted(loaded)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _driver() -> str:
    """The driver's version, as the kernel module states it."""
    try:
        found = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", _DRIVER.read_text())
    except OSError:
        return "unknown"
    return found[1] if found else "unknown"
