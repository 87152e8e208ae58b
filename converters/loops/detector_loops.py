"""What a loop around NonMaxSuppression is told by its constants, read from the graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from converters.loops.patterns import MapLoop, Wiring, data_inputs, tensor

NMS: Final = {f"NonMaxSuppressionV{version}" for version in (2, 3, 4, 5)}
# they pass on rows of their first input, and the others say which
_SELECTS: Final = {"Gather", "GatherV2", "GatherNd", "Slice", "StridedSlice", "Reshape", "Squeeze", "Unpack"}
_NOTHING: Final = float("-inf")


class Unlike(Exception):
    """The loop is not what one CombinedNonMaxSuppression does, for this reason."""


@dataclass(frozen=True)
class Limits:
    """The numbers that one loop's NonMaxSuppression operations have in common."""

    iou: float
    score: float
    per_class: int


class DetectorLoop:
    """A loop over pictures with one NonMaxSuppression a class."""

    def __init__(self, wiring: Wiring, loop: MapLoop) -> None:
        """Find the operations in the loop; ``suppressions`` is empty where there are none."""
        self.loop = loop
        self._wiring = wiring
        self._body = loop.body(wiring)
        self.suppressions = [node for node in self._body.values() if node.op in NMS]

    def sources(self, place: int) -> set[str]:
        """The elements whose rows the operations get as their input at a place."""
        names = (data_inputs(node)[place] for node in self.suppressions)
        return {each for name in names for each in self._elements(name, rows_only=True)}

    def limits(self) -> Limits:
        """The thresholds and the limit that are the same for all classes; Unlike when they are not."""
        inputs = [data_inputs(node) for node in self.suppressions]
        if any(self._number(each[5], "soft suppression") for each in inputs if len(each) > 5):
            raise Unlike("it lowers scores instead of dropping boxes (soft NMS)")
        iou = _same((self._number(each[3], "IoU threshold") for each in inputs), "IoU threshold")
        own = _same((self._number(each[4], "score threshold") if each[4:] else _NOTHING for each in inputs), "score")
        boxes = self.sources(0)
        before = _same((self._filter(each[1], boxes) for each in inputs), "score threshold")
        per_class = _same((self._limit(each[2]) for each in inputs), "number of boxes a class")
        return Limits(iou, max(own, before), int(per_class))

    def cuts_before(self) -> bool:
        """Whether coordinates are held between others before boxes suppress each other."""
        names = [data_inputs(node)[0] for node in self.suppressions]
        return any(node.op == "Maximum" for node in self._rows_behind(names))

    def windows(self) -> list[tuple[float, float, float, float]]:
        """Where the loop may cut boxes off, by its constants: four numbers, or two that all coordinates share."""
        lowest, highest = (self._held(operation) for operation in ("Maximum", "Minimum"))
        shared = [(low, low, high, high) for low in lowest for high in highest if low < high]
        inside = {name for node in self._body.values() for name in data_inputs(node)}
        values = [self._constant(name) for name in sorted(inside)]
        quadruples = [value.tolist() for value in values if value is not None and _is_window(value)]
        return list(dict.fromkeys(shared + [tuple(each) for each in quadruples]))

    def _held(self, operation: str) -> list[float]:
        nodes = (node for node in self._body.values() if node.op == operation)
        values = (self._constant(name) for node in nodes for name in data_inputs(node))
        return sorted(
            {float(each) for each in values if each is not None and each.shape == () and each.dtype.kind == "f"}
        )

    def _elements(self, name: str, *, rows_only: bool) -> set[str]:
        """The elements that a tensor depends on; where only rows count, not those that just select some of them."""
        return {each for each in self._visited([name], rows_only) if each in self.loop.elements}

    def _rows_behind(self, names: Iterable[str]) -> list[Any]:
        return [self._wiring.node(name) for name in self._visited(names, rows_only=True)]

    def _visited(self, names: Iterable[str], rows_only: bool) -> set[str]:
        seen, todo = set(), [tensor(name) for name in names]
        while todo:
            name = todo.pop()
            if name not in seen and name not in self.loop.captures:
                seen.add(name)
                node = self._wiring.node(name)
                inputs = data_inputs(node) if name not in self.loop.elements else []
                todo += inputs[:1] if rows_only and node.op in _SELECTS else inputs
        return seen

    def _constant(self, name: str) -> Any:
        origin = self._wiring.origin(name)
        return self._wiring.constant(self.loop.captures.get(origin, origin))

    def _number(self, name: str, what: str) -> float:
        value = self._constant(name)
        if value is None:
            raise Unlike(f"its {what} is computed, not a constant")
        return float(value)

    def _limit(self, name: str) -> float:
        """A number of boxes, or the smaller of it and of how many there are."""
        node = self._wiring.node(self._wiring.origin(name))
        choices = data_inputs(node) if node.op == "Minimum" else [name]
        known = [value for value in map(self._constant, choices) if value is not None]
        if not known:
            raise Unlike("its number of boxes a class is computed, not a constant")
        return float(min(known))

    def _filter(self, scores: str, boxes: set[str]) -> float:
        """The score that the boxes had to exceed before suppression."""
        body = self._wiring.behind([scores], {*self.loop.elements, *self.loop.captures})
        thresholds = [_NOTHING]
        for node in body.values():
            if node.op == "Greater":
                left, right = data_inputs(node)
                value = self._constant(right)
                if value is not None and not self._elements(left, rows_only=False) & boxes:
                    thresholds.append(float(value))
        return max(thresholds)


def _is_window(value: Any) -> bool:
    return bool(value.shape == (4,) and value.dtype.kind == "f" and (value[:2] < value[2:]).all())


def _same(values: Iterable[float], what: str) -> float:
    different = set(values)
    if len(different) != 1:
        raise Unlike(f"its classes differ in their {what}")
    return different.pop()
