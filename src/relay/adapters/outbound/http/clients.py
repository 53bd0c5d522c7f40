"""Both HTTP clients behind one face: each request is carried by the one its head names."""

import ssl
from collections.abc import Coroutine
from typing import Any

from relay.adapters.outbound.http.http1.connecting import Admit, admit_all
from relay.adapters.outbound.http.http1.upstream import Http1Upstream
from relay.adapters.outbound.http.interface import HttpRequest, HttpResponse, UpstreamHttp


class HttpClients:
    """An `UpstreamHttp`. The library is loaded when the first request is for it; it does not ask `admit`."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, admit: Admit = admit_all) -> None:
        self._tls = tls
        self._own = Http1Upstream(tls=tls, admit=admit)
        self._library: UpstreamHttp | None = None

    def send(self, request: HttpRequest) -> Coroutine[Any, Any, HttpResponse]:
        """As `UpstreamHttp.send`."""
        if request.head.client == "relay":
            return self._own.send(request)
        return self._httpx2().send(request)

    async def aclose(self) -> None:
        """As `UpstreamHttp.aclose`."""
        await self._own.aclose()
        if self._library is not None:
            await self._library.aclose()

    def _httpx2(self) -> UpstreamHttp:
        if self._library is None:
            from relay.adapters.outbound.http.client import HttpxUpstream

            self._library = HttpxUpstream(tls=self._tls)
        return self._library
