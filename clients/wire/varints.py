"""Whole numbers as protobuf writes them: seven bits a byte, the lowest first, all bytes but the last marked."""

from __future__ import annotations

from typing import Any

import numpy as np

_MOST_BITS = 70  # ten bytes hold 64 bits


def written(number: int) -> bytes:
    """The bytes of a number from 0 on."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def read(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """The number that starts at a place, and the place behind it; IndexError when the data ends before it does."""
    number = 0
    for shift in range(0, _MOST_BITS, 7):
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError("a number of more than 64 bits")


def read_all(data: bytes | memoryview) -> np.ndarray[Any, Any]:
    """Many numbers at once, one after the other, as 64-bit patterns (small ones as bytes)."""
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw < 0x80)
    if len(ends) == len(raw):  # small numbers only, such as classes and truth values
        return raw
    starts = np.concatenate([[0], ends[:-1] + 1])
    places = np.arange(ends[-1] + 1) - np.repeat(starts, ends - starts + 1)
    parts = (raw[: len(places)] & 0x7F).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.asarray(np.add.reduceat(parts, starts))
