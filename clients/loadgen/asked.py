"""Which requests a version is asked: what the user named (pictures, a recording), else random numbers that fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from clients import checking
from clients.ask import Expert
from clients.client import Client
from clients.loadgen import payload, saved_model
from clients.loadgen.payload import Payload
from clients.wire import serving_pb2 as wire
from evaluation import pictures
from evaluation.pictures import Picture
from evaluation.tasks import prepared
from model_config.errors import SuiteError
from model_config.models import Task
from model_config.signatures import Signature

T = TypeVar("T")

_DETECTION: Final = Task()


@dataclass(frozen=True)
class Asked:
    """What to ask about.

    Attributes:
        images: picture files, encoded as the task says.
        data: an .npz of arrays by input name, or recorded requests.
        sizes: for random numbers, what the signature leaves open.
        signature: the default one when empty.
    """

    images: Sequence[Path] = ()
    task: Task = _DETECTION
    data: Path | None = None
    sizes: Sequence[int] = ()
    signature: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse two kinds at once."""
        if self.images and self.data:
            raise SuiteError("give --image or --data, not both")

    def arrays(self, signature: Signature, batch: int) -> list[payload.Arrays]:
        """Inputs by name, from the recording or made up."""
        if self.data:
            return payload.recorded_inputs(self.data, batch, self.signature)
        return payload.enough(payload.random_inputs(signature, batch, self.sizes, self.seed))

    def requests(self, client: Client, model: str, version: int | None, batch: int) -> list[wire.PredictRequest]:
        """What one version on a server is to be asked."""
        signature = client.signature(model, version, *([self.signature] if self.signature else []))
        checking.require_batch(signature, batch)
        if self.images:
            expert = Expert.connect(client, model, version, task=self.task)
            return [expert.request(each) for each in batches(self._read(), batch)]
        return payload.requests(model, self.arrays(signature, batch), version, self.signature)

    def of_server(self, client: Client, model: str, version: int | None, batch: int) -> Payload:
        """The same serialised; the first one was answered, or a ClientError says why it was not."""
        requests = self.requests(client, model, version, batch)
        client.ask(requests[0])
        return payload.of_requests(requests)

    def of_folder(self, folder: Path, batch: int) -> Payload:
        """The requests for a version that runs in a process of ours."""
        found = saved_model.signature(folder, self.signature)
        checking.require_batch(found, batch)
        if self.images:
            task = prepared.prepared(self.task, found, None)
            inputs = [task.encode(each)[0] for each in batches(self._read(), batch)]
        else:
            inputs = self.arrays(found, batch)
        return payload.of_requests(payload.requests(folder.parent.name, inputs, None, self.signature))

    def _read(self) -> list[Picture]:
        return [pictures.read(path) for path in self.images]


def batches(read: Sequence[T], size: int) -> list[list[T]]:
    """Batches of pictures of one size, the first picture's where they have to be alike, repeated to fill the last.

    Of tensors any go together, as a data set's rows are alike.
    """
    if size == 1:
        return [[picture] for picture in read]
    same = [each for each in read if getattr(each, "shape", None) == getattr(read[0], "shape", None)]
    return [[same[(start + place) % len(same)] for place in range(size)] for start in range(0, len(same), size)]
