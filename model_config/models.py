"""models.yaml: read once, checked once, then only passed on as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, TypeVar, Union

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from model_config import models_file
from model_config.data import Data
from model_config.downloads import Download, Fetch
from model_config.errors import BadModelsFile, UnknownName, near_miss
from model_config.goals import Goal, Goals
from model_config.places import MODELS_FILE
from model_config.tasks import Decode, Encode

# which recipe a version number means where models.yaml does not say otherwise
DEFAULT_VERSIONS: Mapping[int, str] = {
    1: "original",
    2: "quantized_weights",
    3: "quantized_nodes",
    4: "trt_fp16",
    5: "trt_int8",
    6: "trt_fp32",
    7: "optimized",
}

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Positive = Annotated[int, Field(ge=1, strict=True)]
# a parameter of a pass; one that may be said several times is a list
_Parameter = Union[str, int, float, tuple[Union[str, int, float], ...]]
# a pass by its name, or by its name with its parameters
StepEntry = Union[str, Annotated[Mapping[str, Mapping[str, _Parameter]], Field(min_length=1, max_length=1)]]


_Entry = TypeVar("_Entry", bound=BaseModel)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(_Frozen):
    """What the model is for: how pictures become inputs and outputs become answers."""

    type: Literal["detection", "classification", "multi_label", "embedding"] = "detection"
    # a list (first class first), the name of a built-in list, or a file: text, JSON, CSV or a label map (.pbtxt)
    labels: Union[tuple[str, ...], str] = ()
    encode: Encode = Encode()
    decode: Decode = Decode()
    # COCO's AP over IoU .50 to .95, or at .50 alone
    metric: Literal["mAP", "mAP@0.5"] = "mAP"


class Calibration(_Frozen):
    """Examples of what the model will be asked, from which 8-bit versions learn their ranges."""

    # a folder of pictures (a COCO folder has them in images/), or .npy and .npz files as the graph takes them
    path: Path
    pictures: Positive = 100
    # what the darkest and the brightest pixel become where the graph takes floats, and task.encode does not say
    pixels: tuple[float, float] = (0.0, 255.0)
    # how many of a tensor's values a range has to hold, 100 for the smallest to the largest; least error without one
    percentile: Optional[Annotated[float, Field(gt=50, le=100)]] = None
    # convolutions that are to stay float, by their names in the graph
    keep_float: tuple[str, ...] = ()
    # how many pictures are asked at once for TensorRT's INT8, whose batches must be of one size
    batch_size: Positive = 8

    @field_validator("pixels")
    @classmethod
    def _has_a_width(cls, pixels: tuple[float, float]) -> tuple[float, float]:
        if pixels[0] == pixels[1]:
            raise ValueError("the darkest and the brightest pixel must become different numbers")
        return pixels


class TensorRT(_Frozen):
    """How TF-TRT is to build the engines of versions 4, 5 and 6."""

    # static: an engine for each batch size; dynamic: one with a profile for each; auto: what suits the graph
    shapes: Literal["auto", "static", "dynamic"] = "auto"
    # fewer operations in a row are not worth an engine
    minimum_segment_size: Positive = 3
    # what TensorRT may take of the GPU's memory to compute
    workspace_mib: Positive = 4096
    # what TensorFlow and TensorRT may take in all while they build; all there is when left out
    gpu_memory_mib: Optional[Positive] = None
    # operations that stay in TensorFlow, by their names in the graph
    exclude: tuple[str, ...] = ()
    # share of the arithmetic that has to be inside engines, without which the version is not published
    minimum_inside: Annotated[float, Field(ge=0, le=1)] = 0.9


class Model(_Frozen):
    """One entry of models.yaml. Relative paths start at the folder the command runs in."""

    name: Name
    source: Optional[Path] = None
    format: Optional[str] = None
    # tensors of a frozen graph or checkpoint, such as image_tensor:0; other formats bring their own signature
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    # placeholders of a frozen graph or checkpoint that become constants, such as phase_train:0: false
    set: Mapping[str, Any] = Field(default={})
    # which graph of a SavedModel, and which of its signatures; servers load the tag serve
    tags: tuple[str, ...] = ()
    signature: Optional[str] = None
    # a Keras file's Lambda layers may run; a Python file defines the layers that are not Keras's own
    allow_lambda: bool = False
    custom_objects: Optional[Path] = None
    versions: Mapping[Positive, str] = Field(default=DEFAULT_VERSIONS, min_length=1)
    # Python files that register passes, and recipes of one's own: passes in their order, as a name or with parameters
    passes: tuple[Path, ...] = ()
    recipes: Mapping[str, Annotated[tuple[StepEntry, ...], Field(min_length=1)]] = Field(default={})
    batch_sizes: tuple[Positive, ...] = (1,)
    # height and width of the pictures that clients will send, where the model takes any
    input_sizes: tuple[tuple[Positive, Positive], ...] = ()
    tensorrt: TensorRT = TensorRT()
    task: Task = Task()
    # labelled data, or pictures: a path, or a mapping that says more
    data: Optional[Data] = None
    calibration: Optional[Calibration] = None
    # what a version has to reach against version 1
    goals: Goals = Goals()
    # where the source comes from
    fetch: Optional[Fetch] = None

    def calibrated_by(self, path: Path) -> Model:
        """The same model with other calibration data; how many pictures and their range stay as declared."""
        declared = self.calibration or Calibration(path=path)
        return self.model_copy(update={"calibration": declared.model_copy(update={"path": path})})

    def without_unfetched_data(self) -> Model:
        """The same model, without data that a well-known entry names and nobody has fetched."""
        if self.fetch is None or self.data is None or all(place.exists() for place in self.data.places):
            return self
        return self.model_copy(update={"data": None})

    def recipe(self, version: int) -> str:
        """The recipe that makes this version; UnknownName when none is declared."""
        try:
            return self.versions[version]
        except KeyError:
            raise UnknownName(
                f"model {self.name} has no version {version}; "
                f"its versions are {', '.join(f'{n} ({r})' for n, r in self.versions.items())}"
            ) from None


def load(path: Path = MODELS_FILE) -> dict[str, Model]:
    """Read a models.yaml with what it includes; BadModelsFile names the file, the key and the remedy."""
    return load_all(path)[0]


def load_all(path: Path = MODELS_FILE) -> tuple[dict[str, Model], dict[str, Fetch]]:
    """The models of a file, and the data sets that can be fetched for them."""
    found = models_file.entries(path)
    models = {each.name: parse(each.name, each.content, each.where) for each in found if each.section == "models"}
    datasets = {each.name: _checked(Fetch, each.content, each.where) for each in found if each.section == "datasets"}
    return models, datasets


def find(name: str, path: Path = MODELS_FILE) -> Model:
    """The entry called ``name``; UnknownName with the near misses when there is none."""
    models = load(path)
    if name not in models:
        raise UnknownName(f"no model is called {name!r} in {path}; {near_miss(name, models)}")
    return models[name]


def parse(name: str, entry: Any, where: str) -> Model:
    """Check one entry; BadModelsFile says what is wrong ``where``."""
    if isinstance(entry, dict) and "name" in entry:
        raise BadModelsFile(f"{where}.name: the key above the entry is its name; delete this line")
    return _checked(Model, entry, where, name=name)


def _checked(kind: type[_Entry], entry: Any, where: str, **more: Any) -> _Entry:
    if not isinstance(entry, dict):
        keys = [key for key in kind.model_fields if key != "name"][:2]
        raise BadModelsFile(f"{where} must be a mapping of keys such as {' and '.join(keys)}")
    try:
        return kind(**more, **{str(key): value for key, value in entry.items()})
    except ValidationError as error:
        raise BadModelsFile("; ".join(_sentence(kind, where, problem) for problem in error.errors())) from error


def _sentence(kind: type[BaseModel], where: str, problem: Any) -> str:
    place = [str(part) for part in problem["loc"] if part not in ("[key]", "tuple[str, ...]", "str")]
    at = ".".join([where, *place])
    if problem["type"] == "extra_forbidden":
        return f"{at}: no such key; {near_miss(place[-1], _known_keys(kind, place))}"
    if place == ["name"]:
        return f"{where}: a model's name is letters, digits, '_', '.' and '-'; rename the entry"
    return f"{at}: {problem['msg'][0].lower()}{problem['msg'][1:]}, but it is {problem['input']!r}"


def _known_keys(kind: type[BaseModel], place: list[str]) -> list[str]:
    """What the mapping may hold that this key stands in."""
    inside: dict[str, type[BaseModel]] = {
        "task": Task,
        "task.encode": Encode,
        "task.decode": Decode,
        "calibration": Calibration,
        "goals": Goals,
        "tensorrt": TensorRT,
        "data": Data,
        "fetch": Fetch,
        "fetch.files": Download,
        "files": Download,
    }
    above = ".".join(part for part in place[:-1] if not part.isdigit())
    fields = inside.get(above, Goal if above.startswith("goals") else kind).model_fields
    return [field.alias or key for key, field in fields.items() if key != "name"]
