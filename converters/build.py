"""One version from its source to its published folder: whole, with a manifest, or not at all."""

from __future__ import annotations

import hashlib
import json
import platform
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from converters import calibration, extras, graphs, pipeline, recipes, registry, sessions, sources
from converters.checking import checks, verify
from converters.judging import gate, judge
from converters.tensorrt import machine, proof
from model_config import base_path, manifest
from model_config.errors import BuildError
from model_config.models import Model
from model_config.publishing import RESULT, publishing

# what a draft folder calls the source in the form that the passes start from
_SOURCE = "0-source"


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
    below_goal: bool

    @property
    def key(self) -> str:
        """Equal for builds that must give the same result."""
        steps = [(step.name, dict(step.params)) for step in self.steps]
        learnt_from = self.calibration.sha256 if self.calibration else None
        told = [
            self.sha256,
            self.source.choices,
            steps,
            learnt_from,
            self.model.batch_sizes,
            _tools(),
            _code(self.model.passes),
            _judged_by(self.model) if self.recipe.calibrated else None,
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def build(
    model: Model,
    number: int,
    repository: Path,
    report: pipeline.Report,
    *,
    replace: bool = False,
    force: bool = False,
    below_goal: bool = False,
    teller: gate.Teller = gate.SILENT,
    ask: checks.Ask = verify.ask_in_fresh_process,
) -> Built:
    """Make one version of a model, unless it is there already.

    Args:
        replace: make it anew where it was made from something else.
        force: make it anew even where it was made from the same.
        below_goal: publish what misses the accuracy goal, too.
        teller: told how the accuracy is judged and reached.
        ask: how the finished servable is put to the test.

    Raises:
        UnknownName: the model has no such version, or its recipe or an output does not exist.
        BadSource: the source is missing or damaged.
        BuildError: the recipe cannot be built, or another build of this number stands in the way.
    """
    for path in model.passes:
        registry.add_from(path)
    recipe = recipes.of(model, number)
    source = sources.locate(model)
    if "tensorrt" in recipe.requires:
        machine.here()  # before anything that takes time
    steps = recipe.steps_for(model)
    plan = _Plan(model, number, recipe, steps, source, source.sha256(), _calibration(model, recipe), below_goal)
    there = _there(plan, repository, replace, force)
    if there:
        return there
    with publishing(repository / model.name / str(number)) as draft:
        # another process may have made it since
        there = _there(plan, repository, replace, force)
        if there:
            return there
        record = _make(plan, draft, report, teller, ask)
    return Built(base_path.require(repository, model.name, number), record, fresh=True)


def _calibration(model: Model, recipe: recipes.Recipe) -> manifest.Calibration | None:
    """What is known of the calibration data before it is used."""
    if model.calibration is None or not recipe.calibrated:
        return None
    data = calibration.of(model)
    return manifest.Calibration(path=str(model.calibration.path), files=len(data.files), sha256=data.sha256())


def _there(plan: _Plan, repository: Path, replace: bool, force: bool) -> Built | None:
    """The version as it is, where it may stay; BuildError where it is another and must not be replaced."""
    version = base_path.scan(repository, plan.model.name).get(plan.number)
    if version is None:
        return None
    made = version.manifest
    if made and made.key == plan.key:
        return None if force else Built(version, made, fresh=False)
    if not replace:
        raise BuildError(f"{version.path} exists and was made from something else; --replace builds it anew")
    return None


def _make(plan: _Plan, draft: Path, report: pipeline.Report, teller: gate.Teller, ask: checks.Ask) -> manifest.Manifest:
    start = time.perf_counter()
    loaded, servable = draft / _SOURCE, draft / RESULT
    plan.source.load(loaded, whole=plan.recipe.keeps_all)
    _make_writable(loaded)
    sessions.require_loadable(loaded)  # before the passes, which would only fail in stranger words
    key = graphs.signature_def(graphs.meta_graph(loaded, outline=True), plan.source.signature)[0]
    if plan.recipe.calibrated:
        judge.require_usable(plan.model, loaded, key)
    passed = _passed(plan, loaded, servable, key, report, teller)
    _require_signature(loaded, servable, key)
    engines = proof.take(servable)
    extras.keep(loaded, servable, key, warm_up_too=engines is None)
    converted = time.perf_counter()
    found = checks.check(servable, loaded, key, plan.model, ask)
    checked = time.perf_counter()
    record = _manifest(plan, passed, draft, found, engines, seconds=checked - start, check_seconds=checked - converted)
    manifest.write(record, servable)
    return record


def _passed(
    plan: _Plan, loaded: Path, servable: Path, key: str, report: pipeline.Report, teller: gate.Teller
) -> gate.Passed:
    if not plan.recipe.calibrated:
        return gate.Passed(pipeline.run(plan.steps, loaded, servable, report))
    way = gate.Gate(plan.steps, loaded, servable, report, teller, plan.below_goal)
    return way.run(lambda: judge.judge_for(plan.model, loaded, key))


def _make_writable(folder: Path) -> None:
    """Folders copied from a read-only source could neither be added to nor be deleted."""
    for each in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        each.chmod(each.stat().st_mode | stat.S_IRWXU)


def _require_signature(source: Path, servable: Path, key: str) -> None:
    """Refuse to publish what takes and gives something else than the source."""
    if graphs.signatures(servable).get(key) != graphs.signatures(source)[key]:
        raise BuildError(f"the passes changed signature {key}; this is a defect of the recipe, nothing was published")


def _manifest(
    plan: _Plan,
    passed: gate.Passed,
    draft: Path,
    found: tuple[manifest.Check, ...],
    engines: manifest.TensorRT | None,
    *,
    seconds: float,
    check_seconds: float,
) -> manifest.Manifest:
    sizes = base_path.sizes(draft / RESULT)
    return manifest.Manifest(
        model=plan.model.name,
        version=plan.number,
        recipe=plan.model.recipe(plan.number),
        key=plan.key,
        source=manifest.Source(
            path=str(plan.source.path),
            format=plan.source.format,
            sha256=plan.sha256,
            size_bytes=sum(base_path.sizes(draft / _SOURCE).values()),
        ),
        steps=passed.steps,
        calibration=plan.calibration,
        tensorrt=engines and proof.verified(engines, found),
        requires=plan.recipe.requires,
        tools=_tools(),
        signatures=graphs.signatures(draft / RESULT),
        batch_sizes=plan.model.batch_sizes,
        size_bytes=sum(sizes.values()),
        sizes=sizes,
        seconds=round(seconds, 3),
        check_seconds=round(check_seconds, 3),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        checks=found,
        accuracy=passed.accuracy,
        not_judged=passed.not_judged,
    )


def _judged_by(model: Model) -> list[str | int]:
    """The goal, and the data by names and sizes, as reading all of it could take longer than the build."""
    files = list(model.data.files()) if model.data else []
    return [str(model.goals.accuracy), *(part for path in files for part in (str(path), path.stat().st_size))]


def _code(passes: Sequence[Path]) -> str:
    """A hash of our own passes and the user's: one that was changed makes something else of the same source."""
    digest = hashlib.sha256()
    for path in [*sorted(Path(__file__).parent.rglob("*.py")), *passes]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _tools() -> dict[str, str]:
    packages = ("tf-serving-suite", "tensorflow", "tensorflow-serving-api", "numpy", "protobuf")
    versions = {name: metadata.version(name) for name in packages}
    return {**versions, "python": platform.python_version(), "machine": platform.machine()}
