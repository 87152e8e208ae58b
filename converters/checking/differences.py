"""How far the answers of a servable are from those of the model it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from converters.checking import detections
from converters.checking.warm_up import Arrays
from model_config.manifest import OutputCheck

Array = np.ndarray[Any, Any]


def compare(got: Arrays, wanted: Arrays) -> dict[str, OutputCheck]:
    """What every output is, and its largest difference where the two can be compared.

    Of detectors, those detections are compared that both found; the others are counted.
    """
    pairs = detections.pairs(got, wanted)
    rows = wanted[detections.BOXES].shape[:2] if pairs is not None else None
    return {
        name: _output(got[name], wanted[name], pairs if wanted[name].shape[:2] == rows else None)
        for name in sorted(wanted)
    }


def faults(got: Arrays, wanted: Arrays) -> Iterator[str]:
    """Why these answers cannot stand for those, one sentence each."""
    for name in sorted(wanted):
        yield from _faults(name, got[name], wanted[name])


def _faults(name: str, got: Array, wanted: Array) -> Iterator[str]:
    if got.dtype != wanted.dtype:
        yield f"{name} is {got.dtype} instead of {wanted.dtype}"
    elif got.shape != wanted.shape:
        yield f"{name} has shape {list(got.shape)} instead of {list(wanted.shape)}"
    elif (lost := np.sum(~_finite(got) & _finite(wanted))) > 0:
        yield f"{name} is NaN or infinite in {lost} of {got.size} places where the source model's is a number"


def _output(got: Array, wanted: Array, pairs: detections.Pairs | None) -> OutputCheck:
    number = _is_number(got)
    unmatched, compared = 0, (got, wanted)
    if pairs is not None and got.shape == wanted.shape:
        compared = detections.matched(got, wanted, pairs)
        unmatched = got.shape[0] * got.shape[1] - len(compared[0])
    return OutputCheck(
        dtype="string" if got.dtype == np.object_ else got.dtype.name,
        shape=got.shape,
        nan=int(np.isnan(got).sum()) if number else 0,
        inf=int(np.isinf(got).sum()) if number else 0,
        largest_difference=_difference(*compared) if got.shape == wanted.shape else None,
        unmatched=unmatched,
    )


def _difference(got: Array, wanted: Array) -> float | None:
    if not _is_number(got):
        return float(np.any(got != wanted))
    both = _finite(got) & _finite(wanted)
    if not both.any():
        return None
    wide = np.complex128 if np.iscomplexobj(got) else np.longdouble  # the latter holds every 64-bit integer
    return float(np.max(np.abs(got[both].astype(wide) - wanted[both].astype(wide))))


def _finite(array: Array) -> Array:
    return np.asarray(np.isfinite(array)) if _is_number(array) else np.ones(array.shape, bool)


def _is_number(array: Array) -> bool:
    # not numpy's own test of subtypes, which leaves bfloat16 out
    return array.dtype.kind not in "ObSU"
