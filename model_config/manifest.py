"""servable.json: what a version was made from and how, inside the version's own folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from pydantic import BaseModel, ConfigDict, ValidationError

from model_config.errors import SuiteError
from model_config.signatures import Signature

# TensorFlow Serving leaves assets.extra alone, so the manifest can travel with the servable
PLACE = Path("assets.extra", "servable.json")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class StepRecord(_Frozen):
    """One pass as it ran: operations before and after, wall time in seconds, what it had to say."""

    name: str
    params: Mapping[str, str]
    operations_before: int
    operations_after: int
    seconds: float
    remarks: tuple[str, ...] = ()


class Source(_Frozen):
    """The model the version came from; the hash covers every byte of it."""

    path: str
    format: str
    sha256: str
    # as a SavedModel without any conversion, which is what the version's own size is to be compared with
    size_bytes: Optional[int] = None


class OutputCheck(_Frozen):
    """What one output of a version was when it was asked, and how far it was from the source model's.

    Attributes:
        largest_difference: over all values that are finite in both; for strings and truth values 1 where
            any differs; None where there is nothing to subtract.
        unmatched: of a detector's output, how many detections the source model did not make, or not there; the
            difference is over the others.
    """

    dtype: str
    shape: tuple[int, ...]
    nan: int
    inf: int
    largest_difference: Optional[float]
    unmatched: int = 0


class Check(_Frozen):
    """One request of one batch size, put to the version and to the source model before publishing.

    Attributes:
        inputs: where they came from, such as ``random numbers``.
        outputs: empty where there was no answer to compare, and then the remark says why.
    """

    signature: str
    batch_size: int
    inputs: str
    outputs: Mapping[str, OutputCheck] = {}
    remark: Optional[str] = None


class Calibration(_Frozen):
    """The data that ranges were learnt from; the hash covers every byte of it."""

    path: str
    files: int
    sha256: str


class Engine(_Frozen):
    """One piece of the graph that TensorRT computes: its precision, and its operations by type."""

    name: str
    precision: str
    operations: Mapping[str, int]


class Outside(_Frozen):
    """Operations of one type that TensorRT left to TensorFlow, and why, in TF-TRT's words."""

    operation: str
    count: int
    reasons: tuple[str, ...] = ()


class TensorRT(_Frozen):
    """The engines of a version, what they were built for, and the proof that they answered.

    Attributes:
        gpu: the name of the GPU, which is the only kind that can run them, as with the compute capability.
        dynamic: one engine with a profile for each shape, instead of one engine each.
        shapes: the inputs' shapes that engines were built for. Dynamic engines take what lies between the smallest
            and the largest too, static ones smaller batches; nothing else is covered.
        decisions: why it was done so, one sentence each.
        arithmetic_inside: share of the floating point operations that engines do, from 0 to 1.
        verified_on: the GPU on which a fresh process answered without falling back to TensorFlow.
    """

    tensorflow: str
    tensorrt: str
    cuda: str
    cudnn: str
    gpu: str
    compute_capability: str
    driver: str
    precision: str
    dynamic: bool
    shapes: tuple[Mapping[str, tuple[int, ...]], ...]
    minimum_segment_size: int
    workspace_mib: int
    gpu_memory_mib: Optional[int] = None
    excluded: tuple[str, ...] = ()
    calibration_batches: int = 0
    decisions: tuple[str, ...] = ()
    engines: tuple[Engine, ...]
    outside: tuple[Outside, ...]
    arithmetic_inside: float
    engine_bytes: int
    verified_on: Optional[str] = None


class Attempt(_Frozen):
    """One try of the search for a version that meets its goal.

    Attributes:
        float_layers: how many stayed float.
        value: its score; None where it could not be built.
        words: what was tried; where it could not be built, also why.
    """

    float_layers: int
    value: Optional[float]
    words: str = ""


class Accuracy(_Frozen):
    """How right the version is on examples that nothing was learnt from.

    Attributes:
        metric: such as ``mAP``; higher is better.
        reference: version 1's value.
        examples: what they are, such as ``61 pictures of held_out``.
        goal: such as ``max-degradation 0.005``.
        float_layers: those that were put back to float to meet it.
        tried: every attempt in its order, the first with none put back.
    """

    metric: str
    value: float
    reference: float
    examples: str
    goal: str
    met: bool
    words: str
    float_layers: tuple[str, ...] = ()
    tried: tuple[Attempt, ...] = ()


class Manifest(_Frozen):
    """Everything worth knowing about one version after the fact."""

    schema_version: int = 2
    model: str
    version: int
    recipe: str
    # hash of source, recipe and tools: the same key means that a build would give the same again
    key: str
    source: Source
    steps: tuple[StepRecord, ...]
    calibration: Optional[Calibration] = None
    tensorrt: Optional[TensorRT] = None
    # what a server needs beside TensorFlow to answer: "onednn", which is off on some processors, and absent
    # on GPUs; "tensorrt", with the GPU that the engines were built for
    requires: tuple[str, ...] = ()
    tools: Mapping[str, str]
    signatures: Mapping[str, Signature]
    batch_sizes: tuple[int, ...]
    # what is loaded to answer, without the manifest and the warm-up records beside it
    size_bytes: int
    # the same by the first part of the path: saved_model.pb, variables, assets
    sizes: Mapping[str, int] = {}
    seconds: float
    check_seconds: float = 0.0
    created: str
    checks: tuple[Check, ...] = ()
    # of versions whose arithmetic is less exact; where it could not be told, why
    accuracy: Optional[Accuracy] = None
    not_judged: Optional[str] = None

    @property
    def differences(self) -> dict[str, float]:
        """How far each output was from the source model's at most, as far as it could be compared."""
        farthest: dict[str, float] = {}
        for name, output in (each for check in self.checks for each in check.outputs.items()):
            if output.largest_difference is not None:
                farthest[name] = max(farthest.get(name, 0.0), output.largest_difference)
        return farthest

    @property
    def unmatched(self) -> tuple[int, int]:
        """How many detections the source model did not make, and of how many; nothing of what is no detector."""
        found = [output for check in self.checks for name, output in check.outputs.items() if name == "detection_boxes"]
        return sum(each.unmatched for each in found), sum(each.shape[0] * each.shape[1] for each in found)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What checking and judging have to say, each sentence once."""
        missed = self.accuracy and not self.accuracy.met and f"below its goal: {self.accuracy.words}"
        judged = self.not_judged and f"its accuracy was not judged: {self.not_judged}"
        said = [*(check.remark for check in self.checks), missed, judged]
        return tuple(dict.fromkeys(each for each in said if each))


def write(manifest: Manifest, version_folder: Path) -> None:
    """Put the manifest into a version's folder."""
    path = version_folder / PLACE
    path.parent.mkdir(exist_ok=True)
    path.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read(version_folder: Path) -> Optional[Manifest]:
    """The manifest of a version, or None where another tool made the version."""
    path = version_folder / PLACE
    try:
        return Manifest.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, ValidationError) as error:
        raise SuiteError(f"{path} is damaged ({type(error).__name__}); build the version again") from error
