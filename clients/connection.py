"""How a server is reached: addresses, TLS, compression, keep-alive and what is tried again."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from model_config.errors import SuiteError

# a server refuses pings that come more often than every five minutes without data (gRPC's own rule)
_KEEP_ALIVE_MS: Final = 310_000
_PING_TIMEOUT_MS: Final = 20_000
# what gRPC keeps of a request to be able to send it again; its own 256 kB are less than one picture
_RETRY_BUFFER_BYTES: Final = 2**30
_ADDRESS: Final = re.compile(r"[^:/]+:\d+|\[[0-9A-Fa-f:.%]+\]:\d+")
# other names that gRPC knows for where a server is; without one of these and without a port it would ask port 443
_TARGET: Final = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):")
# questions change nothing on the server, so they may be asked twice; a config does
_REPEATABLE: Final = (
    {"service": "tensorflow.serving.PredictionService"},
    {"service": "tensorflow.serving.ModelService", "method": "GetModelStatus"},
)
COMPRESSIONS: Final = {
    "none": grpc.Compression.NoCompression,
    "deflate": grpc.Compression.Deflate,
    "gzip": grpc.Compression.Gzip,
}


@dataclass(frozen=True)
class Tls:
    """PEM files of a secure connection.

    Attributes:
        ca: whom to trust; what gRPC trusts when None.
        cert: our own certificate, for a server that wants one; with it ``key``.
        name: the name in the server's certificate, where it is not that of the address.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise SuiteError("a certificate of one's own needs its key: give --cert and --key together")

    def credentials(self) -> grpc.ChannelCredentials:
        """What gRPC wants to know; SuiteError when a file cannot be read."""
        return grpc.ssl_channel_credentials(*(_pem(path) for path in (self.ca, self.key, self.cert)))


def _pem(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SuiteError(f"cannot read {path}: {(error.strerror or 'refused').lower()}; name a PEM file") from error
    if b"-----BEGIN" not in content:
        raise SuiteError(f"{path} is no PEM file; it has no line -----BEGIN ...-----")
    return content


@dataclass(frozen=True)
class Retry:
    """Questions that found no server are asked again, after a pause that grows; nothing else is.

    Attributes:
        attempts: the first one included, 5 at most; 1 for none.
        pause_s: before the second attempt at most; doubles each time, up to ``longest_s``.
        budget: how many may fail in a row over all questions before no more are repeated; every ten that
            succeed earn one back.
    """

    attempts: int = 4
    pause_s: float = 0.1
    longest_s: float = 2.0
    budget: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= 5:
            raise SuiteError(f"attempts are 1 to 5, not {self.attempts}")

    def service_config(self) -> dict[str, Any]:
        """The part of gRPC's service config that says so."""
        if self.attempts == 1:
            return {}
        policy = {
            "maxAttempts": self.attempts,
            "initialBackoff": f"{self.pause_s}s",
            "maxBackoff": f"{self.longest_s}s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        return {
            "methodConfig": [{"name": list(_REPEATABLE), "retryPolicy": policy}],
            "retryThrottling": {"maxTokens": 2 * self.budget, "tokenRatio": 0.1},
        }


@dataclass(frozen=True)
class Connection:
    """Where a server is and how to speak to it.

    Attributes:
        server: ``HOST:PORT``, several with commas between (asked in turn), or any other target gRPC knows.
        tls: plain when None.
        compression: of requests: ``none``, ``deflate`` or ``gzip``.
        idle_s: after so long without a question the connection is closed, and the next question makes a new one:
            what lies between often forgets one that is idle, from four minutes on, and tells neither side.
    """

    server: str
    tls: Tls | None = None
    compression: str = "none"
    retry: Retry = Retry()
    idle_s: float = 200.0

    def __post_init__(self) -> None:
        if self.compression not in COMPRESSIONS:
            raise SuiteError(f"compression is {', '.join(COMPRESSIONS)}, not {self.compression!r}")
        several = len(self.addresses) > 1
        if not all(_ADDRESS.fullmatch(each) or (_TARGET.match(each) and not several) for each in self.addresses):
            raise SuiteError(f"a server is HOST:PORT, several with commas between, not {self.server!r}")

    @property
    def addresses(self) -> list[str]:
        """Each server's HOST:PORT."""
        return [address.strip() for address in self.server.split(",")]

    def channel(self, makers: Any = grpc) -> Any:
        """A channel of gRPC's, or of ``grpc.aio`` when that is what makes it."""
        target = self.addresses[0] if len(self.addresses) == 1 else _together(self.addresses)
        how = {"options": self._options(), "compression": COMPRESSIONS[self.compression]}
        if self.tls is None:
            return makers.insecure_channel(target, **how)
        return makers.secure_channel(target, self.tls.credentials(), **how)

    def _options(self) -> list[tuple[str, Any]]:
        config = {"loadBalancingConfig": [{"round_robin": {}}], **self.retry.service_config()}
        options: list[tuple[str, Any]] = [
            # gRPC's own limit of 4 MB is less than one batch of masks
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.keepalive_time_ms", _KEEP_ALIVE_MS),
            ("grpc.keepalive_timeout_ms", _PING_TIMEOUT_MS),
            # without it gRPC gives a ping a minute all the same
            ("grpc.http2.ping_timeout_ms", _PING_TIMEOUT_MS),
            ("grpc.client_idle_timeout_ms", round(self.idle_s * 1e3)),
            # a server that restarts is back soon; gRPC would look again after a second
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER_BYTES),
            ("grpc.service_config", json.dumps(config)),
        ]
        name = self.tls and (self.tls.name or (len(self.addresses) > 1 and _host(self.addresses[0])))
        return [*options, ("grpc.ssl_target_name_override", name)] if name else options


def _together(addresses: list[str]) -> str:
    """Several servers as one target of gRPC's, which takes numbers only; names are looked up here."""
    found = [_resolved(address) for address in addresses]
    families = {family for family, _ in found}
    if len(families) > 1:
        raise SuiteError("servers must all have IPv4 addresses or all IPv6; name them by number")
    return f"{families.pop()}:{','.join(address for _, address in found)}"


def _resolved(address: str) -> tuple[str, str]:
    host, port = _host(address), address.rpartition(":")[2]
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        number = _looked_up(host)
    return ("ipv4", f"{number}:{port}") if number.version == 4 else ("ipv6", f"[{number}]:{port}")


def _looked_up(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise SuiteError(f"nobody knows the address of {host}; check the name") from error
    numbers = [ipaddress.ip_address(each[4][0]) for each in found]
    # servers listen on IPv4 more often than not
    return min(numbers, key=lambda number: number.version)


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")
