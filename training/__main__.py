"""The command line: train on the NIH's chest X-rays, or on drawn ones."""

from __future__ import annotations

from model_config import interrupts

if __name__ == "__main__":
    interrupts.prepare()

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_config import options
from model_config.console import Commands, print_json, print_table, progress, stderr

if TYPE_CHECKING:
    from training.fit import Trained
    from training.splits import Split

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@click.group(cls=Commands)
def main() -> None:
    """Train a model of 14 findings in chest X-rays, and export it as a servable."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--pictures", type=click.IntRange(1), default=300, show_default=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of what is drawn.")
def draw(folder: Path, pictures: int, seed: int) -> None:
    """Draw pictures in the NIH's layout into FOLDER, to try the training with.

    They are no X-rays, and nothing that is learnt from them says anything about one.
    """
    from training import drawn

    click.echo(str(drawn.write_dataset(folder, pictures, seed)))


@main.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("data", "nih_chest_xray14"),
    show_default=True,
    help="Folder with the CSV of findings and the pictures.",
)
@click.option("--table", type=click.Path(path_type=Path), help="The CSV, where the folder has several.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("sources", "chexnet"),
    show_default=True,
    help="Folder for saved_model/, test.csv and scores.json.",
)
@click.option("--weights", default="none", show_default=True, help="none, imagenet, an .h5 file, or a checkpoint.")
@click.option("--size", type=click.IntRange(32), default=224, show_default=True, help="Edge of the pictures.")
@click.option("--head-epochs", type=click.IntRange(0), default=1, show_default=True, help="For the new outputs alone.")
@click.option("--epochs", type=click.IntRange(0), default=5, show_default=True, help="For the whole network.")
@click.option("--batch", type=click.IntRange(1), default=32, show_default=True, help="Pictures a step.")
@click.option("--rate", type=float, default=1e-4, show_default=True, help="Of learning, for the whole network.")
@click.option("--head-rate", type=float, default=1e-3, show_default=True, help="The same for the new outputs.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the start and the order.")
@options.as_json
def chexnet(data: Path, table: Path | None, output: Path, as_json: bool, **plan: Any) -> None:
    """Train ResNet-50 v2 on chest X-rays, print the AUROC of each finding on the test, export a servable.

    Patients are kept apart: what test_list.txt in the folder of the data names is the test, or a fifth of all.
    """
    from model_config.publishing import RESULT, publishing
    from training import export, fit, splits

    split = _split(data, table)
    with publishing(output) as draft:
        trained = _train(split, fit.Plan(**plan))
        (draft / RESULT).mkdir()
        export.export(trained.model, plan["size"], draft / RESULT / "saved_model")
        splits.write(split.test, draft / RESULT / "test.csv")
        (draft / RESULT / "scores.json").write_text(_scores(trained, plan), encoding="utf-8")
    _show(trained, output, as_json)


def _split(folder: Path, table: Path | None) -> Split:
    from evaluation.datasets import loading
    from model_config.data import Data
    from training import splits

    dataset = loading.load(Data(path=table or folder, format="findings", pictures=folder))
    for said in dataset.unread:
        stderr().print(said)
    return splits.split(dataset.questions, folder)


def _train(split: Split, plan: Any) -> Trained:
    from training import fit

    with progress() as bars:
        bar = bars.add_task("training", total=fit.steps(plan, split))
        return fit.train(
            split,
            plan,
            fit.Told(
                step=lambda phase, loss: bars.update(bar, advance=1, description=f"{phase} (loss {loss:.3f})"),
                epoch=lambda phase, score: bars.console.print(f"{phase}: AUROC {score:.3f} on the validation part"),
            ),
        )


def _scores(trained: Trained, plan: dict[str, Any]) -> str:
    import json

    return json.dumps({"auroc": trained.auroc, "plan": plan, "unread": trained.unread}, indent=2) + "\n"


def _show(trained: Trained, output: Path, as_json: bool) -> None:
    if trained.unread:
        stderr().print(f"{len(trained.unread)} pictures were left out, as they cannot be read: {trained.unread[0]}")
    if as_json:
        print_json({"auroc": trained.auroc, "output": str(output)})
        return
    rows = [(finding, f"{value:.3f}") for finding, value in trained.auroc.items()]
    print_table("the test", ("finding", "AUROC"), rows)
    click.echo(str(output))


if __name__ == "__main__":
    with interrupts.ignored_at_the_end():
        main(prog_name="python -m training")
