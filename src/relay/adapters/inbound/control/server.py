"""Serves the control socket: bounded lines, bounded waits, and an answer to whatever comes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from relay.adapters.inbound.control.wire import MAX_LINE_BYTES, Answer, ControlError, Reply
from relay.application.settle_usage import StoreUnavailable
from relay.domain.errors import InvalidRequest, RelayError

READ_TIMEOUT_S = 5.0
DO_TIMEOUT_S = 30.0
MAX_CONNECTIONS = 16

type Handler = Callable[[bytes], Awaitable[Answer]]
"""Takes the whole request line. Raises `RelayError`, or `msgspec.MsgspecError` for a line of the wrong shape."""


class _Envelope(msgspec.Struct):
    do: str


class ControlServer:
    """The server; `handlers` by the word that `do` says."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._places = anyio.CapacityLimiter(MAX_CONNECTIONS)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Answer while the context is open. Raises `OSError` when the socket cannot be made."""
        # In this order there: an old socket goes, `bind`, the mode, `listen`. So nobody else ever gets through.
        listener = await anyio.create_unix_listener(self._path, mode=0o600)
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._serve)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()
                self._path.unlink(missing_ok=True)

    async def _serve(self, stream: SocketStream) -> None:
        async with stream, self._places:
            try:
                answer = await self._answered(stream)
                with anyio.fail_after(READ_TIMEOUT_S):
                    await stream.send(answer + b"\n")
            except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.IncompleteRead, TimeoutError):
                return  # the other end left, or does not read

    async def _answered(self, stream: SocketStream) -> bytes:
        try:
            with anyio.fail_after(READ_TIMEOUT_S):
                line = await BufferedByteReceiveStream(stream).receive_until(b"\n", MAX_LINE_BYTES)
        except anyio.DelimiterNotFound:
            return _failed(400, f"a request has at most {MAX_LINE_BYTES} bytes")
        try:
            with anyio.fail_after(DO_TIMEOUT_S):
                return msgspec.json.encode(Reply(ok=True, result=await self._done(line)))
        except RelayError as error:
            return _failed(error.status, error.message, error.code, error.param)
        except StoreUnavailable as error:
            return _failed(503, f"the database cannot be used now: {error}", "database_unavailable")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return _failed(400, f"the request cannot be read: {error}")
        except TimeoutError:
            return _failed(504, "the relay did not finish in time; it may still do so")
        except Exception as error:  # the answer to a bug of ours is an answer, not silence
            return _failed(500, f"the relay failed: {type(error).__name__}")

    async def _done(self, line: bytes) -> Answer:
        word = msgspec.json.decode(line, type=_Envelope).do
        handler = self._handlers.get(word)
        if handler is None:
            raise InvalidRequest(f"the relay cannot {word[:64]!r}", code="unknown_command", param="do")
        return await handler(line)


def _failed(status: int, message: str, code: str | None = None, param: str | None = None) -> bytes:
    error = ControlError(status=status, message=message, code=code, param=param)
    return msgspec.json.encode(Reply(ok=False, error=error))
