"""Where things are unless the user says otherwise."""

from __future__ import annotations

from pathlib import Path

MODELS_FILE = Path(__file__).with_name("models.yaml")
REPOSITORY = Path("models")
