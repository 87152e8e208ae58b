"""The versions in a base path, and which of them a config's policy asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serving.embedded import refusals

Folders = Mapping[int, Path]


def on_disk(base: Path) -> Folders:
    """Folders by number, ascending: every name that is a whole integer, whatever is in the folder.

    Raises:
        Refusal: there is no such base path.
    """
    try:
        names = sorted(each for each in base.iterdir() if each.name.isascii() and each.name.isdigit())
    except OSError as error:
        raise refusals.not_found(
            f"Could not find base path {base}: {error.strerror}", "name the folder that holds the numbered versions"
        ) from error
    return dict(sorted((int(each.name), each) for each in names if each.is_dir()))


def wanted(model: Any, found: Folders) -> Folders:
    """Those of the versions found that a ModelConfig's policy asks for; without one, the largest."""
    policy = model.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return found
    if kind == "specific":
        return {number: found[number] for number in sorted(policy.specific.versions) if number in found}
    return dict(list(found.items())[-max(1, policy.latest.num_versions) :])


def require(model: Any) -> Folders:
    """What the policy asks for, when there is anything of it.

    Raises:
        Refusal: there is nothing to serve; the stock server would wait for ever here.
    """
    found = on_disk(Path(model.base_path))
    chosen = wanted(model, found)
    if chosen:
        return chosen
    asked = ", ".join(map(str, model.model_version_policy.specific.versions)) or "any version"
    there = ", ".join(map(str, found)) or "nothing"
    raise refusals.not_found(
        f"Could not find {asked} of servable {model.name} in base path {model.base_path}, which holds {there}",
        "build the version, or ask for one that is there",
    )
