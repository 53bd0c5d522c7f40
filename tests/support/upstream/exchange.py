"""One request being answered: what the faults and the well-behaved answer are built from."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from tests.support.upstream.http1 import Peer, Severed, chunk_bytes, head_bytes
from tests.support.upstream.ledger import Call
from tests.support.upstream.scripts import Script
from tests.support.upstream.wire import Frame, Reply, Wire

JSON = "application/json"
SLOW_PIECES = 10

type Pairs = Sequence[tuple[str, str]]


async def send_head(peer: Peer, call: Call, status: int, headers: Pairs, *, spread_s: float = 0.0) -> None:
    """Send a response head, at once or in pieces spread over that many seconds."""
    head = head_bytes(status, [*headers, ("x-request-id", f"upstream-{call.seq:08d}")])
    call.status = status
    size = -(-len(head) // SLOW_PIECES) if spread_s else len(head)
    for start in range(0, len(head), size):
        if start:
            await peer.pause(spread_s / (SLOW_PIECES - 1))
        await peer.send(head[start : start + size])
        call.first_byte_at = call.first_byte_at or time.monotonic()


async def respond(
    peer: Peer, call: Call, status: int, body: bytes, *, content_type: str = JSON, headers: Pairs = ()
) -> None:
    """Send a whole response; to a HEAD request, its head alone."""
    about_body = [("content-type", content_type), ("content-length", str(len(body)))]
    await send_head(peer, call, status, [*about_body, *headers])
    if call.method != "HEAD":
        await peer.send(body)


@dataclass
class Exchange:
    """A chat call, its script and the connection it came on.

    A whole answer is treated as a stream of two frames, its halves, so that what can happen between the chunks of
    a stream can happen in the middle of a body too.
    """

    peer: Peer
    call: Call
    script: Script
    wire: Wire
    reply: Reply
    hold_s: float
    _chunked: bool = False

    @property
    def streams(self) -> bool:
        return self.reply.chat.stream

    def frames(self) -> Iterator[Frame]:
        if self.streams:
            yield from self.wire.frames(self.reply)
            return
        body = self.wire.whole(self.reply)
        middle = len(body) // 2
        yield Frame(body[:middle], "content")
        yield Frame(body[middle:], "finish", self.reply.answer.tokens)

    async def answer(
        self, frames: Iterable[Frame] | None = None, *, headers: Pairs = (), spread_s: float = 0.0
    ) -> None:
        """Send the whole answer as asked for, or these frames in its place."""
        chosen = list(self.frames() if frames is None else frames)
        await self.start(sum(len(frame.data) for frame in chosen), headers=headers, spread_s=spread_s)
        for frame in chosen:
            await self.send(frame)
        await self.finish()
        self.call.completed = self.reply.finished

    async def start(self, length: int | None, *, headers: Pairs = (), spread_s: float = 0.0) -> None:
        """Send the head of a 200; `length` is that of a whole body, and None sends that in chunks too."""
        self._chunked = self.streams or length is None
        framing = ("transfer-encoding", "chunked") if self._chunked else ("content-length", str(length))
        kind = self.wire.stream_type if self.streams else JSON
        about_body = [("content-type", kind), framing]
        await self.peer.pause(self.script.seconds("first_ms"))
        await send_head(self.peer, self.call, 200, [*about_body, *headers], spread_s=spread_s)

    async def send(self, frame: Frame) -> None:
        """Send one frame, after the script's pause, and count it."""
        if self.streams and frame.kind == "content":
            await self.peer.pause(self.script.seconds("delay_ms"))
        await self.send_bytes(frame.data)
        self.call.tokens_out += frame.tokens
        self.call.chunks_sent += self.streams and frame.kind == "content"

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes of the body that are no frame of the answer."""
        if data:
            await self.peer.send(chunk_bytes(data) if self._chunked else data)

    async def finish(self) -> None:
        """End the body."""
        if self._chunked:
            await self.peer.send(chunk_bytes(b""))

    async def hold(self, seconds: float = 0.0) -> None:
        """Do nothing for that long, or until the other side leaves."""
        await self.peer.pause(seconds or self.hold_s)

    async def sever(self) -> NoReturn:
        """Close the connection in the middle of things."""
        await self.peer.flush()
        self.peer.close()
        raise Severed("cut on purpose")
