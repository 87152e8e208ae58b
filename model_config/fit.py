"""Whether a version fits a server: what the manifest asks for, held against what is known of the server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from model_config.base_path import Version
from model_config.errors import ServeError
from model_config.manifest import Manifest, TensorRT

STOCK_IMAGE = "tensorflow/serving:2.17.1"
STOCK_GPU_IMAGE = f"{STOCK_IMAGE}-gpu"
ONEDNN = "onednn"

_LAST_WITH_TRT = (2, 17)
_UNKNOWN = "unknown"  # what a builder that cannot find out writes down


@dataclass(frozen=True)
class Facts:
    """What is known of a server and its machine; None where it is not known, and then nothing is held against it.

    Attributes:
        server: what it is, for people: an image, a program.
        tensorrt: its version; empty where there is none.
        gpu: the model's name as nvidia-smi gives it; empty where there is none.
        onednn: whether TensorFlow computes with it.
    """

    server: str
    tensorflow: str | None = None
    tensorrt: str | None = None
    cuda: str | None = None
    gpu: str | None = None
    driver: str | None = None
    onednn: bool | None = None


def of_image(image: str) -> Facts:
    """What the name of a stock image tells: ``tensorflow/serving:2.17.1-gpu``."""
    tag = re.search(r":(\d+\.\d+(?:\.\d+)?)", image)
    # without -gpu it is the same server, made without CUDA and TensorRT
    plain = re.fullmatch(r"(docker\.io/)?tensorflow/serving:[\d.]+", image)
    return Facts(image, tensorflow=tag[1] if tag else None, tensorrt="" if plain else None)


def require(versions: Iterable[Version], facts: Facts) -> None:
    """ServeError with every reason why versions do not fit a server."""
    found = [f"version {each.number}: {problem}" for each in versions for problem in problems(each.manifest, facts)]
    if found:
        raise ServeError("; ".join(found))


def problems(made: Manifest | None, facts: Facts) -> list[str]:
    """Why a version does not fit, each reason with its remedy; a version without a manifest is let pass."""
    if made is None:
        return []
    return [problem for check in CHECKS for problem in [check(made, facts)] if problem]


def _onednn(made: Manifest, facts: Facts) -> str:
    if ONEDNN not in made.requires or facts.onednn is not False:
        return ""
    return (
        f"it computes with oneDNN, which {facts.server} does not have or has turned off; "
        "unset TF_ENABLE_ONEDNN_OPTS=0 and serve it on a processor, or serve another version"
    )


def _with_tf_trt(made: Manifest, facts: Facts) -> str:
    numbers = _numbers(facts.tensorflow)
    if made.tensorrt is None or not numbers or numbers[:2] <= _LAST_WITH_TRT:
        return ""
    return (
        f"it holds TensorRT engines, and TensorFlow {facts.tensorflow} of {facts.server} cannot run them: "
        f"2.17 was the last that can; serve it with {STOCK_GPU_IMAGE}"
    )


def _tensorrt_there(made: Manifest, facts: Facts) -> str:
    if made.tensorrt is None or facts.tensorrt != "":
        return ""
    return f"it holds TensorRT engines, and {facts.server} has no TensorRT; serve it with {STOCK_GPU_IMAGE}"


def _gpu_there(made: Manifest, facts: Facts) -> str:
    if made.tensorrt is None or facts.gpu != "":
        return ""
    return f"it holds TensorRT engines for {made.tensorrt.gpu}, and {facts.server} has no GPU; serve version 7 or 1"


def _same(field: str, word: str, digits: int | None) -> Callable[[Manifest, Facts], str]:
    """A check that a server has the same as the engines were built with, as far as both are known."""

    def check(made: Manifest, facts: Facts) -> str:
        built, there = getattr(made.tensorrt, field, ""), getattr(facts, field)
        if built in ("", _UNKNOWN) or not there or _alike(built, there, digits):
            return ""
        return (
            f"its engines were built with {word} {built}, and {facts.server} has {there}; "
            "build it again where it is to be served, or serve it where it was built"
        )

    return check


def _driver(made: Manifest, facts: Facts) -> str:
    """A newer driver runs what an older one built."""
    built, there = _numbers(made.tensorrt.driver if made.tensorrt else None), _numbers(facts.driver)
    if not built or not there or there[:1] >= built[:1]:
        return ""
    return f"its engines were built with driver {_text(made.tensorrt)}, and {facts.server} has {facts.driver}; renew it"


def _text(built: TensorRT | None) -> str:
    return built.driver if built else ""


def _alike(built: str, there: str, digits: int | None) -> bool:
    """Equal, numbers as far as both go and as they count: 8.6.1 is 8.6.1.6, CUDA 12.2 runs with 12.3."""
    if digits is None:
        return built == there
    return all(a == b for a, b in zip(_numbers(built)[:digits], _numbers(there)[:digits]))


def _numbers(text: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text or ""))


# in the order in which a person would mend them; a check says nothing where all is well
CHECKS: Sequence[Callable[[Manifest, Facts], str]] = (
    _onednn,
    _with_tf_trt,
    _tensorrt_there,
    _gpu_there,
    _same("tensorrt", "TensorRT", 3),
    _same("cuda", "CUDA", 1),
    _same("gpu", "GPU", None),
    _driver,
)
