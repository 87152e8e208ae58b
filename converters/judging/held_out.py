"""Examples to judge by, none of which anything was learnt from: labelled ones, or a share of the calibration data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from converters import calibration
from converters.graphs import Graph
from converters.picture_inputs import Way
from evaluation.datasets import loading
from evaluation.datasets.questions import Dataset
from evaluation.errors import BadDataset
from model_config.data import Data
from model_config.errors import SuiteError
from model_config.models import Model

# more make a verdict little surer and a search much longer
MOST: Final = 300
_MANY: Final = 100


class NotJudged(SuiteError):
    """There is nothing to judge by; the sentence says why."""


class HeldOut(Protocol):
    """Examples to judge by.

    Attributes:
        words: what they are, such as ``11 of 47 calibration pictures``.
    """

    @property
    def words(self) -> str: ...  # noqa: D102 - above

    def rows(self, graph: Graph) -> Iterator[Mapping[str, Any]]:
        """One example after the other, as a batch of one by input name of the graph's signature."""


@dataclass(frozen=True)
class Labelled:
    """Pictures with boxes around what is on them."""

    dataset: Dataset
    way: Way
    words: str

    @property
    def files(self) -> tuple[Path, ...]:
        """The pictures' files; BadDataset where one is not there."""
        paths = tuple(each.path for each in self.dataset.questions if each.path is not None)
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise BadDataset(f"the data lists {missing[0].name}, but {missing[0]} does not exist")
        return paths

    def rows(self, graph: Graph) -> Iterator[Mapping[str, Any]]:
        """One picture after the other, turned as its boxes are."""
        reads = {each.path: each.read for each in self.dataset.questions}
        return calibration.Calibration(self.files, self.way, read=lambda path: reads[path]()).rows(graph)


@dataclass(frozen=True)
class Unlabelled:
    """Examples without labels."""

    data: calibration.Calibration
    words: str

    def rows(self, graph: Graph) -> Iterator[Mapping[str, Any]]:
        """One example after the other."""
        return self.data.rows(graph)


@dataclass(frozen=True)
class OneSize:
    """Pictures brought to the size that a model will be asked with, as other sizes may be refused."""

    examples: HeldOut
    sides: tuple[int, int]

    @property
    def words(self) -> str:
        """What they are."""
        return self.examples.words

    def rows(self, graph: Graph) -> Iterator[Mapping[str, Any]]:
        """One example after the other."""
        return self.examples.rows(graph.of_size(self.sides))


def of(model: Model, *, labelled: bool) -> Labelled | Unlabelled:
    """What a model is judged by: the data it declares, or else the share of its calibration data that was held out.

    Args:
        labelled: the data's labels are of use, not only its pictures.

    Raises:
        NotJudged: the model declares neither, or too little.
        SuiteError: what it declares cannot be used.
    """
    if model.data is None:
        return _share(model)
    dataset = loading.load(model.data) if labelled else None
    if dataset is None or dataset.index is None:  # labels that are no boxes tell nothing about a detector
        return _declared(model, model.data)
    return _labelled(model, model.data, dataset)


def _share(model: Model) -> Unlabelled:
    if model.calibration is None:
        raise NotJudged(f"{model.name} declares no pictures to judge by; name some as data in models.yaml")
    data = calibration.of(model)
    if not data.every:
        raise NotJudged(f"{len(data)} calibration examples are too few to hold some out; name pictures with --data")
    count = len(data) // data.every
    return _unlabelled(data.held_out(), count, f"{count} of {len(data)} calibration examples, held out")


def _declared(model: Model, data: Data) -> Unlabelled:
    found = calibration.locate(data.folder, MOST, Way.of(model))
    files = _unseen(found.files, model)
    return _unlabelled(replace(found, files=tuple(files)), len(files), f"{len(files)} pictures of {data}")


def _unlabelled(data: calibration.Calibration, count: int, words: str) -> Unlabelled:
    """Few pictures come in several views, as a share of a handful tells little."""
    if count >= _MANY or not data.is_pictures:
        return Unlabelled(data, words)
    return Unlabelled(replace(data, views=True), f"{words}, each in {calibration.VIEWS} views")


def _labelled(model: Model, data: Data, dataset: Dataset) -> Labelled:
    found = Labelled(dataset, Way.of(model), "")
    unseen = set(_unseen(found.files, model))
    questions = [each for each in found.dataset.questions if each.path in unseen]
    chosen = questions[:: -(-len(questions) // MOST)]
    return replace(found, dataset=found.dataset.only(chosen), words=f"{len(chosen)} pictures of {data}")


def _unseen(files: Sequence[Path], model: Model) -> list[Path]:
    """Those whose content is not among what was learnt from."""
    known = learnt(model)
    unseen = [path for path in files if digest(path) not in known]
    if not unseen:
        raise NotJudged(f"all pictures of {model.data} are calibration pictures too; name others as data")
    return unseen


def learnt(model: Model) -> set[bytes]:
    """The contents that the model's 8-bit versions learn from, by their digests."""
    if model.calibration is None:
        return set()
    return {digest(path) for path in calibration.locate(model.calibration.path, model.calibration.pictures).files}


def digest(path: Path) -> bytes:
    """What a file's content is known by; nothing where the file is not there, which is told when it is read."""
    return b"" if not path.is_file() else hashlib.sha256(path.read_bytes()).digest()
