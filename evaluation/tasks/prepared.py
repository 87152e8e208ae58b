"""A task and a signature brought together: pictures in one end, answers out of the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from evaluation import labels
from evaluation.tasks import classification, detection, embedding, encoding, multi_label
from evaluation.tasks.encoding import Encoder
from evaluation.tasks.feeding import Feed
from evaluation.tasks.placing import Placement
from evaluation.tasks.scoring import Arrays
from model_config.models import Task
from model_config.signatures import Signature
from model_config.tasks import Decode


class Answer(Protocol):
    """What a model says about one picture."""

    def to_json(self) -> dict[str, Any]:
        """As a plain object."""


class Kind(NamedTuple):
    """What the types of tasks differ in.

    Attributes:
        outputs: those that are needed of a signature.
        decode: arrays, the outputs' names, where the pictures lie, labels and how, to one answer a picture.
        first_class: the number of the first label where nothing else is said.
    """

    outputs: Callable[[Signature, Decode], tuple[str, ...]]
    decode: Callable[[Arrays, tuple[str, ...], Sequence[Placement], Mapping[int, str], Decode], Sequence[Answer]]
    first_class: int


def _detected(
    arrays: Arrays, names: tuple[str, ...], places: Sequence[Placement], known: Mapping[int, str], how: Decode
) -> Sequence[Answer]:
    return detection.decode_placed(arrays, places, known, how)


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "detection": Kind(detection.outputs, _detected, detection.FIRST_CLASS),
        "classification": Kind(classification.outputs, classification.decode, classification.FIRST_CLASS),
        "multi_label": Kind(multi_label.outputs, multi_label.decode, multi_label.FIRST_CLASS),
        "embedding": Kind(embedding.outputs, embedding.decode, embedding.FIRST_CLASS),
    }
)


@dataclass(frozen=True)
class Prepared:
    """How one signature is asked about pictures, and its answers read.

    Attributes:
        outputs: the ones that are needed.
        labels: by class number.
    """

    kind: Kind
    encoder: Encoder | Feed
    outputs: tuple[str, ...]
    labels: Mapping[int, str]
    how: Decode

    def encode(self, contents: Sequence[Any]) -> tuple[Arrays, list[Placement]]:
        """A batch of pictures, or of tensors where it was prepared for these, as inputs by name.

        Beside them where each lies in there, which ``decode`` wants to know.
        """
        return self.encoder.encode(contents)

    def decode(self, arrays: Arrays, places: Sequence[Placement]) -> Sequence[Answer]:
        """One answer a picture; BadAnswer when the outputs make none."""
        return self.kind.decode(arrays, self.outputs, places, self.labels, self.how)


def prepared(
    task: Task, signature: Signature, known: Mapping[int, str] | None = None, *, tensors: bool = False
) -> Prepared:
    """A task for a signature; SuiteError says what does not fit, or what models.yaml would have to tell.

    Args:
        known: labels by class number, instead of the task's own.
        tensors: questions are tensors as the signature takes them, and not pictures.
    """
    kind = KINDS[task.type]
    encoder = Feed(signature) if tensors else encoding.encoder(signature, task.encode)
    outputs = kind.outputs(signature, task.decode)
    return Prepared(kind, encoder, outputs, labels_of(task) if known is None else known, task.decode)


def labels_of(task: Task) -> Mapping[int, str]:
    """The task's labels by class number."""
    first = task.decode.first_class
    return labels.load(task.labels, KINDS[task.type].first_class if first is None else first)
