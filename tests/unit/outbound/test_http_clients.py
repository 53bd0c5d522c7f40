"""Which client carries which request."""

import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.outbound.http.clients import HttpClients
from relay.adapters.outbound.http.interface import ClientName, HttpRequest, RequestHead, read_body
from relay.adapters.outbound.providers.build import build_listers
from relay.adapters.outbound.providers.spec import configured
from relay.adapters.outbound.system import SystemClock
from tests.support.fakes_http import RecordingHttp, whole
from tests.support.hostile import OK_HELLO, always, hostile_server
from tests.support.upstream_calls import backend_for, outcome, upstream_call

pytestmark = pytest.mark.anyio


@pytest.fixture
async def http(anyio_backend: str) -> AsyncIterator[HttpClients]:
    clients = HttpClients()
    yield clients
    await clients.aclose()


@pytest.mark.parametrize(("client", "responding"), [("relay", "Http1Response"), ("httpx2", "HttpxResponse")])
async def test_a_request_is_carried_by_the_client_its_head_names(
    http: HttpClients, client: ClientName, responding: str
) -> None:
    async with hostile_server(always(OK_HELLO)) as server:
        response = await http.send(HttpRequest(RequestHead("GET", server.url, client=client)))
        assert await read_body(response) == b"hello"
        await response.aclose()
        assert type(response).__name__ == responding
        await http.aclose()
        await server.until_all_left()


@pytest.mark.parametrize("client", ["relay", "httpx2"])
async def test_a_provider_says_what_carries_its_calls_and_its_list(client: ClientName) -> None:
    http = RecordingHttp(lambda request: whole({"data": []}))
    spec = configured("openai", {"api_key": "k", "http_client": client}, {})
    await outcome(backend_for("openai", http, http_client=client), upstream_call("openai.chat"))
    [listed] = build_listers([spec], http=http, dialects=DIALECTS, clock=SystemClock(), environ={})
    assert listed.lister is not None
    await listed.lister.list_models()
    assert [request.head.client for request in http.requests] == [client, client]


def test_the_relays_own_is_the_default() -> None:
    assert configured("openai", {}, {}).http_client == "relay"


def test_the_library_is_not_loaded_until_it_is_wanted() -> None:
    source = "import sys, relay.adapters.outbound.http.clients; sys.exit('httpx2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0
