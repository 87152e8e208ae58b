"""What can run a server: each backend is the command line that serves a model config on a port."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from model_config.errors import ServeError

Argv = tuple[str, ...]


def embedded(config: Path, port: int) -> Argv:
    """TensorFlow in Python, on this machine."""
    # a version that fails to load is told of at once, not after five minutes of trying again
    retries = "--max_num_load_retries=0"
    return (
        sys.executable,
        "-m",
        "serving.embedded",
        f"--port={port}",
        f"--model_config_file={config.resolve()}",
        retries,
    )


BACKENDS: Final[Mapping[str, Callable[[Path, int], Argv]]] = MappingProxyType({"embedded": embedded})
# known by name, so that asking for one says how things stand
_NOT_YET: Final = ("docker", "binary")
NAMES: Final = ("auto", *BACKENDS, *_NOT_YET)


def argv(name: str, config: Path, port: int) -> Argv:
    """The command line of a backend; ``auto`` takes the best there is."""
    if name in _NOT_YET:
        raise ServeError(f"backend {name} is not part of this release; use --backend embedded")
    return BACKENDS["embedded" if name == "auto" else name](config, port)
