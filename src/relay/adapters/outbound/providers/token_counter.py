"""Counts tokens at a provider of Anthropic's dialect over HTTP, as the port `TokenCounter`."""

from dataclasses import dataclass

from relay.adapters.dialects import anthropic_messages
from relay.adapters.dialects.anthropic_messages.counting import read_count
from relay.adapters.dialects.anthropic_messages.envelope import retarget_count
from relay.adapters.outbound.http.endpoint import Endpoint
from relay.adapters.outbound.http.interface import read_body


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTokenCounter:
    """A `TokenCounter` over HTTP."""

    endpoint: Endpoint

    async def count(self, body: bytes, model: str, request_id: str) -> int:
        """As `TokenCounter.count`; also raises what the client's body gives cause for."""
        wire = retarget_count(body, model)
        response = await self.endpoint.post(wire, request_id, anthropic_messages.DIALECT.decode_error)
        try:
            return read_count(await read_body(response))
        finally:
            try:
                await response.aclose()
            finally:
                self.endpoint.bulkhead.leave()
