"""List the recipes, look into a model, build its versions."""

from __future__ import annotations

from model_config import interrupts

if __name__ == "__main__":
    interrupts.prepare()

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converters import container_options, source_options
from converters.checking import fresh
from model_config import base_path, models, options
from model_config.console import Commands, Failure, print_json, print_table, progress
from model_config.data import Data
from model_config.errors import SuiteError

if TYPE_CHECKING:
    from rich.progress import Progress

    from converters.build import Built
    from model_config.manifest import Manifest, StepRecord

# TensorFlow's start-up remarks would bury our own; its errors reach us as exceptions
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Keras 3 may run on others, whose models no server could load
os.environ["KERAS_BACKEND"] = "tensorflow"
# a GPU's memory is for the process that tries the servable too
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
# otherwise oneDNN keeps what a session has used for the next one, and there it stays
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")


@click.group(cls=Commands)
def main() -> None:
    """From a trained model to numbered servable versions."""


@main.command(name="list")
@options.as_json
def list_(as_json: bool) -> None:
    """List the recipes, the passes they are made of, and the source formats."""
    from converters import recipes, registry
    from converters.sources.registry import formats as known_formats

    made = {name: recipe for name, recipe in recipes.RECIPES.items()}
    passes = {name: registry.line(apply) for name, apply in registry.passes().items()}
    formats = {name: each.line for name, each in known_formats().items()}
    if as_json:
        rows = {
            name: {"line": r.line, "needs": r.needs, "steps": [s.name for s in r.steps]} for name, r in made.items()
        }
        print_json({"recipes": rows, "passes": passes, "formats": formats})
        return
    usual = {recipe: number for number, recipe in models.DEFAULT_VERSIONS.items()}
    table = [
        (str(usual.get(name, "")), name, r.line, f"needs {r.needs}" if r.needs else "ready") for name, r in made.items()
    ]
    print_table("recipes", ("n", "recipe", "what it is", "state"), table, left=4)
    print_table("passes", ("pass", "what it does"), passes.items(), left=2)
    print_table("source formats", ("format", "what it is"), formats.items(), left=2)


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@source_options.choices
@click.option("--tensorboard", type=click.Path(path_type=Path), help="Write the graph there, for tensorboard --logdir.")
@options.as_json
def inspect(path: Path, tensorboard: Path | None, as_json: bool, **choices: Any) -> None:
    """Show what PATH holds: signatures or candidate inputs and outputs, operations, weights, arithmetic.

    Beside them, what TF-TRT would leave to TensorFlow, and why.
    """
    from converters import inspect as look

    found = look.inspect(path, tensorboard=tensorboard, **source_options.given(choices))
    if as_json:
        print_json(found)
        return
    first = "signature" if found["signatures"] else "reason"
    print_table(f"{path} ({found['format']})", (first, "side", "name", "type", "shape"), look.ends(found), left=5)
    print_table("operations", ("operation", "count"), [(op, f"{n:,}") for op, n in found["operations"].items()])
    weights = [(dtype, f"{size:,}") for dtype, size in found["bytes_by_dtype"].items()]
    print_table(f"{found['parameters']:,} parameters", ("type", "bytes"), weights)
    print_table(*look.arithmetic(found))
    if found["outside_tensorrt"]:
        print_table("outside of TensorRT", ("operations", "why"), look.outside_tensorrt(found), left=2)


