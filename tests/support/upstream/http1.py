"""HTTP/1.1 on a raw connection: bounded reading, writes to be cut up or broken off, prompt notice of a close."""

import asyncio
import os
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
BODY_DEADLINE_S = 60.0
FLUSH_POLLS = 1000

REASONS = {
    200: "OK",
    307: "Temporary Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class PeerClosed(ConnectionError):
    """The other side has closed its end."""


class Severed(ConnectionError):
    """We broke the connection off, on purpose."""


class Malformed(ValueError):
    """What arrived is not an HTTP request."""


class WatchedReader(asyncio.StreamReader):
    """Notes the moment at which the other side closes, even while nobody reads.

    The limit is above the largest request, so reading never pauses and a close is always seen.
    """

    def __init__(self) -> None:
        super().__init__(limit=MAX_BODY_BYTES + MAX_HEAD_BYTES)
        self.gone = asyncio.Event()
        self.gone_at: float | None = None

    def feed_eof(self) -> None:
        self._note()
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        self._note()
        super().set_exception(exc)

    def _note(self) -> None:
        if self.gone_at is None:
            self.gone_at = time.monotonic()
            self.gone.set()


@dataclass(frozen=True)
class Request:
    """One request as received; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def wants_close(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"


class Peer:
    """One accepted connection."""

    def __init__(self, reader: WatchedReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer
        self.begin()

    def begin(self) -> None:
        """Start counting for a new answer, which is sent in one piece and to its end unless told otherwise."""
        self.bytes_sent = 0
        self.writes = 0
        self.write_size: int | None = None
        self.reset_after: int | None = None

    async def send(self, data: bytes) -> None:
        """Write all of it, or raise PeerClosed or, where `reset_after` says so, Severed."""
        limit = self.reset_after
        severs = limit is not None and self.bytes_sent + len(data) >= limit
        if severs and limit is not None:
            data = data[: limit - self.bytes_sent]
        size = self.write_size or max(1, len(data))
        for start in range(0, len(data), size):
            await self._write(data[start : start + size])
        if severs:
            await self.reset()
            raise Severed("reset on purpose")

    async def _write(self, piece: bytes) -> None:
        if self.reader.gone.is_set():
            raise PeerClosed("the other side closed the connection")
        self._writer.write(piece)
        self.writes += 1
        self.bytes_sent += len(piece)
        try:
            await self._writer.drain()
        except ConnectionError as error:
            raise PeerClosed(str(error)) from None
        if self.write_size:
            # Lets a reader in this very loop take each piece by itself.
            await asyncio.sleep(0)

    async def pause(self, seconds: float) -> None:
        """Wait, but raise PeerClosed as soon as the other side leaves."""
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self.reader.gone.wait()
        except TimeoutError:
            return
        raise PeerClosed("the other side closed the connection")

    async def flush(self) -> None:
        """Wait until the kernel has taken every byte."""
        for _ in range(FLUSH_POLLS):
            if not self._writer.transport.get_write_buffer_size() or self.reader.gone.is_set():
                return
            await asyncio.sleep(0.001)

    def raw_socket(self) -> socket.socket:
        """Another handle on the socket beneath, to shut it behind the transport's back."""
        return socket.socket(fileno=os.dup(self._writer.get_extra_info("socket").fileno()))

    async def reset(self) -> None:
        """Break the connection off with a RST."""
        await self.flush()
        raw: socket.socket | None = self._writer.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    @property
    def closed(self) -> bool:
        return self._writer.is_closing()

    def close(self) -> None:
        """Close with a FIN once everything is written."""
        self._writer.close()


async def read_request(peer: Peer) -> Request | None:
    """The next request, or None when the other side has no more."""
    try:
        head = await peer.reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    if len(head) > MAX_HEAD_BYTES:
        raise Malformed("the head is too long")
    start, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    try:
        method, target, _ = start.split(" ")
        fields = [line.partition(":") for line in lines]
    except ValueError:
        raise Malformed(f"no request line: {start[:100]!r}") from None
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    if headers.get("expect", "").lower() == "100-continue":
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            return Request(method, target, headers, await _read_body(peer.reader, headers))
    except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        return None


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _read_chunks(reader)
    length = int(headers.get("content-length", "0"))
    if length > MAX_BODY_BYTES:
        raise Malformed("the body is too long")
    return await reader.readexactly(length)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while len(body) <= MAX_BODY_BYTES:
        size = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
        body += await reader.readexactly(size)
        await reader.readuntil(b"\r\n")
        if size == 0:
            return bytes(body)
    raise Malformed("the body is too long")


def head_bytes(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """A response head. It carries no date, so that the same call is answered by the same bytes."""
    lines = [
        f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk_bytes(data: bytes) -> bytes:
    """One chunk of a chunked body; of no data, the end of the body."""
    return b"%x\r\n%s\r\n" % (len(data), data)
