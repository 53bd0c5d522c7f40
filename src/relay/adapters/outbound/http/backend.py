"""A live provider over HTTP: its dialect, where it is and how it differs, as the port `ChatBackend`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from relay import __version__
from relay.adapters.dialects.base import Dialect, Scene, WireRequest
from relay.adapters.outbound.http.bulkhead import Bulkhead
from relay.adapters.outbound.http.exchange import HttpExchange, Reading
from relay.adapters.outbound.http.failures import refusal
from relay.adapters.outbound.http.interface import (
    DEFAULT_TIMEOUTS,
    HttpRequest,
    HttpResponse,
    Timeouts,
    UpstreamHttp,
    read_error_body,
)
from relay.application.ports import Clock, Exchange, OnDisconnect, UpstreamCall
from relay.domain.chat import ChatRequest
from relay.domain.errors import BadCredential, UpstreamError

type Edit = Callable[[bytes, str], tuple[bytes, tuple[str, ...]]]
"""A body and the model's id to the body the provider takes, with the fields lost on the way."""

USER_AGENT = f"llm-relay/{__version__}"


def unchanged(body: bytes, model: str) -> tuple[bytes, tuple[str, ...]]:
    """The `Edit` of a provider that takes its dialect as it is."""
    return body, ()


def as_it_is(request: ChatRequest) -> ChatRequest:
    """The request of a provider that adds nothing to a conversation."""
    return request


@dataclass(slots=True, kw_only=True)
class HttpBackend:
    """A `ChatBackend` over HTTP.

    `auth` holds the headers with the key; `problem`, when not empty, says why the provider cannot be called.
    Where `passes_through`, a client of the provider's dialect has its body sent and its answer returned as
    bytes; else both are decoded and encoded anew, and `prepare` may add to the conversation.
    """

    base_url: str
    dialect: Dialect
    http: UpstreamHttp
    clock: Clock
    bulkhead: Bulkhead
    auth: Mapping[str, str] = field(default_factory=dict, repr=False)
    problem: str = ""
    passes_through: bool = False
    prepare: Callable[[ChatRequest], ChatRequest] = as_it_is
    edit: Edit = unchanged
    on_disconnect: OnDisconnect = "cancel"
    timeouts: Timeouts = DEFAULT_TIMEOUTS

    async def open(self, call: UpstreamCall) -> Exchange:
        """As `ChatBackend.open`; also raises what the client's body gives cause for, when it is decoded here."""
        if self.problem:
            raise BadCredential(f"the provider cannot be called: {self.problem}")
        passes = self.passes_through and call.original.dialect == self.dialect.name
        wire = self._encoded(call, passes=passes)
        scene = self._scene(call)
        await self.bulkhead.enter()
        try:
            response = await self.http.send(self._request(call, wire))
            if response.status >= 300:
                raise await self._refusal(response)
        except BaseException:
            self.bulkhead.leave()
            raise
        reading = Reading(dialect=self.dialect, scene=scene, stream=call.stream, passes=passes)
        return HttpExchange(response, reading, wire.losses, self.bulkhead.leave)

    def _encoded(self, call: UpstreamCall, *, passes: bool) -> WireRequest:
        if passes:
            wire = self.dialect.retarget(call.original.body, call.model, count_usage=call.stream)
        else:
            request = replace(call.original.decode(), model=call.model, stream=call.stream)
            wire = self.dialect.encode_request(self.prepare(request))
        body, lost = self.edit(wire.body, call.model)
        return replace(wire, body=body, losses=(*wire.losses, *lost))

    def _scene(self, call: UpstreamCall) -> Scene:
        now_ns = self.clock.unix_ns()
        return Scene(
            id=call.request_id,
            model=call.echo,
            created=now_ns // 1_000_000_000,
            started_ns=now_ns,
            clock_ns=self.clock.unix_ns,
            include_usage=call.include_usage,
        )

    def _request(self, call: UpstreamCall, wire: WireRequest) -> HttpRequest:
        headers = {
            "content-type": "application/json",
            "accept": "*/*",
            "user-agent": USER_AGENT,
            "x-request-id": call.request_id,
            **self.auth,
        }
        url = f"{self.base_url}{wire.path}"
        return HttpRequest(method="POST", url=url, headers=headers, body=wire.body, timeouts=self.timeouts)

    async def _refusal(self, response: HttpResponse) -> UpstreamError:
        try:
            fault = self.dialect.decode_error(await read_error_body(response))
        finally:
            await response.aclose()
        now_s = self.clock.unix_ms() / 1000
        return refusal(response.status, response.headers, fault, now_s=now_s)
