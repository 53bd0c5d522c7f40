"""A provider whose calls and answers are set right on the way: a `ChatBackend` around one.

Where bytes pass between client and provider of one dialect, they go on passing: such a provider obeys the dialect,
so JSON that was asked for has no fence. Only a name of a tool that would be refused, or a model that is known to
think in its text, makes such a call one that is decoded and encoded anew.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from relay.adapters.outbound.providers.text_corrections import (
    Correction,
    FenceScanner,
    ScannedText,
    TagScanner,
)
from relay.adapters.outbound.providers.tool_names import ToolNames, may_be_odd
from relay.application.ports import ChatBackend, Exchange, OnDisconnect, Piece, UpstreamCall
from relay.domain.chat import ChatRequest, DialectName
from relay.domain.events import PartEnded, StreamEvent

LOST_CITATIONS = "annotations"
"""The loss that is told where a client's dialect has no place for what an answer cites."""

_CHAT: DialectName = "openai.chat"
_CITING: frozenset[DialectName] = frozenset({"openai.chat", "openai.responses", "anthropic.messages"})
"""The dialects of clients that say what an answer rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedBackend:
    """A `ChatBackend`. `translating` is the same provider as `backend`, but for never passing bytes.

    `passes_for` are the dialects whose clients' bytes pass, `thinks_in_text` tells the models that put thoughts
    into their text; with `plain_tool_names` the provider takes no others than those of OpenAI's chat. With
    `sets_json_right` an answer that was to be JSON is read, whatever passes otherwise: its fence is taken off.
    """

    backend: ChatBackend
    translating: ChatBackend
    passes_for: frozenset[DialectName]
    thinks_in_text: Callable[[str], bool]
    plain_tool_names: bool
    sets_json_right: bool = False

    @property
    def on_disconnect(self) -> OnDisconnect:
        """As `ChatBackend.on_disconnect`."""
        return self.backend.on_disconnect

    def open(self, call: UpstreamCall) -> Awaitable[Exchange]:
        """As `ChatBackend.open`; also raises what the client's body gives cause for."""
        if call.original.dialect in self.passes_for and self._may_pass(call):
            return self.backend.open(call)
        return self._translated(call)

    async def _translated(self, call: UpstreamCall) -> Exchange:
        request = call.original.decode()
        names = ToolNames(request) if self.plain_tool_names else None
        if names:
            call = _asking(call, names.written(request))
        corrections = self._corrections(call, request, names)
        exchange = await self.translating.open(call)
        may_lose = call.original.dialect not in _CITING
        return CorrectedExchange(exchange, corrections, may_lose) if corrections or may_lose else exchange

    def _may_pass(self, call: UpstreamCall) -> bool:
        if self.thinks_in_text(call.model):
            return False
        if self.sets_json_right and b'"response_format"' in call.original.body:
            return False
        if not self.plain_tool_names or call.original.dialect != _CHAT:
            return True
        return not (may_be_odd(call.original.body) and ToolNames(call.original.decode()))

    def _corrections(
        self, call: UpstreamCall, request: ChatRequest, names: ToolNames | None
    ) -> list[Correction]:
        corrections: list[Correction] = [names] if names else []
        if self.thinks_in_text(call.model):
            corrections.append(ScannedText(TagScanner))
        if request.output is not None:
            corrections.append(ScannedText(FenceScanner))
        return corrections


class CorrectedExchange:
    """An `Exchange` whose events go through the corrections, in their order.

    With `may_lose` the client's dialect has no place for citations: once an answer has some, they are among the
    losses, which are then told in the books; the head of a reply has been prepared by then.
    """

    def __init__(self, exchange: Exchange, corrections: Sequence[Correction], may_lose: bool) -> None:
        self.passes = False
        self.status = exchange.status
        self.losses = exchange.losses
        self._exchange = exchange
        self._corrections = corrections
        self._may_lose = may_lose

    async def read(self) -> Piece:
        """As `Exchange.read`."""
        while True:
            piece = self._corrected(await self._exchange.read())
            if piece.events or piece.last:
                return piece

    async def flow(self, take: Callable[[Piece], bool]) -> None:
        """As `Exchange.flow`."""

        def take_corrected(piece: Piece) -> bool:
            piece = self._corrected(piece)
            return not piece.events or take(piece)

        await self._exchange.flow(take_corrected)

    def _corrected(self, piece: Piece) -> Piece:
        events = piece.events
        for correction in self._corrections:
            events = correction.correct(events)
        if self._may_lose and any(map(_cites, events)):
            self.losses, self._may_lose = (*self.losses, LOST_CITATIONS), False
        return Piece(events=events, last=piece.last)

    async def aclose(self) -> None:
        """As `Exchange.aclose`."""
        await self._exchange.aclose()


def _cites(event: StreamEvent) -> bool:
    return isinstance(event, PartEnded) and bool(event.citations)


def _asking(call: UpstreamCall, request: ChatRequest) -> UpstreamCall:
    return replace(call, original=replace(call.original, decode=lambda: request))
