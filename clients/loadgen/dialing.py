"""Sockets to servers, plain or with TLS."""

from __future__ import annotations

import socket
import ssl

from clients.loadgen.orders import Tls

_HANDSHAKE_S = 5.0


class Dialer:
    """How all connections of a worker are made."""

    def __init__(self, tls: Tls | None) -> None:
        """Read the certificates, if there are to be any; OSError when they cannot be read."""
        self._name = tls.name if tls else ""
        self._context = _context_of_h2(tls) if tls else None

    def dial(self, address: str) -> socket.socket:
        """A socket that never blocks; a plain one is still on its way, and shows later whether it arrives.

        Raises:
            OSError: nobody is there, or TLS is refused.
        """
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        peer = self._secured(host, int(port)) if self._context else _plain(host, int(port))
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setblocking(False)
        return peer

    def _secured(self, host: str, port: int) -> socket.socket:
        """With the handshake done: it happens once a connection, so it may be waited for."""
        assert self._context is not None
        peer = socket.create_connection((host, port), _HANDSHAKE_S)
        try:
            secured = self._context.wrap_socket(peer, server_hostname=self._name or host)
        except BaseException:
            peer.close()
            raise
        if secured.selected_alpn_protocol() != "h2":
            secured.close()
            raise OSError("the server speaks TLS, but not HTTP/2")
        return secured


def _plain(host: str, port: int) -> socket.socket:
    family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    peer = socket.socket(family)
    peer.setblocking(False)
    peer.connect_ex(place)
    return peer


def _context_of_h2(tls: Tls) -> ssl.SSLContext:
    made = context(tls)
    made.set_alpn_protocols(["h2"])
    return made


def context(tls: Tls) -> ssl.SSLContext:
    """Whom to trust and who we are; OSError when a file of it cannot be read."""
    context = ssl.create_default_context(cafile=tls.ca)
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key)
    return context
