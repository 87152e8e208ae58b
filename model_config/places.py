"""Where things are unless the user says otherwise."""

from __future__ import annotations

from pathlib import Path

MODELS_FILE = Path(__file__).with_name("models.yaml")
REPOSITORY = Path("models")
STATE_FOLDER = Path(".serving")


def state_folder(port: int) -> Path:
    """Where everything about the server that was started here on a port is kept."""
    return STATE_FOLDER / str(port)


def bundle_folder(port: int) -> Path:
    """Where the config files of the server on a port are."""
    return state_folder(port) / "bundle"
