"""Ask every version the same labelled questions and put what came of it side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clients import bench, environment
from clients.ask import Detector
from clients.loadgen.plan import Point, Rules
from clients.loadgen.result import Row
from evaluation import accuracy, pictures
from evaluation.datasets import CocoDataset, LabelledPicture
from evaluation.tasks.detection import Detection
from model_config import base_path

Found = Mapping[int, Sequence[Detection]]  # by picture id

_SCORED = 0.0  # the metric wants every detection; what is shown is chosen later
_PAYLOAD = 16  # pictures to measure with


@dataclass(frozen=True)
class Progress:
    """Whom to tell: a version and how many pictures were asked, or requests measured, since the last time."""

    asked: Callable[[int, int], None]
    measured: Callable[[int, int], None]


@dataclass(frozen=True)
class Comparison:
    """Everything a comparison found; reports are made from it alone.

    Attributes:
        rows: one a version, as in summary.json.
        found: by version number, then by picture id.
    """

    model: str
    rows: tuple[Row, ...]
    found: Mapping[int, Found]
    pictures: tuple[LabelledPicture, ...]
    environment: Mapping[str, str]


def compare(
    detectors: Mapping[int, Detector],
    dataset: CocoDataset,
    metric: str,
    load: Point,
    rules: Rules,
    repository: Path,
    progress: Progress,
) -> Comparison:
    """Ask, measure and compare the versions; the first one is what the others are held against.

    Args:
        detectors: by version number, all of one model.
        metric: ``mAP`` or ``mAP@0.5``.
        load: what each version is put under.
        repository: where the versions' folders are looked up for size and recipe.

    Raises:
        ClientError: a version did not answer, or not rightly.
    """
    found = {number: _ask_all(detector, dataset, progress) for number, detector in detectors.items()}
    payload = [pictures.read(picture.path) for picture in dataset.pictures[:_PAYLOAD]]
    runs = bench.measure(detectors, payload, load, rules, progress.measured)
    model = next(iter(detectors.values())).model
    built = base_path.scan(repository, model)
    reference = next(iter(found.values()))
    rows = (
        _row(number, built.get(number), runs[number], metric, dataset, found[number], reference) for number in detectors
    )
    return Comparison(model, tuple(rows), found, dataset.pictures, environment.describe())


def _ask_all(detector: Detector, dataset: CocoDataset, progress: Progress) -> Found:
    answers = {}
    for picture in dataset.pictures:
        _, (answers[picture.id],) = detector.detect([pictures.read(picture.path)], _SCORED)
        progress.asked(detector.version or 0, 1)
    return answers


def _row(
    number: int,
    built: base_path.Version | None,
    speed: Row,
    metric: str,
    dataset: CocoDataset,
    found: Found,
    reference: Found,
) -> Row:
    made = built.manifest if built else None
    return {
        **speed,
        "version": number,
        "recipe": made.recipe if made else "unknown",
        "size_bytes": built.size_bytes if built else None,
        "metric": {"name": metric, "value": round(accuracy.average_precision(dataset, found, metric), 4)},
        "agreement": round(accuracy.agreement(list(reference.values()), list(found.values())), 4),
    }
