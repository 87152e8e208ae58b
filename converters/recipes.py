"""The recipes: which passes, in which order, make which version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from converters.picture_inputs import Way
from model_config.errors import BuildError, UnknownName, near_miss
from model_config.models import Model, StepEntry


@dataclass(frozen=True)
class Step:
    """One pass with its parameters, to which what the model declares is added.

    Attributes:
        calibrated: whether that is calibration data too.
    """

    name: str
    params: Mapping[str, str] = field(default_factory=dict)
    calibrated: bool = False


@dataclass(frozen=True)
class Recipe:
    """A named list of steps.

    Attributes:
        needs: what this machine must have to build it, in words.
        requires: what a server needs beside TensorFlow to answer, for the manifest.
    """

    line: str
    steps: tuple[Step, ...] = ()
    needs: str | None = None
    requires: tuple[str, ...] = ()

    @property
    def calibrated(self) -> bool:
        """Whether it cannot be built without calibration data."""
        return any(step.calibrated for step in self.steps)

    def steps_for(self, model: Model) -> tuple[Step, ...]:
        """The steps with what the model declares filled in; BuildError when it does not declare what they need."""
        return tuple(replace(step, params={**step.params, **_declared(step, model)}) for step in self.steps)

    @property
    def keeps_all(self) -> bool:
        """Whether every graph and signature of the model stays, as it is only copied."""
        return all(step.name == "copy" for step in self.steps)


def _declared(step: Step, model: Model) -> dict[str, str]:
    """What a model declares that a step wants to know."""
    return {
        **(_calibration(step, model) if step.calibrated else {}),
        **(_SIZES[step.name](model) if step.name in _SIZES else {}),
    }


def _calibration(step: Step, model: Model) -> dict[str, str]:
    if model.calibration is None:
        raise BuildError(
            f"{model.name} has no calibration data, which 8-bit arithmetic needs; name a folder of pictures "
            "with --calibration, or as calibration in models.yaml"
        )
    given = {
        "calibration": str(model.calibration.path),
        "pictures": str(model.calibration.pictures),
        **Way.of(model).words(),
        "hold_out": "no" if model.data else "yes",
    }
    if step.name == "tf_trt":
        return {**given, "calibration_batch": str(model.calibration.batch_size)}
    learning = {
        "percentile": "" if model.calibration.percentile is None else str(model.calibration.percentile),
        "keep_float": ",".join(model.calibration.keep_float),
    }
    return {**given, **learning}


def _engines(model: Model) -> dict[str, str]:
    """What TF-TRT is told."""
    wishes = model.tensorrt
    return {
        "batch_sizes": ",".join(map(str, model.batch_sizes)),
        "input_sizes": ",".join(f"{height}x{width}" for height, width in model.input_sizes),
        "shapes": wishes.shapes,
        "minimum_segment_size": str(wishes.minimum_segment_size),
        "workspace_mib": str(wishes.workspace_mib),
        "gpu_memory_mib": str(wishes.gpu_memory_mib or ""),
        "exclude": ",".join(wishes.exclude),
        "minimum_inside": str(wishes.minimum_inside),
    }


def _one_size(model: Model) -> dict[str, str]:
    """The size of pictures, if there is but one."""
    return {"size": "{}x{}".format(*model.input_sizes[0])} if len(model.input_sizes) == 1 else {}


# passes that are told what the model declares beside its calibration data
_SIZES: Final[Mapping[str, Callable[[Model], dict[str, str]]]] = MappingProxyType(
    {"tf_trt": _engines, "fix_input_size": _one_size}
)

_FROZEN: Final = (
    Step("freeze"),
    # the tool's output does not load while operations still name removed ones as neighbours
    Step("remove_colocation"),
    # while control inputs still say what belongs to which branch
    Step("take_known_branches"),
)
_CLEANING: Final = (
    Step("remove_control_inputs"),
    Step("remove_identities"),
    # before stripping, as merging leaves operations behind that nothing reads
    Step("merge_duplicate_nodes"),
    Step("strip_unused_nodes"),
    # batch norms fold into constants, so the constants must exist first
    Step("fold_constants", {"ignore_errors": "true"}),
)
_CLEANED: Final = (*_FROZEN, *_CLEANING)
# the rewrites come first, as the cleaning may take loops apart that these two know
_REWRITTEN: Final = (*_FROZEN, Step("vectorize_preprocessing"), Step("batched_nms"), *_CLEANING)


def _engine_recipe(line: str, precision: str, *, calibrated: bool = False) -> Recipe:
    """The optimized graph, in operations that TensorRT takes, as engines."""
    return Recipe(
        line,
        (
            *_FROZEN,
            Step("vectorize_preprocessing"),
            Step("batched_nms", {"device": "engine"}),
            *_CLEANING,
            Step("fold_norms"),
            Step("fix_input_size"),
            # engines want sizes that they need not compute
            Step("static_shapes"),
            Step("limit_candidates", {"candidates": "1000"}),
            Step("unrolled_nms"),
            Step("plain_slices"),
            Step("tf_trt", {"precision": precision}, calibrated=calibrated),
        ),
        needs="an NVIDIA GPU with TensorRT",
        requires=("tensorrt",),
    )


# the list of the tool's own guide, made to work on genuine exports
_TRANSFORMED: Final = (*_CLEANED, Step("fold_batch_norms"), Step("fold_old_batch_norms"))

RECIPES: Final[Mapping[str, Recipe]] = MappingProxyType(
    {
        "original": Recipe("the model as it came", (Step("copy"),)),
        "quantized_weights": Recipe(
            "8-bit weights: a quarter of the size, the speed of the float model",
            (
                *_CLEANED,
                Step("fold_norms"),
                # whatever comes before should see the weights in full precision
                Step("quantize_weights_per_channel"),
                Step("strip_default_attributes"),
            ),
        ),
        "quantized_nodes": Recipe(
            "8-bit weights and 8-bit arithmetic, calibrated; for CPU servers",
            (
                *_REWRITTEN,
                # norms keep layers from being fused, and 8-bit weights are small enough to have once a layer
                Step("fold_norms", {"shared_weights": "copy"}),
                Step("quantize_nodes_calibrated", calibrated=True),
                # of the layers that still compute in floats
                Step("quantize_weights_per_channel"),
            ),
            requires=("onednn",),
        ),
        "gtt_quantized_weights": Recipe(
            "8-bit weights as the Graph Transform Tool stores them: as small, but slower per request",
            (*_TRANSFORMED, Step("quantize_weights")),
        ),
        "gtt_quantized_nodes": Recipe(
            "8-bit arithmetic as the Graph Transform Tool writes it: several times slower, and less accurate",
            (*_TRANSFORMED, Step("quantize_weights"), Step("quantize_nodes")),
        ),
        "trt_fp16": _engine_recipe("TF-TRT, FP16", "FP16"),
        "trt_int8": _engine_recipe("TF-TRT, INT8, calibrated", "INT8", calibrated=True),
        "trt_fp32": _engine_recipe("TF-TRT, FP32", "FP32"),
        "optimized": Recipe(
            "float, all graph optimizations, no quantization: the base of 3 to 6",
            (*_REWRITTEN, Step("fold_norms"), Step("static_shapes"), Step("limit_candidates")),
        ),
    }
)


def of(model: Model, number: int) -> Recipe:
    """The recipe that makes a version of a model: one of its own in models.yaml, or one of ours."""
    name = model.recipe(number)
    if name in model.recipes:
        return Recipe(f"a recipe of {model.name}'s own", tuple(map(_step, model.recipes[name])))
    return find(name)


def _step(entry: StepEntry) -> Step:
    if isinstance(entry, str):
        return Step(entry)
    ((name, params),) = entry.items()
    # a list becomes lines, as values may have commas in them
    lists = {key: value if isinstance(value, tuple) else (value,) for key, value in params.items()}
    return Step(name, {key: "\n".join(map(str, values)) for key, values in lists.items()})


def find(name: str) -> Recipe:
    """The recipe called ``name``; UnknownName with the near misses when there is none."""
    if name not in RECIPES:
        raise UnknownName(f"no recipe is called {name!r}; {near_miss(name, RECIPES)}")
    return RECIPES[name]
