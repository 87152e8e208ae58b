"""The text files that flags name: protobuf text, read whole or refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from serving.embedded import refusals

Read = TypeVar("Read", bound=Message)


def read(path: Path, into: Read) -> Read:
    """Parse a file; Refusal says what is wrong with it."""
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), into)
    except OSError as error:
        raise refusals.not_found(
            f"{path}; {error.strerror}", "name a file that exists and that you may read"
        ) from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        kind = into.DESCRIPTOR.name
        remedy = f"mend it: a {kind} in protobuf text format has no place for this: {error}"
        raise refusals.invalid(f"Invalid protobuf file: '{path}'", remedy) from error
