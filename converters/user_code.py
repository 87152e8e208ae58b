"""Python files of the user's own, which run only because the user named them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_config.errors import BadSource


def run(path: Path) -> Mapping[str, Any]:
    """Run a file and give what it defines by name; BadSource when it is none or raises anything."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadSource(f"{path} is no Python file; name one that is")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code may raise
        raise BadSource(f"{path} cannot be run: {type(error).__name__}: {error}; mend it") from error
    return vars(module)
