"""The sending half of a connection: requests as frames, within what the server takes at a time."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from clients.loadgen import frames
from clients.loadgen.frames import Template

NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

_AT_A_TIME = 2**20  # bytes of large bodies, so that answers are looked after in between


@dataclass(frozen=True)
class Question:
    """What is asked: the headers, and the bodies that take turns (made by ``frames.framed``)."""

    headers: frames.Headers
    bodies: Sequence[bytes]


@dataclass(frozen=True)
class _Made:
    """A request that is ready to go out.

    Attributes:
        stream: the number that it was made for.
        size: of its body.
    """

    stream: int
    size: int
    content: bytes


_NOTHING: Final = _Made(0, 0, b"")


@dataclass
class _Upload:
    """What is left of a body that could not be sent in one piece, and how much of it the server takes now."""

    rest: memoryview
    window: int


class Sender:
    """What is still to be said on a socket.

    Attributes:
        streams: how many requests the server takes at a time.
    """

    def __init__(self, question: Question) -> None:
        """The greeting waits to be sent; requests may follow when ``obey`` was told the server's settings."""
        self.streams = 2**31
        self._question = question
        self._out: list[bytes | memoryview] = [frames.greeting()]
        self._backlog = memoryview(b"")
        self._uploads: dict[int, _Upload] = {}
        self._next = 1
        self._made = _NOTHING
        self._first: list[Template] = []
        self._later: list[Template] = []
        self._window = self._initial_window = frames.DEFAULT_WINDOW
        self._frame = self._piece = frames.DEFAULT_FRAME

    @property
    def _busy(self) -> bool:
        """There is something to send as soon as the socket takes it."""
        return bool(self._backlog or self._out or (self._uploads and self._may_go_on()))

    def say(self, frame: bytes) -> None:
        """Put a frame behind what is to be sent."""
        self._out.append(frame)

    def request(self, number: int) -> range:
        """Ask so many times; the numbers of the streams."""
        start = self._next
        self._next += 2 * number
        streams = range(start, self._next, 2)
        if number == 1 and self._made.stream == start and self._fits(self._made.size):
            self._window -= self._made.size
            self._out.append(self._made.content)
        elif start == 1:
            self._ask(streams[:1], self._first)
            self._ask(streams[1:], self._later)
        else:
            self._ask(streams, self._later)
        return streams

    def prepare(self) -> None:
        """Have the next request ready if it is one that goes out in one piece; larger ones are not worth a copy."""
        stream = self._next
        if stream == 1 or self._made.stream == stream:
            return
        template = self._later[(stream >> 1) % len(self._later)]
        size = len(template.body)
        if self._fits(size):
            self._made = _Made(stream, size, b"".join(template.whole(stream.to_bytes(4, "big"))))

    def _fits(self, size: int) -> bool:
        """A body of that size goes out in one piece."""
        return size <= self._piece and size <= self._window and not self._uploads

    def _ask(self, streams: range, templates: Sequence[Template]) -> None:
        out, kinds = self._out, len(templates)
        for stream in streams:
            template = templates[(stream >> 1) % kinds]
            name = stream.to_bytes(4, "big")
            size = len(template.body)
            if not self._fits(size):
                out += (template.head, name, template.block)
                self._uploads[stream] = _Upload(memoryview(template.body), self._initial_window)
            else:
                self._window -= size
                out += template.whole(name)

    def _may_go_on(self) -> bool:
        """The server takes more of a body."""
        return self._window > 0 and any(upload.window > 0 for upload in self._uploads.values())

    def forget(self, stream: int) -> None:
        """Send no more of a request."""
        self._uploads.pop(stream, None)

    def allow(self, stream: int, more: int) -> None:
        """The server takes so many bytes more of a stream, or of all together (0)."""
        if stream == 0:
            self._window += more
        elif stream in self._uploads:
            self._uploads[stream].window += more

    def obey(self, settings: dict[int, int]) -> None:
        """Keep to what the server says about itself."""
        self.streams = settings.get(frames.MAX_CONCURRENT_STREAMS, self.streams)
        self._frame = settings.get(frames.MAX_FRAME_SIZE, self._frame)
        window = settings.get(frames.INITIAL_WINDOW_SIZE, self._initial_window)
        for upload in self._uploads.values():
            upload.window += window - self._initial_window
        self._initial_window = window
        self._piece = min(window, self._frame)
        if not self._later or frames.HEADER_TABLE_SIZE in settings:
            table = settings.get(frames.HEADER_TABLE_SIZE, frames.DEFAULT_TABLE)
            self._made = _NOTHING
            first, later = frames.pack_headers(self._question.headers, table)
            self._first, self._later = (
                [Template.of(b, body) for body in self._question.bodies] for b in (first, later)
            )
        self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def flush(self, peer: socket.socket) -> bool:
        """Send what the socket takes, and say whether there is more; OSError when it is broken."""
        if not self._backlog and not self._uploads:  # nearly always
            if self._out:
                self._send_all(peer)
            if not self._backlog:
                return False
        while self._busy:
            if not self._backlog:
                self._cut_uploads()
                self._backlog = memoryview(b"".join(self._out))
                self._out.clear()
            try:
                sent = peer.send(self._backlog)
            except NOT_NOW:
                return True
            self._backlog = self._backlog[sent:]
        return False

    def _send_all(self, peer: socket.socket) -> None:
        content = b"".join(self._out)
        self._out.clear()
        try:
            sent = peer.send(content)
        except NOT_NOW:
            sent = 0
        if sent < len(content):
            self._backlog = memoryview(content)[sent:]

    def _cut_uploads(self) -> None:
        budget = _AT_A_TIME
        for stream, upload in list(self._uploads.items()):
            while upload.rest and (size := min(len(upload.rest), self._window, upload.window, self._frame, budget)) > 0:
                flags = frames.END_STREAM if size == len(upload.rest) else 0
                self._out += (frames.data_head(size, flags, stream), upload.rest[:size])
                upload.rest = upload.rest[size:]
                upload.window -= size
                self._window -= size
                budget -= size
            if not upload.rest:
                del self._uploads[stream]
