"""The same client for programs that await."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import grpc.aio

from clients.calls import Outcome, Steps, resumed
from clients.connected import Connected
from clients.operations import Operations
from clients.translation import from_grpc

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    P = ParamSpec("P")

T = TypeVar("T")


def _awaited(
    operation: Callable[Concatenate[Operations, P], Steps[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """An operation as a coroutine."""

    @wraps(operation)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(operation(self.operations, *args, **kwargs))

    return method


class AsyncClient(Connected):
    """A connection to one server, or to several that share the questions, for one event loop."""

    _makers: ClassVar[Any] = grpc.aio

    predict = _awaited(Operations.predict)
    ask = _awaited(Operations.ask)
    send = _awaited(Operations.send)
    metadata = _awaited(Operations.metadata)
    signature = _awaited(Operations.signature)
    status = _awaited(Operations.status)
    version_of = _awaited(Operations.version_of)
    reload = _awaited(Operations.reload)

    async def _run(self, steps: Steps[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                call = resumed(steps, outcome)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # a StopIteration does not know its type
            try:
                outcome = await self._start(call)
            except grpc.RpcError as error:
                outcome = from_grpc(self.server, error)

    async def close(self) -> None:
        """End the connection."""
        await self._channel.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
