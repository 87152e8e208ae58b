"""Before a version is served somewhere: does it fit that server and that machine?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model_config import base_path, fit
from serving.backends import BACKENDS

# what can be known of a server, by the name of the field and for people
_FACTS = {"tensorflow": "TensorFlow", "tensorrt": "TensorRT", "cuda": "CUDA", "gpu": "GPU", "driver": "driver"}


@dataclass(frozen=True)
class Verdict:
    """What speaks against a version on a server; nothing when it fits."""

    version: int
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """For machines."""
        return {"version": self.version, "fits": not self.problems, "problems": self.problems}


def facts(backend: str, image: str, gpu: str | None, driver: str | None) -> fit.Facts:
    """What is known of a server; the GPU and the driver are this machine's unless they are named."""
    found = BACKENDS[backend].facts(image)
    if gpu is not None:
        # another machine's: what is here says nothing of it
        return replace(found, gpu=gpu, driver=driver)
    return found


def judge(versions: Sequence[base_path.Version], found: fit.Facts) -> list[Verdict]:
    """One verdict a version."""
    return [Verdict(each.number, tuple(fit.problems(each.manifest, found))) for each in versions]


def in_words(found: fit.Facts) -> str:
    """What the verdicts rest on, and what they could not be held against."""
    known = [f"{word} {getattr(found, name)}" for name, word in _FACTS.items() if getattr(found, name)]
    missing = [word for name, word in _FACTS.items() if getattr(found, name) is None]
    told = f"{found.server}: {', '.join(known) or 'nothing is known of it'}{', no GPU' if found.gpu == '' else ''}"
    told += ", no TensorRT" if found.tensorrt == "" else ""
    return f"{told} (not known, so not compared: {', '.join(missing)})" if missing and known else told
