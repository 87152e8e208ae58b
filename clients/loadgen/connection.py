"""One HTTP/2 connection that asks over gRPC and keeps when each question was due, sent and answered."""

from __future__ import annotations

import collections
import itertools
import socket
import ssl
import time
from array import array

from clients.loadgen import frames
from clients.loadgen.answers import Answers
from clients.loadgen.codes import OF_RESET, Code
from clients.loadgen.frames import DATA, HEADERS, read_header
from clients.loadgen.sending import NOT_NOW, Question, Sender

_LEAST, _MOST = 2**14, 2**18  # bytes to receive at a time; making room for many costs more than small answers do
_HEAD = 9  # bytes of a frame's head
_REPLENISH = 2**30  # bytes received until the server gets leave for more
_PLAIN, _PLAIN_END = frames.END_HEADERS, frames.END_HEADERS | frames.END_STREAM


class Connection:
    """A socket and the state of HTTP/2 on it; never blocks.

    Attributes:
        ready: the server has greeted, so requests may be issued.
        going: the server takes no more requests here.
        lost: why there is no connection any more; empty while there is one, or may be.
    """

    def __init__(self, peer: socket.socket, question: Question, answers: Answers, samples: array[int]) -> None:
        """Greet; ``samples`` gets due, sent, done (ns) and code of each request that ends."""
        self.socket = peer
        self.ready = False
        self.going = False
        self.lost = ""
        self._deciphered = peer.pending if isinstance(peer, ssl.SSLSocket) else None
        self._sender = Sender(question)
        self._answers, self._samples = answers, samples
        self._pending: dict[int, tuple[int, int]] = {}
        self._waiting: collections.deque[tuple[int, int]] = collections.deque()
        self._right: set[int] = set()
        self._ends: dict[int, bytes] = {}
        self._rest = b""
        self._early: dict[int, int] = {}
        self._headers = (b"", 0)  # a block that goes on in the next frame, and whether it ends the stream
        self._received = 0
        self._wanted = _LEAST

    @property
    def in_flight(self) -> int:
        """Requests without an answer yet."""
        return len(self._pending) + len(self._waiting)

    def ask(self, number: int, due: int, sent: int) -> None:
        """Ask so many times, as far as the server takes them now; the others follow when it does."""
        times, room = (due, sent), self._sender.streams - len(self._pending)
        if number > room:
            self._waiting.extend(itertools.repeat(times, number - max(0, room)))
            number = max(0, room)
        for stream in self._sender.request(number):
            self._pending[stream] = times

    def prepare(self) -> None:
        """Have the next request ready."""
        self._sender.prepare()

    def flush(self) -> bool:
        """Send what can be sent, and say whether to flush again when the socket takes more."""
        try:
            return self._sender.flush(self.socket)
        except OSError as error:
            self.lose(error.strerror or str(error))
            return False

    def receive(self) -> None:
        """Read what has come."""
        try:
            self._receive()
            # what TLS has deciphered already is not to be seen from outside
            while self._deciphered and not self.lost and self._deciphered():
                self._receive()
        except NOT_NOW:
            pass
        except OSError as error:
            self.lose(error.strerror or str(error))
        except ValueError as error:
            self.lose(str(error))
        if self._waiting:
            self._ask_waiting()

    def _receive(self) -> None:
        data = self.socket.recv(self._wanted)
        if len(data) == self._wanted:
            self._wanted = _MOST
        if data:
            self._read(self._rest + data if self._rest else data, time.monotonic_ns())
        else:
            self.lose("the server hung up")

    def lose(self, why: str) -> None:
        """Hang up; what has no answer ends as NO_CONNECTION."""
        self._answers.note(Code.NO_CONNECTION, why)
        now = time.monotonic_ns()
        for due, sent in itertools.chain(self._pending.values(), self._waiting):
            self._samples.extend((due, sent, now, Code.NO_CONNECTION))
        self._pending.clear()
        self._waiting.clear()
        self.lost, self.ready = why or "lost", False
        self.socket.close()

    def give_up(self, before: int) -> None:
        """End what was sent before that time as DEADLINE_EXCEEDED."""
        while self._pending:
            stream, (_, sent) = next(iter(self._pending.items()))  # the oldest
            if sent >= before:
                break
            self._sender.forget(stream)
            self._sender.say(frames.cancel(stream))
            self._end(stream, time.monotonic_ns(), Code.DEADLINE_EXCEEDED)
        while self._waiting and self._waiting[0][1] < before:
            self._samples.extend((*self._waiting.popleft(), time.monotonic_ns(), Code.DEADLINE_EXCEEDED))

    def _ask_waiting(self) -> None:
        while self._waiting and len(self._pending) < self._sender.streams:
            (stream,) = self._sender.request(1)
            self._pending[stream] = self._waiting.popleft()

    def _read(self, data: bytes, now: int) -> None:
        """Take the frames apart; this loop is what the generator's speed hangs on."""
        place, size = 0, len(data)
        tails, right, code_of, end = self._answers.tails, self._right, self._answers.code, self._end
        while size - place >= _HEAD:
            word, flags, stream = read_header(data, place)
            start = place + _HEAD
            if start + (word >> 8) > size:
                break
            place = start + (word >> 8)
            kind = word & 255
            if kind == HEADERS and flags == _PLAIN_END:
                end(stream, now, code_of(data[start:place]))
            elif kind == DATA and not flags:
                if data.endswith(tails, start, place):
                    right.add(stream)
                else:
                    self._keep_end(stream, data, start, place)
            elif kind == HEADERS and flags == _PLAIN:
                self._begin(stream, code_of(data[start:place]))
            else:
                self._read_other(kind, flags, stream, data[start:place], now)
        self._rest = data[place:]
        self._received += place
        if self._received > _REPLENISH:
            self._replenish()

    def _begin(self, stream: int, code: int | None) -> None:
        if code is not None:  # not gRPC: the code stands in the first headers, and a body follows
            self._early[stream] = code

    def _end(self, stream: int, now: int, code: int | None) -> None:
        times = self._pending.pop(stream, None)
        if times is None:  # given up before
            return
        if code is None:
            code = self._early.pop(stream, Code.UNKNOWN)
        if stream in self._right:
            self._right.remove(stream)
        elif code == Code.OK and not self._ends.pop(stream, b"").endswith(self._answers.tails):
            code = Code.OTHER_VERSION
        self._samples.extend((*times, now, code))

    def _keep_end(self, stream: int, data: bytes, start: int, place: int) -> None:
        """Of a body that comes in pieces only the end matters."""
        self._right.discard(stream)
        length = self._answers.longest_tail
        self._ends[stream] = (
            (self._ends.get(stream, b"") + data[max(start, place - length) : place])[-length:] if length else b""
        )

    def _read_other(self, kind: int, flags: int, stream: int, content: bytes, now: int) -> None:
        """Frames that are rare, and the usual ones in unusual forms."""
        if kind == frames.SETTINGS and not flags & frames.ACK:
            self._sender.obey(frames.read_settings(content))
            self.ready = True
        elif kind == frames.WINDOW_UPDATE:
            self._sender.allow(stream, int.from_bytes(content, "big") & frames.LARGEST_WINDOW)
        elif kind == frames.PING and not flags & frames.ACK:
            self._sender.say(frames.frame(frames.PING, frames.ACK, 0, content))
        elif kind == frames.RST_STREAM:
            self._broken_off(stream, now, int.from_bytes(content, "big"))
        elif kind == frames.GOAWAY:
            self.going = True
        elif kind in (frames.HEADERS, frames.CONTINUATION):
            self._read_headers(kind, flags, stream, content, now)
        elif kind == frames.DATA:
            self._read_data(flags, stream, frames.unpadded(flags, content), now)

    def _broken_off(self, stream: int, now: int, number: int) -> None:
        if number == frames.REFUSED_STREAM and stream in self._pending:
            # the server did not look at it, as it still counts one that has just ended: asked again, as gRPC does
            self._sender.forget(stream)
            self._waiting.appendleft(self._pending.pop(stream))
        else:
            self._end(stream, now, self._reset(number))

    def _reset(self, number: int) -> int:
        code = OF_RESET.get(number, Code.INTERNAL)
        self._answers.note(code, f"the server broke the request off (HTTP/2 error {number})")
        return code

    def _read_headers(self, kind: int, flags: int, stream: int, content: bytes, now: int) -> None:
        block = frames.unpadded(flags, content) if kind == frames.HEADERS else content
        ends = flags & frames.END_STREAM if kind == frames.HEADERS else self._headers[1]
        self._headers = (self._headers[0] + block if kind == frames.CONTINUATION else block, ends)
        if not flags & frames.END_HEADERS:
            return
        code = self._answers.code(self._headers[0])
        if ends:
            self._end(stream, now, code)
        else:
            self._begin(stream, code)

    def _read_data(self, flags: int, stream: int, content: bytes, now: int) -> None:
        self._keep_end(stream, content, 0, len(content))
        if flags & frames.END_STREAM:  # not gRPC, which ends in headers
            self._end(stream, now, None)

    def _replenish(self) -> None:
        self._sender.say(frames.window_update(0, self._received))
        self._received = 0
