"""What the headers and bodies of answers mean, remembered, as nearly all of them are alike."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

import hpack

from clients.loadgen.codes import OF_HTTP, Code

_MOST_REMEMBERED = 1000
_LONGEST_TEXT = 300


class Answers:
    """The reader of all answers of one worker.

    Attributes:
        tails: the bytes that an answer of the right version may end in.
        longest_tail: the length of the longest.
        texts: what the server said with each code, the first time.
    """

    def __init__(self, tails: Iterable[bytes]) -> None:
        """Nothing is known yet."""
        self.tails = tuple(tails)
        self.longest_tail = max(map(len, self.tails))
        self.texts: dict[Code, str] = {}
        self._codes: dict[bytes, int | None] = {}

    def code(self, block: bytes) -> int | None:
        """The gRPC code of a block of headers, None when the call goes on; ValueError when it makes no sense."""
        try:
            return self._codes[block]
        except KeyError:
            pass
        if len(self._codes) >= _MOST_REMEMBERED:  # error texts may differ each time
            self._codes.clear()
        code = self._read(block)
        # a plain number, as arrays take those faster
        self._codes[block] = None if code is None else int(code)
        return code

    def note(self, code: Code, text: str) -> None:
        """Keep what was said, unless something was already."""
        self.texts.setdefault(code, " ".join(text.split())[:_LONGEST_TEXT])

    def _read(self, block: bytes) -> Code | None:
        decoder = hpack.Decoder()
        try:
            headers = {str(name): str(value) for name, value in decoder.decode(block)}
        except (hpack.HPACKError, UnicodeDecodeError) as error:
            raise ValueError(f"headers that cannot be read: {error}") from error
        if "grpc-status" in headers:
            return self._grpc(headers)
        status = headers.get(":status", "200")
        if status.startswith(("1", "2")):
            return None
        code = OF_HTTP.get(status, Code.UNKNOWN)
        self.note(code, f"HTTP status {status}")
        return code

    def _grpc(self, headers: dict[str, str]) -> Code:
        number = headers["grpc-status"]
        code = Code(int(number)) if number.isdigit() and int(number) <= Code.UNAUTHENTICATED else Code.UNKNOWN
        if code:
            self.note(code, unquote(headers.get("grpc-message", "")))
        return code