@main.command()
@click.argument("name")
@click.option(
    "--version", "versions", type=int, multiple=True, help="May be repeated; all declared ones when left out."
)
@click.option("--source", type=click.Path(path_type=Path), help="The model, instead of the one in models.yaml.")
@source_options.choices
@click.option(
    "--calibration", type=click.Path(path_type=Path), help="Pictures like those to come, for 8-bit arithmetic."
)
@click.option("--data", type=click.Path(path_type=Path), help="Labelled pictures that 8-bit versions are judged by.")
@options.models_file
@options.repository
@click.option("--below-goal", is_flag=True, help="Publish the best that was reached even where it misses its goal.")
@click.option("--replace", is_flag=True, help="Build anew a version that was made from something else.")
@click.option("--force", is_flag=True, help="Build anew a version although it was made from the same.")
@container_options.choices
@options.as_json
def build(
    name: str,
    versions: tuple[int, ...],
    source: Path | None,
    calibration: Path | None,
    data: Path | None,
    file: Path,
    repository: Path,
    below_goal: bool,
    replace: bool,
    force: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Build versions of the model NAME.

    Example: python -m converters build my_ssd --source frozen_inference_graph.pb --version 1 --version 2
    """
    place = container_options.taken(choices)
    _require_there(calibration=calibration, data=data)
    given = source_options.given(choices) | ({} if source is None else {"source": source})
    model = _model(name, file, given)
    if calibration is not None:
        model = model.calibrated_by(calibration)
    if data is not None:
        model = model.model_copy(update={"data": Data(path=data)})
    if place["backend"] == "docker":
        container_options.build_there(place, model, file, repository)
        return
    wanted = versions or tuple(model.versions)
    how = {"replace": replace, "force": force, "below_goal": below_goal}
    built, failed = _build_all(model, wanted, repository, how)
    _print(model, built, as_json)
    if failed:
        raise Failure(_told(failed))


def _require_there(**folders: Path | None) -> None:
    """Refuse a folder that is not there, though no version may want it: it was misspelt."""
    for option, path in folders.items():
        if path is not None and not path.exists():
            raise SuiteError(f"--{option}: {path} does not exist; name a folder of pictures, or leave it out")


def _model(name: str, file: Path, given: dict[str, Any]) -> models.Model:
    """The entry of models.yaml with what the command line says instead, or a model that is in no file."""
    if "source" not in given:
        return models.find(name, file).without_unfetched_data().model_copy(update=given)
    known = models.load(file).get(name)
    if known is not None:
        # what the entry says of its own source does not hold for another
        return known.without_unfetched_data().model_copy(update={**source_options.UNSAID, **given})
    return models.parse(name, given, where="command line")


def _build_all(
    model: models.Model, wanted: tuple[int, ...], repository: Path, how: Mapping[str, bool]
) -> tuple[list[Built], dict[int, SuiteError]]:
    built, failed = [], {}
    if how["force"] or how["replace"] or set(wanted) - set(base_path.scan(repository, model.name)):
        fresh.prepare()  # while we load TensorFlow ourselves
    with progress() as bars:
        for number in wanted:
            try:
                built.append(_build_one(bars, model, number, repository, how))
            except SuiteError as error:  # one version's failure does not stop the others
                failed[number] = error
    return built, failed


def _build_one(bars: Progress, model: models.Model, number: int, repository: Path, how: Mapping[str, bool]) -> Built:
    from converters import progress as passes_progress
    from converters import recipes
    from converters.build import build as make
    from converters.judging.gate import Teller

    recipe = model.recipe(number)
    title, total = f"{model.name} {number} {recipe}", len(recipes.of(model, number).steps)
    task = bars.add_task(title, total=total)

    def report(step: recipes.Step, record: StepRecord | None) -> None:
        bars.update(task, description=f"{title}: {step.name}")
        if record is not None:
            bars.advance(task)
            bars.console.print(
                f"  {step.name:<24} {record.operations_before:>6,} to {record.operations_after:>6,} operations"
                f" {record.seconds:>6.1f} s"
            )
            for sentence in record.remarks:
                say(sentence)

    def say(sentence: str) -> None:
        bars.console.print(f"    {sentence}", highlight=False, markup=False, soft_wrap=True)

    def follow(done: int, all_: int, words: str) -> None:
        bars.update(task, description=f"{title}: {words} ({done} of {all_})")

    teller = Teller(say, lambda words: bars.update(task, description=f"{title}: {words}"))
    with passes_progress.followed(follow):
        done = make(
            model,
            number,
            repository,
            report,
            teller=teller,
            replace=how["replace"],
            force=how["force"],
            below_goal=how["below_goal"],
        )
    bars.update(task, description=title if done.fresh else f"{title}: unchanged", completed=total)
    return done


def _told(failed: dict[int, SuiteError]) -> str:
    """Every reason once, with the versions it stopped."""
    reasons: dict[str, list[int]] = {}
    for number, error in failed.items():
        reasons.setdefault(str(error), []).append(number)
    return "; ".join(f"version {', '.join(map(str, numbers))}: {reason}" for reason, numbers in reasons.items())


def _print(model: models.Model, built: list[Built], as_json: bool) -> None:
    rows = [
        {
            "version": each.version.number,
            "recipe": each.manifest.recipe,
            "size_bytes": each.version.size_bytes,
            "seconds": each.manifest.seconds,
            "fresh": each.fresh,
            "path": str(each.version.path),
            "differences": each.manifest.differences,
            "remarks": each.manifest.remarks,
        }
        for each in built
    ]
    if as_json:
        print_json({"model": model.name, "versions": rows})
    elif rows:
        words = [
            (
                str(r["version"]),
                str(r["recipe"]),
                "built" if r["fresh"] else "unchanged",
                _largest(each.manifest),
                f"{r['size_bytes']:,}",
            )
            for r, each in zip(rows, built)
        ]
        header = ("version", "recipe", "state", "answers differ by", "bytes")
        print_table(f"{model.name} in {built[0].version.path.parent}", header, words, left=4)
        for each in built:
            for remark in each.manifest.remarks:
                click.echo(f"version {each.version.number}: {remark}", err=True)


def _largest(manifest: Manifest) -> str:
    differences, (others, detections) = manifest.differences, manifest.unmatched
    if not differences:
        return "not compared"
    name = max(differences, key=lambda output: differences[output])
    words = f"{differences[name]:.3g} in {name}" if differences[name] else "nothing"
    return f"{words}; {others:,} of {detections:,} detections are others" if others else words


if __name__ == "__main__":
    with interrupts.ignored_at_the_end():
        main(prog_name="python -m converters")
