"""Layers that hand their results on in 8 bits: between two of them rounding is spared only where both are float."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from converters.int8.fusing import Fused

# layers of an inverted bottleneck, which ends by itself
_LONGEST: Final = 3
# of a longer line, which does not
_PART: Final = 2


def stretches(fused: Sequence[Fused]) -> list[Sequence[Fused]]:
    """All layers, in groups that stand or fall together: what follows each other up to one without activation.

    What such a layer gives is read as floats, or is signed and then loses more than all between them.
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
    size = len(group) if len(group) <= _LONGEST else _PART
    return (group[start : start + size] for start in range(0, len(group), size))
