"""One version from its source to its published folder: whole, with a manifest, or not at all."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import tensorflow as tf

from converters import calibration, graphs, pipeline, recipes, sources
from model_config import base_path, manifest
from model_config.errors import BuildError
from model_config.models import Model
from model_config.publishing import RESULT, publishing


@dataclass(frozen=True)
class Built:
    """A version that is there now; ``fresh`` unless it was there before, made from the same."""

    version: base_path.Version
    manifest: manifest.Manifest
    fresh: bool


@dataclass(frozen=True)
class _Plan:
    """Everything about a build that is known before it starts."""

    model: Model
    number: int
    recipe: recipes.Recipe
    steps: tuple[recipes.Step, ...]
    source: sources.Source
    sha256: str
    calibration: manifest.Calibration | None

    @property
    def key(self) -> str:
        """Equal for builds that must give the same result."""
        steps = [(step.name, dict(step.params)) for step in self.steps]
        learnt_from = self.calibration.sha256 if self.calibration else None
        ends = (self.source.format, self.source.inputs, self.source.outputs)
        return hashlib.sha256(json.dumps([self.sha256, ends, steps, learnt_from, _tools()]).encode()).hexdigest()


def build(model: Model, number: int, repository: Path, report: pipeline.Report, *, replace: bool = False) -> Built:
    """Make one version of a model, unless it is there already.

    Raises:
        UnknownName: the model has no such version, or its recipe or an output does not exist.
        BadSource: the source is missing or damaged.
        BuildError: the recipe cannot be built, or another build of this number stands in the way.
    """
    recipe = recipes.find(model.recipe(number))
    source = sources.locate(model)
    steps = recipe.steps_for(model)
    plan = _Plan(model, number, recipe, steps, source, source.sha256(), _calibration(model, recipe))
    there = base_path.scan(repository, model.name).get(number)
    made = there.manifest if there else None
    if there and made and made.key == plan.key:
        return Built(there, made, fresh=False)
    if there and not replace:
        raise BuildError(f"{there.path} exists and was made from something else; --replace builds it anew")
    with publishing(repository / model.name / str(number)) as draft:
        record = _make(plan, draft, report)
    return Built(base_path.require(repository, model.name, number), record, fresh=True)


def _calibration(model: Model, recipe: recipes.Recipe) -> manifest.Calibration | None:
    """What is known of the calibration data before it is used."""
    if model.calibration is None or not recipe.calibrated:
        return None
    data = calibration.locate(model.calibration.path, model.calibration.pictures)
    return manifest.Calibration(path=str(model.calibration.path), files=len(data.files), sha256=data.sha256())


def _make(plan: _Plan, draft: Path, report: pipeline.Report) -> manifest.Manifest:
    start = time.perf_counter()
    loaded, servable = draft / "0-source", draft / RESULT
    plan.source.load(loaded)
    graphs.require_loadable(loaded)  # before the passes, which would only fail in stranger words
    steps = pipeline.run(plan.steps, loaded, servable, report)
    _check(loaded, servable)
    record = _manifest(plan, steps, servable, time.perf_counter() - start)
    manifest.write(record, servable)
    return record


def _check(source: Path, servable: Path) -> None:
    """Refuse to publish what a server could not load or what takes and gives something else than the source."""
    graphs.require_loadable(servable)
    wanted, key = graphs.signatures(source), graphs.signature_def(graphs.meta_graph(source))[0]
    if graphs.signatures(servable)[key] != wanted[key]:
        raise BuildError(f"the passes changed signature {key}; this is a defect of the recipe, nothing was published")


def _manifest(plan: _Plan, steps: tuple[manifest.StepRecord, ...], servable: Path, seconds: float) -> manifest.Manifest:
    return manifest.Manifest(
        model=plan.model.name,
        version=plan.number,
        recipe=plan.model.recipe(plan.number),
        key=plan.key,
        source=manifest.Source(path=str(plan.source.path), format=plan.source.format, sha256=plan.sha256),
        steps=steps,
        calibration=plan.calibration,
        requires=plan.recipe.requires,
        tools=_tools(),
        signatures=graphs.signatures(servable),
        batch_sizes=plan.model.batch_sizes,
        size_bytes=base_path.folder_size(servable),
        seconds=round(seconds, 3),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def _tools() -> dict[str, str]:
    return {"tensorflow": tf.__version__, "python": platform.python_version(), "machine": platform.machine()}
