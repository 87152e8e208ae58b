"""What is known of a version's engines, on its way from the pass that built them to the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from model_config.manifest import Check, TensorRT

_PLACE: Final = Path("assets.extra", "tensorrt.json")


def write(facts: TensorRT, servable: Path) -> None:
    """Leave the facts beside the engines."""
    path = servable / _PLACE
    path.parent.mkdir(exist_ok=True)
    path.write_text(facts.model_dump_json(), encoding="utf-8")


def take(servable: Path) -> TensorRT | None:
    """The facts, which then stand in the manifest alone; None where there are no engines."""
    path = servable / _PLACE
    if not path.exists():
        return None
    facts = TensorRT.model_validate_json(path.read_text(encoding="utf-8"))
    path.unlink()
    return facts


def verified(facts: TensorRT, checks: Sequence[Check]) -> TensorRT:
    """The facts with the GPU's name, if it answered in a fresh process in every batch size that was asked."""
    answered = bool(checks) and all(check.outputs for check in checks)
    return facts.model_copy(update={"verified_on": facts.gpu}) if answered else facts
