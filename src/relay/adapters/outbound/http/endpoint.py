"""Where a provider is and how it is called: one request within its bulkhead, and what a refusal of it means."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from relay import __version__
from relay.adapters.dialects.base import ProviderFault, WireRequest
from relay.adapters.outbound.http.bulkhead import Bulkhead
from relay.adapters.outbound.http.failures import refusal
from relay.adapters.outbound.http.interface import (
    DEFAULT_TIMEOUTS,
    ClientName,
    HttpRequest,
    HttpResponse,
    Method,
    RequestHead,
    Timeouts,
    UpstreamHttp,
    read_error_body,
)
from relay.application.ports import Clock
from relay.domain.errors import BadCredential, UpstreamError

type Edit = Callable[[bytes, str], tuple[bytes, tuple[str, ...]]]
"""A body and the model's id to the body the provider takes, with the fields lost on the way."""

type Headers = tuple[tuple[str, str], ...]

type ReadFault = Callable[[bytes], ProviderFault]
"""What an error body says, in the dialect of the call."""

MAX_KEPT_HEADS = 1024

USER_AGENT = f"llm-relay/{__version__}"


def unchanged(body: bytes, model: str) -> tuple[bytes, tuple[str, ...]]:
    """The `Edit` of a provider that takes its dialect as it is."""
    return body, ()


def edited(wire: WireRequest, edit: Edit, model: str) -> WireRequest:
    """The request as the provider takes it."""
    body, lost = edit(wire.body, model)
    if body is wire.body and not lost:
        return wire
    return replace(wire, body=body, losses=(*wire.losses, *lost))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One provider, whatever is asked of it: all its calls share the bulkhead.

    `auth` holds the headers with the key; `problem`, when not empty, says why the provider cannot be called.
    """

    base_url: str
    http: UpstreamHttp
    clock: Clock
    bulkhead: Bulkhead
    auth: Mapping[str, str] = field(default_factory=dict, repr=False)
    problem: str = ""
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    client: ClientName = "relay"
    _heads: dict[tuple[Method, str, Headers], RequestHead] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )

    def post(
        self, wire: WireRequest, request_id: str, read_fault: ReadFault
    ) -> Coroutine[Any, Any, HttpResponse]:
        """As `send`, of a `POST`."""
        return self.send("POST", wire, request_id, read_fault)

    async def send(
        self, method: Method, wire: WireRequest, request_id: str, read_fault: ReadFault
    ) -> HttpResponse:
        """The head of an accepted call. Whoever gets it closes it and then calls `bulkhead.leave`, once.

        Raises `UpstreamError`.
        """
        if self.problem:
            raise BadCredential(f"the provider cannot be called: {self.problem}")
        await self.bulkhead.enter()
        try:
            response = await self.http.send(self._request(method, wire, request_id))
            if response.status >= 300:
                raise await self._refusal(response, read_fault)
        except BaseException:
            self.bulkhead.leave()
            raise
        return response

    def _request(self, method: Method, wire: WireRequest, request_id: str) -> HttpRequest:
        head = self._heads.get((method, wire.path, wire.headers)) or self._new_head(method, wire)
        return HttpRequest(head, wire.body, request_id, self.timeouts)

    def _new_head(self, method: Method, wire: WireRequest) -> RequestHead:
        headers = {
            "content-type": "application/json",
            "accept": "*/*",
            "user-agent": USER_AGENT,
            **dict(wire.headers),
            **self.auth,
        }
        head = RequestHead(method, f"{self.base_url}{wire.path}", headers, client=self.client)
        if len(self._heads) >= MAX_KEPT_HEADS:  # some dialects have the model in the path
            self._heads.clear()
        self._heads[method, wire.path, wire.headers] = head
        return head

    async def _refusal(self, response: HttpResponse, read_fault: ReadFault) -> UpstreamError:
        try:
            fault = read_fault(await read_error_body(response))
        finally:
            await response.aclose()
        now_s = self.clock.unix_ms() / 1000
        return refusal(response.status, response.headers, fault, now_s=now_s)
