"""The routes of the services that pass: what is read of a request, and the reply it gets."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.openai_chat import DIALECT as OPENAI
from relay.adapters.dialects.services import read_request
from relay.adapters.inbound.http.asgi import one_of
from relay.adapters.inbound.http.hot_route import HotRoute, Surroundings, Visit
from relay.adapters.inbound.http.outlet import Head
from relay.application.metering import estimated_tokens
from relay.application.ports import Hangup, ReplyHead
from relay.application.relay_services import ServiceCall, ServiceReply
from relay.domain.errors import RelayError
from relay.domain.services import ServiceName

type ServeService = Callable[[ServiceCall, ServiceReply, Hangup], Awaitable[None]]
"""The use case `RelayServices`."""

_EVENTS = "text/event-stream"

_PATHS: Mapping[str, ServiceName] = {
    "/v1/moderations": "moderations",
    "/v1/images/generations": "images",
    "/v1/audio/speech": "speech",
    "/v1/audio/transcriptions": "transcriptions",
    "/v1/audio/translations": "translations",
    "/v1/rerank": "rerank",
    "/rerank": "rerank",
}


class PassedReply:
    """A `ServiceReply`, which is also a pulse that never beats: what is passed on has no room for signs of life."""

    def __init__(self, visit: Visit) -> None:
        self._outlet = visit.outlet
        self._telling = visit.telling
        self._content_type = ""

    @property
    def begun(self) -> bool:
        """As `AnyReply.begun`."""
        return self._outlet.started

    def prepare(self, head: ReplyHead) -> None:
        """As `AnyReply.prepare`."""
        self._telling.prepare(head)

    async def write(self, data: bytes, content_type: str, *, last: bool) -> None:
        """As `ServiceReply.write`; what is there at once leaves with its length."""
        self._content_type = content_type
        is_whole = last and not self.begun

        def head() -> Head:
            lines = self._telling.lines(content_type, total=is_whole) + b"x-content-type-options: nosniff\r\n"
            return Head(200, lines, len(data) if is_whole else None)

        await self._outlet.put(head, data, last=last)

    async def fail(self, error: RelayError) -> None:
        """As `AnyReply.fail`: an event where the answer is made of them, else the end of the connection."""
        if self._content_type.startswith(_EVENTS):
            await self.write(sse_frame(OPENAI.encode_error(error).body), self._content_type, last=True)
        else:
            self._outlet.cut()

    def due_in(self) -> float | None:
        """As `Pulse.due_in`: never."""
        return None

    async def beat(self) -> None:
        """As `Pulse.beat`: never called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRoute(HotRoute):
    """The route of one service."""

    service: ServiceName
    serve: ServeService

    async def _answer(self, visit: Visit) -> None:
        content_type = (one_of(visit.scope["headers"], b"content-type") or b"").decode("latin-1")
        read = read_request(self.service, visit.body, content_type)
        call = ServiceCall(
            request_id=visit.line.request_id,
            service=self.service,
            name=read.model,
            aimed=read.aimed,
            content_type=read.content_type,
            input_tokens_estimate=estimated_tokens(read.text_bytes),
            caller=visit.sender.caller,
            characters=read.characters,
            tags=visit.sender.tags,
            client=visit.client,
        )
        reply = PassedReply(visit)
        await visit.attend(reply, self.serve(call, reply, visit.departure))


def service_routes(serve: ServeService, around: Surroundings) -> dict[str, HotRoute]:
    """The routes by path."""
    return {
        path: ServiceRoute(dialect=OPENAI, service=service, serve=serve, **around)
        for path, service in _PATHS.items()
    }
