"""Ask one version about pictures: the task's encoding, the call, the task's decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clients.client import Client, predict_request
from clients.wire import serving_pb2 as wire
from evaluation.pictures import Picture
from evaluation.tasks import detection


@dataclass(frozen=True)
class Detector:
    """One version of a detector on a server, ready to be asked.

    Attributes:
        version: the latest when None.
        input_name: the input that takes the pictures.
        labels: by class number.
    """

    client: Client
    model: str
    version: int | None
    input_name: str
    labels: Mapping[int, str]

    @classmethod
    def connect(cls, client: Client, model: str, version: int | None, labels: Mapping[int, str]) -> Detector:
        """Learn from the server how the version wants to be asked."""
        name = detection.input_name(client.signature(model, version))
        return cls(client, model, version, name, labels)

    def request(self, pictures: Sequence[Picture]) -> wire.PredictRequest:
        """The request that asks about a batch of pictures of one size."""
        inputs = {self.input_name: detection.encode(pictures)}
        return predict_request(self.model, inputs, version=self.version, outputs=detection.OUTPUTS)

    def detect(
        self, pictures: Sequence[Picture], min_score: float = 0.0
    ) -> tuple[int, list[list[detection.Detection]]]:
        """The version that answered, and what it found in each picture."""
        answer = self.client.ask(self.request(pictures))
        sizes = [(picture.shape[0], picture.shape[1]) for picture in pictures]
        return answer.version, detection.decode(answer.outputs, sizes, self.labels, min_score)
