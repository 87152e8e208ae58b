"""A publisher's web server on a free port: real ranges, real interruptions, real refusals."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Publisher:
    """What it has, how it behaves, and what it was asked.

    Attributes:
        files: content by path, such as ``/model.tar.gz``.
        cut: after so many bytes it hangs up, once for each number.
        ranges: whether it knows them.
        answers: status codes by path, instead of the file.
        kind: the content type.
        encoding: what it says that files are encoded in, though they come as they are.
        claims: how many bytes it says there are, instead of the truth.
        asked: path and range of every request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut: list[int] = field(default_factory=list)
    ranges: bool = True
    answers: dict[str, int] = field(default_factory=dict)
    kind: str = "application/octet-stream"
    encoding: str | None = None
    claims: int | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""

    def url(self, path: str) -> str:
        return f"{self.address}{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        publisher: Publisher = self.server.publisher
        path = self.path.partition("?")[0]
        publisher.asked.append((path, self.headers.get("Range")))
        content = publisher.files.get(path)
        code = publisher.answers.get(path, 200 if content is not None else 404)
        if code != 200:
            self._answer(code, b"")
            return
        state = f'"{hashlib.md5(content).hexdigest()}"'
        first = self._first(state, len(content)) if publisher.ranges else 0
        headers = {"Content-Type": publisher.kind, **({"ETag": state} if publisher.ranges else {})}
        if publisher.encoding:
            headers["Content-Encoding"] = publisher.encoding
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        self._answer(206 if first else 200, content[first:], headers)

    def _first(self, state: str, size: int) -> int:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        fits = asked and self.headers.get("If-Range", state) == state and int(asked[1]) < size
        return int(asked[1]) if fits else 0

    def _answer(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        cut = self.server.publisher.cut
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(self.server.publisher.claims or len(body)))
        self.end_headers()
        if code < 300 and cut:
            body = body[: cut.pop(0)]
            self.close_connection = True
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing: the tests look at what was asked."""


@contextmanager
def publishing() -> Iterator[Publisher]:
    """Serve until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.publisher = Publisher(address=f"http://127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.publisher
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
