"""Layers that hand their results on in 8 bits: between two of them rounding is spared only where both are float."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from converters.int8.fusing import Fused

_PART: Final = 2


def stretches(fused: Sequence[Fused]) -> list[Sequence[Fused]]:
    """All layers, in groups that stand or fall together: the first of a line by itself, the others two by two.

    The first reads floats, so that in floats nothing is rounded before it. A line ends with a layer without
    activation: what such a layer gives is read as floats, or is signed and then loses more than all between them.
    """
    groups = {each.last: [each] for each in fused}
    for first, second in _neighbours(fused):
        one, other = groups[first], groups[second]
        if one is not other:
            one += other
            groups.update((each.last, one) for each in other)
    whole = {id(group): group for group in groups.values()}.values()
    return [part for group in whole for part in _parts(group)]


def _neighbours(fused: Sequence[Fused]) -> Iterator[tuple[str, str]]:
    active = {each.last for each in fused if each.activation}
    for each in fused:
        yield from ((read, each.last) for read in (each.source, each.summand) if read in active)


def _parts(group: Sequence[Fused]) -> Iterator[Sequence[Fused]]:
    yield group[:1]
    yield from (group[start : start + _PART] for start in range(1, len(group), _PART))
