"""Ask one version about pictures: the task's encoding, the call, the task's decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from clients.client import Client, predict_request
from clients.wire import serving_pb2 as wire
from evaluation.pictures import Picture
from evaluation.tasks import prepared
from evaluation.tasks.detection import Detected, Detection
from evaluation.tasks.prepared import Answer, Prepared
from model_config.models import Task

if TYPE_CHECKING:
    from typing_extensions import Self

_DETECTION: Final = Task()


@dataclass(frozen=True)
class Expert:
    """One version of a model on a server, ready to be asked about pictures by its task.

    Attributes:
        version: the latest when None.
    """

    client: Client
    model: str
    version: int | None
    task: Prepared

    @classmethod
    def connect(
        cls,
        client: Client,
        model: str,
        version: int | None,
        labels: Mapping[int, str] | None = None,
        task: Task = _DETECTION,
        *,
        tensors: bool = False,
    ) -> Self:
        """Learn from the server how the version wants to be asked; SuiteError when the task does not fit it.

        Args:
            version: the latest when None.
            labels: by class number; the task's own when left out.
            tensors: it will be asked about tensors as it takes them, not about pictures.
        """
        ready = prepared.prepared(task, client.signature(model, version), labels, tensors=tensors)
        return cls(client, model, version, ready)

    def ask(self, pictures: Sequence[Picture]) -> tuple[int, Sequence[Answer]]:
        """The version that answered, and one answer a picture."""
        inputs, places = self.task.encode(pictures)
        outputs = self.task.outputs
        answer = self.client.predict(self.model, inputs, version=self.version, outputs=outputs)
        return answer.version, self.task.decode(answer.outputs, places)

    def request(self, pictures: Sequence[Any]) -> wire.PredictRequest:
        """The request that asks about a batch of pictures, or tensors, to be sent many times."""
        inputs, _ = self.task.encode(pictures)
        return predict_request(self.model, inputs, version=self.version, outputs=self.task.outputs)


class Detector(Expert):
    """One version of a detector."""

    def detect(self, pictures: Sequence[Picture], min_score: float = 0.0) -> tuple[int, list[list[Detection]]]:
        """The version that answered, and what it found in each picture."""
        version, answers = self.ask(pictures)
        found = [cast(Detected, answer).detections for answer in answers]
        return version, [[each for each in one if each.score >= min_score] for one in found]
