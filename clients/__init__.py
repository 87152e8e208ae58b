"""Ask a server, measure it, compare what its versions answer."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from clients.asynchronous import AsyncClient
    from clients.client import Client
    from clients.connection import Connection, Retry, Tls

__all__ = ["AsyncClient", "Client", "Connection", "Retry", "Tls"]

# loaded when they are first asked for, so that whoever needs one part does not wait for all
_HOMES: Final = MappingProxyType(
    {
        "AsyncClient": "clients.asynchronous",
        "Client": "clients.client",
        "Connection": "clients.connection",
        "Retry": "clients.connection",
        "Tls": "clients.connection",
    }
)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
