"""The Responses routes: one turn, made whole from what is kept and kept in turn, and what is kept itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from relay.adapters.dialects.base import ClientDialect, Envelope, Scene, StreamEncoder, WireError
from relay.adapters.dialects.openai_responses import state
from relay.adapters.dialects.openai_responses.request import unknown_response
from relay.adapters.inbound.http.chat import ChatRoute, ServeChat
from relay.adapters.inbound.http.hot_route import Visit
from relay.application.calls import ChatCall
from relay.application.kept_responses import KeptResponse, ResponseStore, owner_of
from relay.application.ports import Hangup, Piece, Reply, ReplyHead
from relay.domain.chat import ChatRequest
from relay.domain.errors import RelayError
from relay.domain.events import ChatResponse, StreamEvent

type Sink = Callable[[bytes], None]
"""Takes a whole answer, or the bytes that end its stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesRoute(ChatRoute):
    """The chat route of Responses. What a request goes on from is put into its body before it is looked at."""

    kept: ResponseStore

    async def _answer(self, visit: Visit) -> None:
        owner = owner_of(visit.sender.caller)
        asked = state.continuation_of(visit.body)
        if asked.previous or asked.references:
            visit.body = _continued(visit.body, asked, self.kept, owner)
        sink = partial(_keep, self.kept, owner, visit.body) if asked.keeps else _forget
        dialect = _Answering(self.dialect, visit.body, asked, sink)
        await ChatRoute._answer(replace(self, dialect=dialect, serve=_passing(self.serve, sink)), visit)


def _continued(body: bytes, asked: state.Continuation, kept: ResponseStore, owner: str) -> bytes:
    """Raises `InvalidRequest` for what is not kept."""
    history: list[bytes] = []
    if asked.previous:
        previous = kept.find(asked.previous, owner)
        if previous is None:
            raise unknown_response(asked.previous)
        history = previous.history
    found = {name: kept.find_item(name, owner) for name in asked.references}
    return state.continued(body, history, {name: json for name, json in found.items() if json is not None})


def _keep(kept: ResponseStore, owner: str, body: bytes, data: bytes) -> None:
    answer = state.answered(data)
    if answer is not None:
        kept.keep(
            KeptResponse(
                id=answer.id,
                owner=owner,
                json=answer.json,
                input=state.input_of(body, answer.id),
                output=answer.output,
            )
        )


def _forget(data: bytes) -> None:
    """What happens to an answer that is not to be kept."""


class _Answering:
    """The dialect as it answers one request: it repeats what was asked, and gives the answer to `sink`."""

    def __init__(self, dialect: ClientDialect, body: bytes, asked: state.Continuation, sink: Sink) -> None:
        self.name = dialect.name
        self.framing = dialect.framing
        self.stream_content_type = dialect.stream_content_type
        self.whole_content_type = dialect.whole_content_type
        self.keep_alive = dialect.keep_alive
        self._dialect = dialect
        self._body = body
        self._asked = asked
        self._sink = sink
        self._request: ChatRequest | None = None

    def peek(self, body: bytes) -> Envelope:
        """As `ClientDialect.peek`."""
        return self._dialect.peek(body)

    def decode_request(self, body: bytes) -> ChatRequest:
        """As `ClientDialect.decode_request`."""
        if self._request is None:
            self._request = self._dialect.decode_request(body)
        return self._request

    def encode_response(self, response: ChatResponse, scene: Scene) -> bytes:
        """As `ClientDialect.encode_response`."""
        data = self._dialect.encode_response(response, self._knowing(scene))
        self._sink(data)
        return data

    def encoder(self, scene: Scene) -> StreamEncoder:
        """As `ClientDialect.encoder`."""
        return _Keeping(self._dialect.encoder(self._knowing(scene)), self._sink)

    def encode_error(self, error: RelayError) -> WireError:
        """As `ClientDialect.encode_error`."""
        return self._dialect.encode_error(error)

    def _knowing(self, scene: Scene) -> Scene:
        try:
            request = self.decode_request(self._body)
            return replace(scene, asked=state.with_continuation(request, self._asked))
        except RelayError:  # bytes that passed, to a provider that may take more than the codec does
            return scene


class _Keeping:
    """A `StreamEncoder` that gives the bytes that end its stream to `sink`."""

    def __init__(self, encoder: StreamEncoder, sink: Sink) -> None:
        self._encoder = encoder
        self._sink = sink

    def send(self, event: StreamEvent) -> bytes:
        """As `StreamEncoder.send`."""
        return self._encoder.send(event)

    def close(self) -> bytes:
        """As `StreamEncoder.close`."""
        data = self._encoder.close()
        self._sink(data)
        return data


def _passing(serve: ServeChat, sink: Sink) -> ServeChat:
    """Serves as `serve`; an answer whose bytes pass is given to `sink`."""

    async def served(call: ChatCall, reply: Reply, hangup: Hangup) -> None:
        await serve(call, _Watched(reply, sink), hangup)

    return served


class _Watched:
    """A `Reply` that lets `sink` see the bytes that end an answer which passes."""

    def __init__(self, reply: Reply, sink: Sink) -> None:
        self._reply = reply
        self._sink = sink

    @property
    def begun(self) -> bool:
        """As `Reply.begun`."""
        return self._reply.begun

    def prepare(self, head: ReplyHead) -> None:
        """As `Reply.prepare`."""
        self._reply.prepare(head)

    async def write(self, piece: Piece) -> None:
        """As `Reply.write`."""
        await self._reply.write(piece)

    def pass_on(self, piece: Piece) -> bool:
        """As `Reply.pass_on`."""
        return self._reply.pass_on(piece)

    async def catch_up(self) -> None:
        """As `Reply.catch_up`."""
        await self._reply.catch_up()

    async def finish(self, piece: Piece) -> None:
        """As `Reply.finish`."""
        if piece.raw is not None:
            self._sink(piece.raw)
        await self._reply.finish(piece)

    async def fail(self, error: RelayError) -> None:
        """As `Reply.fail`."""
        await self._reply.fail(error)
