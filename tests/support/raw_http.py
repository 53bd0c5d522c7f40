"""A raw HTTP/1.1 client that shows what came over the socket, piece by piece, and how the connection ended."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

MAX_INTERIM_HEADS = 10
READ_BYTES = 64 * 1024

type Ending = Literal["", "whole", "cut", "reset"]


@dataclass(frozen=True)
class Head:
    """A response head; header names in lower case, of a repeated name the last value."""

    status: int
    headers: dict[str, str]


@dataclass
class RawConnection:
    """One connection: send a request, then read the head, then the body piece by piece."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    interim: list[int] = field(default_factory=list)
    ending: Ending = ""
    _left: int | None = None
    _chunked: bool = False

    async def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a request; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        about = {"host": "127.0.0.1", "content-length": str(len(data)), **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in about.items())
        await self.send_bytes(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + data)

    async def send_bytes(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> Head:
        """Read the head of the answer; heads with a status below 200 are noted and passed over."""
        for _ in range(MAX_INTERIM_HEADS):
            head = _parsed(await self.reader.readuntil(b"\r\n\r\n"))
            if head.status >= 200:
                break
            self.interim.append(head.status)
        else:
            raise ValueError("only interim answers came")
        self.ending = ""
        self._chunked = head.headers.get("transfer-encoding") == "chunked"
        self._left = int(head.headers["content-length"]) if "content-length" in head.headers else None
        return head

    async def piece(self) -> bytes:
        """The next chunk, or bytes of a body without chunks; none at the end, which `ending` explains."""
        try:
            return await (self._chunk() if self._chunked else self._part())
        except ConnectionError:
            self.ending = "reset"
        except asyncio.IncompleteReadError:
            self.ending = "cut"
        return b""

    async def body(self) -> bytes:
        """All that is left of the body."""
        pieces = []
        while piece := await self.piece():
            pieces.append(piece)
        return b"".join(pieces)

    async def closed_by_peer(self, within_s: float = 1.0) -> bool:
        """Whether the other side closes the connection without sending anything more."""
        try:
            async with asyncio.timeout(within_s):
                return await self.reader.read(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        self.writer.close()

    async def _chunk(self) -> bytes:
        size = int((await self.reader.readuntil(b"\r\n")).partition(b";")[0], 16)
        data = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        if not size:
            self.ending = "whole"
        return data

    async def _part(self) -> bytes:
        if self._left == 0:
            self.ending = "whole"
            return b""
        data = await self.reader.read(READ_BYTES if self._left is None else min(READ_BYTES, self._left))
        if not data:
            self.ending = "whole" if self._left is None else "cut"
        elif self._left is not None:
            self._left -= len(data)
        return data


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[RawConnection]:
    """Connect to the host and port of the address."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield RawConnection(reader, writer)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def _parsed(data: bytes) -> Head:
    start, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    fields = (line.partition(":") for line in lines)
    return Head(int(start.split(" ")[1]), {name.lower(): value.strip() for name, _, value in fields})
