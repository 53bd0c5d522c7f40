"""Changes the models of an Ollama over HTTP, and reads its progress line by line."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import msgspec

from relay.adapters.dialects import lenient, ollama_chat
from relay.adapters.dialects.base import WireRequest
from relay.adapters.dialects.framing import LineSplitter
from relay.adapters.outbound.http.endpoint import Endpoint
from relay.adapters.outbound.http.held_response import HeldResponse
from relay.adapters.outbound.http.interface import HttpResponse, Method, Timeouts
from relay.application.manage.models import Change, Progress, ProgressLine
from relay.domain.errors import BadCredential, Malformed, UpstreamError

SILENCE_S = 1800.0
"""A server says nothing while it verifies or converts weights of many gigabytes."""

_ROUTES: Mapping[Change, tuple[Method, str]] = {
    "pull": ("POST", "/api/pull"),
    "push": ("POST", "/api/push"),
    "create": ("POST", "/api/create"),
    "copy": ("POST", "/api/copy"),
    "delete": ("DELETE", "/api/delete"),
}


class _Line(msgspec.Struct):
    status: str | None = None
    error: str | None = None


_decoder = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpModelManagement:
    """Implements `ModelManagement`."""

    endpoint: Endpoint

    async def begin(self, change: Change, fields: Mapping[str, object], request_id: str) -> Progress:
        """As `ModelManagement.begin`."""
        method, path = _ROUTES[change]
        wire = WireRequest(path=path, body=lenient.encode(fields))
        timeouts = self.endpoint.timeouts
        patient = replace(
            self.endpoint,
            timeouts=Timeouts(connect_s=timeouts.connect_s, first_byte_s=SILENCE_S, idle_s=SILENCE_S),
        )
        try:
            response = await patient.send(method, wire, request_id, ollama_chat.DIALECT.decode_error)
        except UpstreamError as error:
            if error.provider_status >= 400 and not isinstance(error, BadCredential):
                error.status = error.provider_status
            raise
        return HttpProgress(response, self.endpoint.bulkhead.leave)


class HttpProgress(HeldResponse):
    """Implements `Progress`; `leave` is called once, when the connection is let go of."""

    def __init__(self, response: HttpResponse, leave: Callable[[], None]) -> None:
        super().__init__(response, leave)
        self._splitter = LineSplitter()
        self._lines: deque[bytes] = deque()
        self._is_complete = False

    async def read(self) -> ProgressLine | None:
        """As `Progress.read`."""
        while not self._lines:
            if self._is_complete:
                return None
            chunk = await self._response.read()
            self._is_complete = chunk is None
            self._lines.extend(self._splitter.close() if chunk is None else self._splitter.feed(chunk))
        return _read(self._lines.popleft())


def _read(raw: bytes) -> ProgressLine:
    try:
        line = lenient.decode(_decoder, lambda value: msgspec.convert(value, _Line), raw)
    except (lenient.Undecodable, msgspec.ValidationError):
        raise Malformed("the provider's progress is not lines of JSON") from None
    return ProgressLine(raw=raw, status=line.status or "", error=line.error or "")
