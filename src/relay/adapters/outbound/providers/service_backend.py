"""Services of a live provider over HTTP, as the port `ServiceBackend`: bytes out, bytes in, and their counts.

An answer in JSON is read whole, as it names the model; anything else goes on as it comes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from relay.adapters.dialects.base import ProviderFault
from relay.adapters.dialects.services import StreamedUsage, passed_content_type, renamed, usage_of
from relay.adapters.outbound.http.endpoint import USER_AGENT, Endpoint
from relay.adapters.outbound.http.failures import refusal
from relay.adapters.outbound.http.held_response import HeldResponse
from relay.adapters.outbound.http.interface import (
    HttpRequest,
    HttpResponse,
    RequestHead,
    read_body,
    read_error_body,
)
from relay.adapters.outbound.providers.spec import ServiceEntry
from relay.application.relay_services import ServiceExchange, ServicePiece, UpstreamServiceCall
from relay.domain.errors import BadCredential
from relay.domain.services import ServiceName

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Of an answer in JSON: ten pictures in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServiceBackend:
    """A `ServiceBackend` over HTTP; `read_fault` reads the errors of the provider's dialect."""

    endpoint: Endpoint
    services: Mapping[ServiceName, ServiceEntry]
    read_fault: Callable[[bytes], ProviderFault]

    def has(self, service: ServiceName, model: str = "") -> bool:
        """As `ServiceBackend.has`."""
        found = self.services.get(service)
        if found is None or not model:
            return found is not None
        return any(fnmatchcase(model.lower(), pattern.lower()) for pattern in found.models)

    async def open(self, call: UpstreamServiceCall) -> ServiceExchange:
        """As `ServiceBackend.open`."""
        endpoint = self.endpoint
        if endpoint.problem:
            raise BadCredential(f"the provider cannot be called: {endpoint.problem}")
        await endpoint.bulkhead.enter()
        try:
            response = await endpoint.http.send(self._request(call))
            if response.status >= 300:
                await self._refuse(response)
        except BaseException:
            endpoint.bulkhead.leave()
            raise
        return HttpServiceExchange(response, call.echo, endpoint.bulkhead.leave)

    def _request(self, call: UpstreamServiceCall) -> HttpRequest:
        endpoint = self.endpoint
        headers = {
            "content-type": call.content_type,
            "accept": "*/*",
            "user-agent": USER_AGENT,
            **endpoint.auth,
        }
        url = f"{endpoint.base_url}{self.services[call.service].path}"
        head = RequestHead("POST", url, headers, client=endpoint.client)
        return HttpRequest(head, call.body, call.request_id, endpoint.timeouts)

    async def _refuse(self, response: HttpResponse) -> None:
        try:
            fault = self.read_fault(await read_error_body(response))
        finally:
            await response.aclose()
        now_s = self.endpoint.clock.unix_ms() / 1000
        raise refusal(response.status, response.headers, fault, now_s=now_s)


class HttpServiceExchange(HeldResponse):
    """A `ServiceExchange` over HTTP; `leave` is called once, when the connection is let go of."""

    def __init__(self, response: HttpResponse, echo: str, leave: Callable[[], None]) -> None:
        super().__init__(response, leave)
        self.status = response.status
        self.losses: tuple[str, ...] = ()
        self.content_type = passed_content_type(response.headers.get("content-type", ""))
        self._echo = echo
        self._streamed = StreamedUsage() if self.content_type.startswith("text/event-stream") else None

    async def read(self) -> ServicePiece:
        """As `ServiceExchange.read`."""
        if self.content_type.startswith("application/json"):
            body = await read_body(self._response, MAX_ANSWER_BYTES)
            await self.aclose()
            return ServicePiece(data=renamed(body, self._echo), last=True, usage=usage_of(body))
        data = await self._response.read()
        if data is None:
            await self.aclose()
            return ServicePiece(data=b"", last=True, usage=self._streamed.usage if self._streamed else None)
        if self._streamed is not None:
            self._streamed.see(data)
        return ServicePiece(data=data)
