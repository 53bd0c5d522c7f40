"""Runs the listener: uvicorn on a socket already bound, and the order in which a stop happens.

Theory of operation. The first signal turns readiness off and lets nothing more in, while what runs may end by
itself; connections are still accepted, so that whoever asks is told instead of refused. When all is quiet, or
the drain time is over, or a second signal came, what still runs is interrupted: it writes its books and its
in-band error. Then the sockets close.
"""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from relay.adapters.inbound.http.asgi import ABORT
from relay.adapters.inbound.http.gate import Gate

DRAIN_S = 30.0
INTERRUPT_S = 5.0
"""How long interrupted calls have to write their books and say goodbye."""

HURRIED_INTERRUPT_S = 1.0
"""The same after a second signal: somebody is waiting."""

IDLE_CONNECTION_S = 75
"""Longer than clients and proxies keep idle connections, so that they close first and never meet a dead one."""


class Stop:
    """The wish to stop, and the wish to do it now."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.urged = asyncio.Event()

    def ask(self) -> None:
        """Stop; asked again, stop at once."""
        (self.urged if self.asked.is_set() else self.asked).set()


class AbortableConnection(HttpToolsProtocol):
    """uvicorn's protocol with one more thing to offer to the application: dropping the connection."""

    def on_message_begin(self) -> None:
        """As the protocol, with the extension in the scope."""
        super().on_message_begin()
        # ASGI's extensions hold what both sides agree on; uvicorn's type says dictionaries only.
        extensions: Any = {ABORT: self.transport.abort}
        self.scope["extensions"] = extensions


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, telling when it accepts."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the caller's: one process may run several listeners."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn, then say so."""
        await super().startup(sockets)
        self._on_ready()


async def serve(
    app: Gate, sockets: Sequence[socket.socket], on_ready: Callable[[], None], drain_s: float = DRAIN_S
) -> None:
    """Serve until SIGTERM or SIGINT, and drain for `drain_s` seconds; a second signal ends it at once."""
    stop = Stop()
    with stop_on_signals(stop):
        await serve_until(stop, app, sockets, on_ready, drain_s)


async def serve_until(
    stop: Stop, app: Gate, sockets: Sequence[socket.socket], on_ready: Callable[[], None], drain_s: float
) -> None:
    """As `serve`, until `stop` is asked. Closes the sockets."""
    server = _Server(_config(app), on_ready)
    async with _running(server, sockets) as running:
        await _first(stop.asked.wait(), _done(running))
        app.traffic.drain()
        await _first(app.traffic.emptied(), stop.urged.wait(), _done(running), timeout_s=drain_s)
        app.traffic.interrupt()
        wait_s = HURRIED_INTERRUPT_S if stop.urged.is_set() else INTERRUPT_S
        await _first(app.traffic.emptied(), _done(running), timeout_s=wait_s)


@contextmanager
def stop_on_signals(stop: Stop) -> Iterator[None]:
    """SIGTERM and SIGINT ask for a stop while this lasts. For the main thread."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop.ask)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _config(app: Gate) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        interface="asgi3",
        http=AbortableConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        # The client's address is the socket's: forwarded headers are believed by nobody.
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=IDLE_CONNECTION_S,
        # What is left after the interruption is stuck; uvicorn cancels it.
        timeout_graceful_shutdown=1,
    )


@asynccontextmanager
async def _running(
    server: uvicorn.Server, sockets: Sequence[socket.socket]
) -> AsyncIterator[asyncio.Task[None]]:
    running = asyncio.create_task(server.serve(list(sockets)))
    try:
        yield running
    finally:
        server.should_exit = True
        await running


async def _done(task: asyncio.Task[None]) -> None:
    """Wait for a task without taking its result or its error."""
    await asyncio.wait({task})


async def _first(*waits: Coroutine[Any, Any, object], timeout_s: float | None = None) -> None:
    """Until the first of these is over, or the time is."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
