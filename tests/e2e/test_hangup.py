"""Clients that leave in the middle of a stream: the provider is stopped, and the books say what it produced."""

import http.client
import json
import random
import socket
import time

import pytest

from tests.support.books import row_of, settled_rows
from tests.support.process import ServerProcess
from tests.support.upstream import Call, ScriptedUpstream

pytestmark = pytest.mark.e2e

ROUNDS = 50
CHUNKS = 200
DELAY_MS = 5
ROUTES = {
    "/v1/chat/completions": "up",
    "/api/chat": "oll",
}


def leave_after(relay: ServerProcess, path: str, model: str, lines: int) -> str:
    """Start a stream, read some lines of it, and close the socket; the request's id."""
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=10)
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    connection.request("POST", path, json.dumps(body))
    response = connection.getresponse()
    assert response.status == 200
    for _ in range(lines):
        assert response.readline()
    request_id = response.headers["x-request-id"]
    sock: socket.socket = connection.sock
    sock.shutdown(socket.SHUT_RDWR)
    response.close()
    connection.close()
    return request_id


def ended_call(upstream: ScriptedUpstream, request_id: str) -> Call:
    """The provider's side of a request, once it is over."""

    def mine(calls: list[Call]) -> list[Call]:
        return [call for call in calls if call.request_id == request_id and call.ended_at is not None]

    (call,) = mine(upstream.ledger.wait(lambda calls: bool(mine(calls))))
    return call


@pytest.mark.timeout(180)
@pytest.mark.parametrize("path", list(ROUTES))
def test_a_client_that_leaves_stops_the_provider_within_a_second_and_is_booked(
    relay: ServerProcess, upstream: ScriptedUpstream, path: str
) -> None:
    dice = random.Random(7)
    slowest_s = 0.0
    for _ in range(ROUNDS):
        model = f"basic?chunks={CHUNKS}&delay_ms={DELAY_MS}"
        request_id = leave_after(relay, path, f"{ROUTES[path]}/{model}", dice.randint(1, 40))
        left_at = time.monotonic()
        call = ended_call(upstream, request_id)
        assert call.peer_closed_at is not None
        assert not call.completed
        slowest_s = max(slowest_s, call.peer_closed_at - left_at)
        assert call.peer_closed_at - left_at <= 1.0
        row = row_of(relay.folder, request_id)
        assert row["outcome"] == "cancelled"
        assert row["usage_source"] == "estimated"
        assert abs(row["usage"]["output_tokens"] - call.tokens_out) <= 1
    print(f"{path}: {ROUNDS} clients left, the slowest provider was stopped after {slowest_s * 1000:.0f} ms")


@pytest.mark.parametrize("path", list(ROUTES))
def test_a_client_that_leaves_before_the_first_byte_is_booked_too(
    relay: ServerProcess, upstream: ScriptedUpstream, path: str
) -> None:
    model = f"basic?first_ms=5000&chunks={len(path)}"
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=10)
    body = {
        "model": f"{ROUTES[path]}/{model}",
        "stream": True,
        "messages": [{"role": "user", "content": "hi"}],
    }
    connection.request("POST", path, json.dumps(body))
    upstream.ledger.wait(lambda calls: any(call.model.startswith(model) for call in calls))
    connection.close()
    calls = upstream.ledger.wait(
        lambda calls: any(call.model.startswith(model) and call.ended_at for call in calls)
    )
    call = next(one for one in calls if one.model.startswith(model))
    assert call.peer_closed_at is not None
    rows = settled_rows(relay.folder, lambda rows: any(row["model"].startswith(model) for row in rows))
    row = next(row for row in rows if row["model"].startswith(model))
    assert (row["outcome"], row["first_ms"]) == ("cancelled", None)
    assert row["usage"]["output_tokens"] == 0


def test_a_client_that_leaves_a_whole_call_is_read_to_the_end_for_its_usage(
    relay: ServerProcess, upstream: ScriptedUpstream
) -> None:
    model = "basic?first_ms=300&chunks=9"
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=10)
    body = {"model": f"up/{model}", "messages": [{"role": "user", "content": "hi"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    upstream.ledger.wait(lambda calls: any(call.model == model for call in calls))
    connection.close()
    calls = upstream.ledger.wait(
        lambda calls: any(call.model == model and call.ended_at is not None for call in calls)
    )
    assert next(call for call in calls if call.model == model).completed
    rows = settled_rows(relay.folder, lambda rows: any(row["model"] == model for row in rows))
    row = next(row for row in rows if row["model"] == model)
    assert (row["outcome"], row["usage_source"]) == ("cancelled", "reported")
    assert row["usage"]["output_tokens"] == 9
