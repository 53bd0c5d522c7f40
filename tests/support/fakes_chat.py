"""Fakes of the chat use case's ports: a backend that plays a tape, a reply that remembers, a client that leaves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio

from relay.application.calls import Caller, ChatCall
from relay.application.ports import (
    ChatBackend,
    OnDisconnect,
    OriginalRequest,
    Piece,
    ReplyHead,
    UpstreamCall,
)
from relay.domain.catalog import Catalog
from relay.domain.chat import ChatRequest, DialectName, Message, Text
from relay.domain.errors import RelayError
from relay.domain.events import Finished, PartDelta, PartEnded, PartStarted, Started, UsageReported
from relay.domain.keys import KeyRecord
from relay.domain.usage import Usage

type Step = Piece | RelayError | float
"""A piece to deliver, an error to raise, or seconds to wait."""


def text_tape(*words: str, usage: Usage | None = None) -> tuple[Step, ...]:
    """The pieces of a streamed text answer."""
    opening = PartStarted(index=0, kind="text")
    deltas = [PartDelta(index=0, text=word) for word in words]
    closing = (UsageReported(usage=usage),) if usage is not None else ()
    return (
        Piece(events=(Started(),)),
        *(Piece(events=(opening, delta) if delta is deltas[0] else (delta,)) for delta in deltas),
        Piece(events=(PartEnded(index=0), Finished(reason="stop"))),
        Piece(events=closing, last=True),
    )


@dataclass
class TapeExchange:
    """Plays the steps that follow the head."""

    steps: list[Step]
    losses: tuple[str, ...] = ()
    status: int = 200
    passes: bool = False
    closed: bool = False

    async def read(self) -> Piece:
        while True:
            step = self.steps.pop(0)
            if isinstance(step, Piece):
                await anyio.lowlevel.checkpoint()
                self.closed = step.last
                return step
            await _act(step)

    async def flow(self, take: Callable[[Piece], bool]) -> None:
        while self.steps and isinstance(piece := self.steps[0], Piece) and not piece.last:
            await anyio.lowlevel.checkpoint()
            del self.steps[0]
            if not take(piece):
                return

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed = True


@dataclass
class TapeBackend:
    """A provider that answers every call with the same tape; `before` happens before the head."""

    tape: Sequence[Step] = ()
    before: Sequence[Step] = ()
    on_disconnect: OnDisconnect = "cancel"
    losses: tuple[str, ...] = ()
    calls: list[UpstreamCall] = field(default_factory=list)
    exchanges: list[TapeExchange] = field(default_factory=list)

    async def open(self, call: UpstreamCall) -> TapeExchange:
        self.calls.append(call)
        for step in self.before:
            await _act(step)
        exchange = TapeExchange(list(self.tape), losses=self.losses)
        self.exchanges.append(exchange)
        return exchange


async def _act(step: Step) -> None:
    if isinstance(step, RelayError):
        raise step
    if isinstance(step, float):
        await anyio.sleep(step)


class ManualHangup:
    """A client that leaves when told to."""

    def __init__(self) -> None:
        self.happened = False
        self._react: Callable[[], None] = lambda: None

    def listen(self, react: Callable[[], None]) -> None:
        self._react = react
        if self.happened:
            react()

    def leave(self) -> None:
        self.happened = True
        self._react()


@dataclass
class RecordingReply:
    """Remembers what a client would have got; `on_write` runs after each piece."""

    on_write: Callable[[int], None] = lambda count: None
    heads: list[ReplyHead] = field(default_factory=list)
    written: list[Piece] = field(default_factory=list)
    finished: Piece | None = None
    failed: RelayError | None = None
    begun: bool = False

    def prepare(self, head: ReplyHead) -> None:
        self.heads.append(head)

    async def write(self, piece: Piece) -> None:
        await anyio.lowlevel.checkpoint()
        self.pass_on(piece)

    def pass_on(self, piece: Piece) -> bool:
        self.begun = True
        self.written.append(piece)
        self.on_write(len(self.written))
        return True

    async def catch_up(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def finish(self, piece: Piece) -> None:
        await anyio.lowlevel.checkpoint()
        self.begun = True
        self.finished = piece

    async def fail(self, error: RelayError) -> None:
        await anyio.lowlevel.checkpoint()
        self.failed = error

    def text(self) -> str:
        pieces = [*self.written, *([self.finished] if self.finished else [])]
        return "".join(e.text for piece in pieces for e in piece.events if isinstance(e, PartDelta))


@dataclass(frozen=True)
class FixedCatalog:
    """A catalog that never changes."""

    catalog: Catalog

    def current(self) -> Catalog:
        return self.catalog


@dataclass(frozen=True)
class NamedBackends:
    """Backends by provider name."""

    backends: dict[str, ChatBackend]

    def find(self, provider: str) -> ChatBackend | None:
        return self.backends.get(provider)


class TickingClock:
    """Real monotonic time under the event loop; a fixed wall clock."""

    def unix_ms(self) -> int:
        return 1_800_000_000_000

    def unix_ns(self) -> int:
        return 1_800_000_000_000_000_000

    def monotonic(self) -> float:
        return anyio.current_time()


class CountingIds:
    """Ids that tell their order."""

    def __init__(self) -> None:
        self._count = 0

    def new(self) -> str:
        self._count += 1
        return f"id-{self._count:04d}"


def chat_call(
    name: str = "up/basic",
    *,
    stream: bool = True,
    request: ChatRequest | None = None,
    key: KeyRecord | None = None,
    message_bytes: int = 40,
    dialect: DialectName = "openai.chat",
) -> ChatCall:
    """A call as the inbound side makes it."""
    asked = request or ChatRequest(
        model=name, messages=(Message(role="user", parts=(Text(text="hello"),)),), stream=stream
    )
    return ChatCall(
        request_id="req-1",
        original=OriginalRequest(dialect=dialect, body=b"{}", decode=lambda: asked),
        name=name,
        stream=stream,
        include_usage=False,
        message_bytes=message_bytes,
        caller=Caller(key=key, tags=key.tags if key else ()),
    )
