"""What layers cost in accuracy: the error at the far end when they alone compute in 8 bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np

from converters.graph_edits import Edit
from converters.graphs import Graph
from converters.int8.calibrated import Calibrated
from converters.int8.fusing import Fused
from converters.int8.stretches import stretches

# enough to tell the layers apart, and few enough to ask once a stretch
_EXAMPLES: Final = 12

# a value that floats move and 8 bits do not takes as long as so many multiplications
_MOVING: Final = 20

# told how many stretches of how many were measured
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Suspect:
    """8-bit layers that are taken back together.

    Attributes:
        names: one, or a few that follow each other.
        damage: what they cost in accuracy.
        share: of the multiplications of all 8-bit layers, from 0 to 1.
        time: that they take longer in floats, in multiplications.
    """

    names: tuple[str, ...]
    damage: float
    share: float
    time: float

    @property
    def worth(self) -> float:
        """Damage undone for the time that it takes to undo it."""
        return self.damage / self.time


def most_damaging(calibrated: Calibrated, kept: Sequence[str], progress: Progress) -> list[Suspect]:
    """All 8-bit layers, those first whose arithmetic in floats is best worth its time.

    The damage is the relative squared error of what the last layers give, summed over them, on calibration data.
    It is taken there and not at the outputs, as suppression and sorting make steps of it.
    """
    edit = Edit(calibrated.graph)
    fused = calibrated.fused(edit, kept)
    ends, every = _ends(edit, fused), {_name(each) for each in fused}
    feeds = list(islice(calibrated.feeds(), _EXAMPLES))
    wanted = _values(calibrated.graph, ends, feeds)
    places = {_name(each): _places(edit, each) for each in fused}
    work = {_name(each): math.prod(each.layer.shape) * places[_name(each)] for each in fused}
    moved = {_name(each): each.layer.channels * places[_name(each)] for each in fused}
    found, candidates = [], stretches(fused)
    for place, stretch in enumerate(candidates):
        progress(place, len(candidates))
        names = tuple(map(_name, stretch))
        alone = calibrated.rounded({*kept, *every} - {*names})
        part = sum(work[name] for name in names)
        time = part + _MOVING * sum(moved[name] for name in names)
        found.append(Suspect(names, _error(_values(alone, ends, feeds), wanted), part / sum(work.values()), time))
    return sorted(found, key=lambda each: -each.worth)


def _name(fused: Fused) -> str:
    return str(fused.layer.node.name)


def _places(edit: Edit, fused: Fused) -> int:
    """How many a picture has, for one example; sizes that are not known count as 1."""
    shape = edit.shape(fused.layer.node.name)
    return math.prod(size or 1 for size in (shape.as_list()[1:-1] if shape.rank else []))


def _ends(edit: Edit, fused: list[Fused]) -> list[str]:
    """What layers give that no further layer depends on."""
    layers = {each.layer.node.name for each in fused}
    return sorted(each.last for each in fused if not layers & set(_after(edit, each.last)))


def _after(edit: Edit, name: str) -> Iterator[str]:
    """Every operation that depends on one."""
    seen, waiting = {name}, [name]
    while waiting:
        for reader in edit.readers[waiting.pop()]:
            if reader.name not in seen:
                seen.add(reader.name)
                waiting.append(reader.name)
                yield reader.name


def _values(graph: Graph, tensors: list[str], feeds: Sequence[Any]) -> list[list[Any]]:
    """The tensors, for every feed; what comes after them is not computed."""
    with graph.session() as session:
        return [session.run([f"{tensor}:0" for tensor in tensors], feed) for feed in feeds]


def _error(got: list[list[Any]], wanted: list[list[Any]]) -> float:
    """Of each tensor relative to its own size, as one head's numbers may be a hundred times another's."""
    off = np.sum([[np.sum((a - b) ** 2) for a, b in zip(*pair)] for pair in zip(got, wanted)], axis=0)
    size = np.sum([[np.sum(each**2) for each in answer] for answer in wanted], axis=0)
    return float(np.sum(off / np.maximum(size, 1e-12)))
