"""Large protobuf messages piece by piece, as whole they would stand in memory twice: as bytes and as a message."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

LIMIT: Final = 2**31 - 1  # bytes, protobuf's own
# bytes; what is smaller is parsed at once
PIECE: Final = 1 << 23
OUTLINE: Final = 1 << 16
# protobuf's ways to write a field: a number of open length, 8 bytes, a length and that many bytes, 4 bytes
_VARINT, _EIGHT, _LENGTH, _FOUR = 0, 1, 2, 5
# a TensorProto's fields that say what it is; those with its values come after them
_DESCRIBING: Final = frozenset({1, 2, 3})
_HEAD: Final = 20  # bytes, the longest tag and length


@dataclass(frozen=True)
class Span:
    """A field in a file.

    Attributes:
        nested: whether it may hold a message.
        start: where its tag starts; what it holds goes from ``content`` to ``end``.
    """

    number: int
    nested: bool
    start: int
    content: int
    end: int


def merge(file: int, message: Any, start: int, end: int, *, outline: bool = False) -> None:
    """Add to a message what a file descriptor's bytes say.

    Args:
        outline: leave the values of tensors out that take more than 64 KiB.

    Raises:
        DecodeError: it is no such message.
    """
    if end - start <= (OUTLINE if outline else PIECE):
        message.MergeFromString(os.pread(file, end - start, start))
        return
    for span in spans(file, start, end):
        if outline and message.DESCRIPTOR.name == "TensorProto" and span.number not in _DESCRIBING:
            return
        _merge_field(file, message, span, outline)


def _merge_field(file: int, message: Any, span: Span, outline: bool) -> None:
    field = message.DESCRIPTOR.fields_by_number.get(span.number)
    holds_message = span.nested and field is not None and field.message_type is not None
    target = _target(file, message, field, span) if holds_message else None
    if target is None:
        message.MergeFromString(os.pread(file, span.end - span.start, span.start))
        return
    part, inside = target
    part.SetInParent()
    merge(file, part, inside.content, inside.end, outline=outline)


def _target(file: int, message: Any, field: Any, span: Span) -> tuple[Any, Span] | None:
    """The message that a field holds, and where it is; None where it is better parsed at once."""
    value = getattr(message, field.name)
    if not field.message_type.GetOptions().map_entry:
        return (value.add() if field.label == FieldDescriptor.LABEL_REPEATED else value), span
    entry = {each.number: each for each in spans(file, span.content, span.end)}
    text = field.message_type.fields_by_number[1].type == FieldDescriptor.TYPE_STRING
    if not text or set(entry) != {1, 2} or field.message_type.fields_by_number[2].message_type is None:
        return None
    return value[os.pread(file, entry[1].end - entry[1].content, entry[1].content).decode()], entry[2]


def spans(file: int, start: int, end: int) -> Iterator[Span]:
    """The fields of a message, in the order of the file; DecodeError when it is none."""
    while start < end:
        head = os.pread(file, _HEAD, start)
        tag, used = _varint(head, 0)
        content = start + used
        if tag & 7 == _VARINT:
            stop = start + _varint(head, used)[1]
        elif tag & 7 == _LENGTH:
            length, used = _varint(head, used)
            content = start + used
            stop = content + length
        elif tag & 7 in (_EIGHT, _FOUR):
            stop = content + (8 if tag & 7 == _EIGHT else 4)
        else:
            raise DecodeError("a field of no known kind")
        if stop > end or not tag >> 3:
            raise DecodeError("a field goes on after the end")
        yield Span(tag >> 3, tag & 7 == _LENGTH, start, content, stop)
        start = stop


def within(file: int, start: int, end: int, path: Sequence[int]) -> Iterator[Span]:
    """The fields inside fields inside fields, by their numbers from the outermost one on."""
    for span in spans(file, start, end):
        if span.number == path[0]:
            yield from within(file, span.content, span.end, path[1:]) if path[1:] else (span,)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number and the place after it."""
    value = shift = 0
    while place < len(data) and shift < 64:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise DecodeError("a number goes on after the end")


def write(path: Path, around: Sequence[tuple[Any, str]], parts: Sequence[Any]) -> None:
    """Write messages inside messages to a file.

    Args:
        around: the messages around, the outermost first, each with its field that holds the next; the last one's
            holds the parts. Those fields are empty.
        parts: messages.

    Raises:
        ValueError: it is more than protobuf reads.
    """
    rests = [message.SerializeToString(deterministic=True) for message, _ in around]
    numbers = [message.DESCRIPTOR.fields_by_name[name].number for message, name in around]
    size = len(rests[-1]) + sum(len(_head(numbers[-1], part.ByteSize())) + part.ByteSize() for part in parts)
    heads = [rests.pop()]
    while rests:
        heads.append(rests.pop() + _head(numbers[len(rests)], size))
        size += len(heads[-1])
    if size > LIMIT:
        raise ValueError(f"{size:,} bytes")
    with path.open("wb") as file:
        file.write(b"".join(reversed(heads)))
        for part in parts:
            content = part.SerializeToString(deterministic=True)
            file.write(_head(numbers[-1], len(content)) + content)


def _head(number: int, length: int) -> bytes:
    return _number(number << 3 | _LENGTH) + _number(length)


def _number(value: int) -> bytes:
    done = bytearray()
    while value > 0x7F:
        done.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*done, value])
