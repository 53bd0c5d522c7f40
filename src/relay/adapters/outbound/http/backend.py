"""Chat with a live provider over HTTP: its dialect and how it differs, as the port `ChatBackend`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from relay.adapters.dialects import splice
from relay.adapters.dialects.base import Dialect, EditMembers, Scene, WireRequest
from relay.adapters.outbound.http.endpoint import Endpoint
from relay.adapters.outbound.http.exchange import Glance, HttpExchange, Reading
from relay.application.ports import Exchange, OnDisconnect, OriginalRequest, UpstreamCall
from relay.domain.chat import ChatRequest

type EditOf = Callable[[str], EditMembers | None]
"""From a model's id to what is changed in requests for it."""


def unedited(model: str) -> None:
    """The `EditOf` of a provider that takes its dialect as it is."""


type Passing = Literal["always", "exact", "never"]
"""Whether bytes pass between client and provider of one dialect."""


def as_it_is(request: ChatRequest) -> ChatRequest:
    """The request of a provider that adds nothing to a conversation."""
    return request


@dataclass(slots=True, kw_only=True)
class HttpBackend:
    """A `ChatBackend` over HTTP.

    `completions` is the dialect in which the provider goes on from a prompt, where it has one beside its chat.
    A client of the dialect that is spoken has its body sent as bytes, and its answer returned as bytes, where
    `passing` is "always". With "exact" the answer is only where `glance_exact` finds nothing to set right in
    it, and a stream is read and written anew. With "never", and for other clients, both are read and written anew,
    and `prepare` may add to the conversation.
    """

    endpoint: Endpoint
    dialect: Dialect
    completions: Dialect | None = None
    passing: Passing = "never"
    glance_exact: Glance | None = None
    prepare: Callable[[ChatRequest], ChatRequest] = as_it_is
    edit_of: EditOf = unedited
    on_disconnect: OnDisconnect = "cancel"

    async def open(self, call: UpstreamCall) -> Exchange:
        """As `ChatBackend.open`; also raises what the client's body gives cause for, when it is decoded here."""
        dialect = self._spoken(call.original)
        passing = self.passing if call.original.dialect == dialect.name else "never"
        wire = self._encoded(call, dialect, passes=passing != "never")
        scene = self._scene(call)
        response = await self.endpoint.post(wire, call.request_id, dialect.decode_error)
        passes = passing == "always"
        glance = dialect.glance if passes else self.glance_exact if passing == "exact" else None
        reading = Reading(dialect, scene, call.stream, passes, glance)
        losses = wire.losses if passing != "never" else (*call.losses, *wire.losses)
        return HttpExchange(response, reading, losses, self.endpoint.bulkhead.leave)

    def _spoken(self, original: OriginalRequest) -> Dialect:
        """The dialect of completions for its own clients, and for what others ask that is no chat."""
        if self.completions is None or original.dialect == self.dialect.name:
            return self.dialect
        if original.dialect == self.completions.name or original.decode().completion is not None:
            return self.completions
        return self.dialect

    def _encoded(self, call: UpstreamCall, dialect: Dialect, *, passes: bool) -> WireRequest:
        edit = self.edit_of(call.model)
        if passes:
            wire = dialect.retarget(call.original.body, call.model, count_usage=call.stream, edit=edit)
            headers = call.original.headers
            return replace(wire, headers=headers) if headers else wire
        request = replace(call.original.decode(), model=call.model, stream=call.stream)
        wire = dialect.encode_request(self.prepare(request))
        if edit is None:
            return wire
        return splice.edited(splice.top_level(wire.body), edit, wire.path, wire.losses)

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
