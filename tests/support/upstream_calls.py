"""Calls of a backend as the application makes them, and everything that comes back."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.outbound.http.interface import UpstreamHttp
from relay.adapters.outbound.providers.build import build_backends
from relay.adapters.outbound.providers.spec import configured
from relay.adapters.outbound.system import SystemClock
from relay.application.ports import ChatBackend, OriginalRequest, Piece, UpstreamCall
from relay.domain.chat import DialectName
from relay.domain.errors import RelayError
from relay.domain.events import PartDelta, StreamEvent
from relay.domain.folding import fold
from relay.domain.usage import Usage

HELLO: dict[str, Any] = {"model": "asked", "messages": [{"role": "user", "content": "hi"}]}


def backend_for(kind: str, http: UpstreamHttp, **section: object) -> ChatBackend:
    """The backend of a provider of this kind."""
    spec = configured(kind, {"api_key": "k-1", **section}, {})
    backend = build_backends([spec], http=http, dialects=DIALECTS, clock=SystemClock(), environ={}).find(kind)
    assert backend is not None
    return backend


def upstream_call(
    dialect: DialectName,
    *,
    model: str = "m-1",
    stream: bool = True,
    include_usage: bool = True,
    **fields: object,
) -> UpstreamCall:
    """A call whose client speaks `dialect` and said `fields` besides hello."""
    body = json.dumps({**HELLO, "stream": stream, **fields}).encode()
    return UpstreamCall(
        original=OriginalRequest(
            dialect=dialect,
            body=body,
            decode=lambda: replace(DIALECTS[dialect].decode_request(body), stream=stream),
        ),
        model=model,
        echo="asked",
        stream=stream,
        include_usage=include_usage,
        request_id="request-1",
    )


@dataclass
class Outcome:
    """What a call came to: its pieces, and the failure that ended it."""

    pieces: list[Piece] = field(default_factory=list)
    failure: RelayError | None = None
    losses: tuple[str, ...] = ()
    passes: bool = False
    flowed: int = 0

    @property
    def events(self) -> Iterable[StreamEvent]:
        return (event for piece in self.pieces for event in piece.events)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, PartDelta))

    @property
    def raw(self) -> bytes:
        return b"".join(piece.raw or b"" for piece in self.pieces)

    @property
    def is_complete(self) -> bool:
        return self.failure is None and bool(self.pieces) and self.pieces[-1].last

    @property
    def usage(self) -> Usage | None:
        return fold(self.events).usage


async def outcome(backend: ChatBackend, call: UpstreamCall, *, flows: bool = False) -> Outcome:
    """Make the call, read it to its end, and let go. With `flows` each piece that is read is followed by a flow."""
    result = Outcome()

    def take(piece: Piece) -> bool:
        result.pieces.append(piece)
        result.flowed += 1
        return True

    try:
        exchange = await backend.open(call)
    except RelayError as error:
        result.failure = error
        return result
    result.losses, result.passes = exchange.losses, exchange.passes
    try:
        while not (result.pieces and result.pieces[-1].last):
            result.pieces.append(await exchange.read())
            if flows and not result.pieces[-1].last:
                await exchange.flow(take)
    except RelayError as error:
        result.failure = error
    finally:
        await exchange.aclose()
    return result
