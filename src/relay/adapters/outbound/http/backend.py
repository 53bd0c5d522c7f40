"""Chat with a live provider over HTTP: its dialect and how it differs, as the port `ChatBackend`."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from relay.adapters.dialects.base import Dialect, Scene, WireRequest
from relay.adapters.outbound.http.endpoint import Edit, Endpoint, edited, unchanged
from relay.adapters.outbound.http.exchange import HttpExchange, Reading
from relay.application.ports import Exchange, OnDisconnect, UpstreamCall
from relay.domain.chat import ChatRequest


def as_it_is(request: ChatRequest) -> ChatRequest:
    """The request of a provider that adds nothing to a conversation."""
    return request


@dataclass(slots=True, kw_only=True)
class HttpBackend:
    """A `ChatBackend` over HTTP.

    Where `passes_through`, a client of the provider's dialect has its body sent and its answer returned as
    bytes; else both are decoded and encoded anew, and `prepare` may add to the conversation.
    """

    endpoint: Endpoint
    dialect: Dialect
    passes_through: bool = False
    prepare: Callable[[ChatRequest], ChatRequest] = as_it_is
    edit: Edit = unchanged
    on_disconnect: OnDisconnect = "cancel"

    async def open(self, call: UpstreamCall) -> Exchange:
        """As `ChatBackend.open`; also raises what the client's body gives cause for, when it is decoded here."""
        passes = self.passes_through and call.original.dialect == self.dialect.name
        wire = self._encoded(call, passes=passes)
        scene = self._scene(call)
        response = await self.endpoint.post(wire, call.request_id, self.dialect.decode_error)
        reading = Reading(dialect=self.dialect, scene=scene, stream=call.stream, passes=passes)
        return HttpExchange(response, reading, wire.losses, self.endpoint.bulkhead.leave)

    def _encoded(self, call: UpstreamCall, *, passes: bool) -> WireRequest:
        if passes:
            wire = self.dialect.retarget(call.original.body, call.model, count_usage=call.stream)
        else:
            request = replace(call.original.decode(), model=call.model, stream=call.stream)
            wire = self.dialect.encode_request(self.prepare(request))
        return edited(wire, self.edit, call.model)

    def _scene(self, call: UpstreamCall) -> Scene:
        clock = self.endpoint.clock
        now_ns = clock.unix_ns()
        return Scene(
            id=call.request_id,
            model=call.echo,
            created=now_ns // 1_000_000_000,
            started_ns=now_ns,
            clock_ns=clock.unix_ns,
            include_usage=call.include_usage,
        )
