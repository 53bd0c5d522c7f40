"""Runs the listener: uvicorn on a socket already bound, and the order in which a stop happens.

Theory of operation. The first signal turns readiness off and lets nothing more in, while what runs may end by
itself; connections are still accepted, so that whoever asks is told instead of refused. When all is quiet, or
the drain time is over, or a second signal came, what still runs is interrupted: it writes its books and its
in-band error. Then the sockets close.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import uvicorn

from relay.adapters.inbound.http.connection import MAX_CONNECTIONS, ConnectionLimits, GuardedConnection
from relay.adapters.inbound.http.gate import Gate

DRAIN_S = 30.0
INTERRUPT_S = 5.0
"""How long interrupted calls have to write their books and say goodbye."""

HURRIED_INTERRUPT_S = 1.0
"""The same after a second signal: somebody is waiting."""

IDLE_CONNECTION_S = 75
"""Longer than clients and proxies keep idle connections, so that they close first and never meet a dead one."""

OTHER_DESCRIPTORS = 64
"""What the process needs open besides connections: files, sockets it listens on, the database."""

LEAST_CONNECTIONS = 16


class Stop:
    """The wish to stop, and the wish to do it now."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.urged = asyncio.Event()

    def ask(self) -> None:
        """Stop; asked again, stop at once."""
        (self.urged if self.asked.is_set() else self.asked).set()


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


def connection_limits() -> ConnectionLimits:
    """As many connections as the process may hold, with a second descriptor for what each may call."""
    if sys.platform == "win32":
        return ConnectionLimits()
    import resource

    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return ConnectionLimits()
    fitting = max(LEAST_CONNECTIONS, (descriptors - OTHER_DESCRIPTORS) // 2)
    return ConnectionLimits(connections=min(fitting, MAX_CONNECTIONS))


async def serve(
    app: Gate, sockets: Sequence[socket.socket], on_ready: Callable[[], None], drain_s: float = DRAIN_S
) -> None:
    """Serve until SIGTERM or SIGINT, and drain for `drain_s` seconds; a second signal ends it at once."""
    stop = Stop()
    with stop_on_signals(stop):
        await serve_until(stop, app, sockets, on_ready, drain_s)


async def serve_until(
    stop: Stop,
    app: Gate,
    sockets: Sequence[socket.socket],
    on_ready: Callable[[], None],
    drain_s: float,
    *,
    limits: ConnectionLimits | None = None,
) -> None:
    """As `serve`, until `stop` is asked. Closes the sockets."""
    server = _Server(_config(app, limits or connection_limits()), on_ready)
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


def _config(app: Gate, limits: ConnectionLimits) -> uvicorn.Config:
    # Made with more arguments than uvicorn gives; its type wants the bare class.
    protocol: Any = partial(GuardedConnection, gate=app, limits=limits)
    return uvicorn.Config(
        app,
        interface="asgi3",
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        # Below it uvicorn tells, line by line, of requests that are no HTTP: each has its access line.
        log_level="error",
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
