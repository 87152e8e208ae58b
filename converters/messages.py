"""Protobuf messages from files, binary or text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from converters import pieces
from model_config.errors import BadSource

_SHOWN: Final = 512  # bytes
_PRINTABLE: Final = frozenset(range(0x20, 0x7F)) | frozenset(b"\t\n\r")


class Damaged(BadSource):
    """A file that holds no such message."""


def read(path: Path, kind: Any, *, outline: bool = False) -> Any:
    """The message of type ``kind`` in a file; BadSource when it is not one, or too large to be one.

    Args:
        outline: the values of large constants may be missing; it then takes little time and room.
    """
    name = kind.DESCRIPTOR.name
    require_size(path, kind)
    try:
        with path.open("rb") as file:
            if is_text(file.read(_SHOWN)):
                return text_format.Parse(path.read_text(encoding="utf-8"), kind())
            message = kind()
            pieces.merge(file.fileno(), message, 0, path.stat().st_size, outline=outline)
            return message
    except text_format.ParseError as error:
        raise Damaged(f"{path} is truncated or damaged: as a {name} in text form, {error}; export it again") from error
    except (DecodeError, UnicodeDecodeError) as error:
        raise Damaged(f"{path} is truncated or damaged: no {name} can be read from it; export it again") from error


def require_size(path: Path, kind: Any) -> None:
    """Refuse a file that is too large for one message, whatever is in it, before it is read."""
    if path.stat().st_size > pieces.LIMIT:
        raise BadSource(
            f"{path} is over 2 GB, more than one {kind.DESCRIPTOR.name} holds;"
            " export the model as a SavedModel, whose variables are files of their own"
        )


def is_text(content: bytes) -> bool:
    """Whether a message is in text form: the field numbers and lengths of a binary one are soon unprintable."""
    return bool(content.strip()) and all(byte in _PRINTABLE for byte in content[:_SHOWN])
