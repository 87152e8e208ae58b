"""HTTP/2 frames as bytes: what a gRPC client has to say, with everything that repeats packed once."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import hpack

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

# why a stream is broken off: not looked at
REFUSED_STREAM = 7
# settings by number
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 1, 2, 3, 4, 5

DEFAULT_TABLE: Final = 4_096
DEFAULT_WINDOW: Final = 65_535
DEFAULT_FRAME: Final = 16_384
LARGEST_WINDOW: Final = 2**31 - 1

# length and kind in one number, flags, stream: one step, as it is taken for every frame of every answer
read_header: Final = struct.Struct(">IBI").unpack_from
_CANCEL = 8

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Template:
    """One request without the number of its stream, which is to be put behind ``head`` and behind ``middle``.

    Attributes:
        head: the HEADERS frame up to the stream's number.
        block: the rest of that frame.
        middle: the same, and the DATA frame that holds the whole body up to the stream's number.
        body: the message behind gRPC's five bytes.
    """

    head: bytes
    block: bytes
    middle: bytes
    body: bytes

    @classmethod
    def of(cls, block: bytes, body: bytes) -> Template:
        """The template of a request with these packed headers; bodies come from ``framed``."""
        head = struct.pack(">IB", len(block) << 8 | HEADERS, END_HEADERS)
        # larger bodies are cut into several frames elsewhere
        data = struct.pack(">IB", len(body) << 8 | DATA, END_STREAM) if len(body) < 2**24 else b""
        return cls(head, block, block + data, body)

    def whole(self, stream: bytes) -> tuple[bytes, ...]:
        """The request in one piece, as the stream of that number (four bytes)."""
        return self.head, stream, self.middle, stream, self.body


def framed(message: bytes) -> bytes:
    """A message as gRPC sends it: five bytes say that it is not compressed, and how long it is."""
    return b"\0" + struct.pack(">I", len(message)) + message


def frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">IBI", len(content) << 8 | kind, flags, stream) + content


def data_head(size: int, flags: int, stream: int) -> bytes:
    """The head of a DATA frame of ``size`` bytes."""
    return struct.pack(">IBI", size << 8 | DATA, flags, stream)


def settings(values: Mapping[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", key, value) for key, value in values.items()))


def read_settings(content: bytes) -> dict[int, int]:
    """What a SETTINGS frame says."""
    return dict(struct.iter_unpack(">HI", content))


def window_update(stream: int, more: int) -> bytes:
    """Leave to send so many bytes more; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", more))


def cancel(stream: int) -> bytes:
    """Nobody waits for this answer any more."""
    return frame(RST_STREAM, 0, stream, struct.pack(">I", _CANCEL))


def unpadded(flags: int, content: bytes) -> bytes:
    """What a HEADERS or DATA frame carries, without padding and priority."""
    if flags & PADDED:
        content = content[1 : len(content) - content[0]]
    return content[5:] if flags & PRIORITY else content


def greeting() -> bytes:
    """What a client says first.

    Without a header table a block of headers means the same wherever it stands, so its meaning can be remembered;
    the windows are as large as they can be, so that no answer waits for us.
    """
    wishes = {HEADER_TABLE_SIZE: 0, ENABLE_PUSH: 0, INITIAL_WINDOW_SIZE: LARGEST_WINDOW}
    return PREFACE + settings(wishes) + window_update(0, LARGEST_WINDOW - DEFAULT_WINDOW)


def pack_headers(headers: Headers, server_table: int) -> tuple[bytes, bytes]:
    """The headers for the first request of a connection and for all later ones.

    The first puts them into the server's table and the others point there, as any client's do; a server that
    keeps less of a table than usual is told everything each time.
    """
    encoder = hpack.Encoder()
    if server_table >= DEFAULT_TABLE:
        return encoder.encode(list(headers)), encoder.encode(list(headers))
    plain = encoder.encode([hpack.NeverIndexedHeaderTuple(*header) for header in headers])
    return plain, plain
