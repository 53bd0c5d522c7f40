"""The scripted upstream serves lists and cards, keeps connections, notices closes, and keeps its ledger."""

import asyncio
import json
import time

import pytest

from tests.support.raw_http import connected
from tests.support.upstream import DEFAULT_MODELS, ScriptedUpstream, everything_ended
from tests.unit.support.asking import BOTH, OLLAMA, OPENAI, ask, ask_on, request_body

pytestmark = pytest.mark.anyio


async def get(up: ScriptedUpstream, path: str, method: str = "GET") -> tuple[int, bytes]:
    async with connected(up.base_url) as connection:
        await connection.send(method, path)
        head = await connection.head()
        return head.status, b"" if method == "HEAD" else await connection.body()


async def test_it_says_that_ollama_is_running(upstream: ScriptedUpstream) -> None:
    assert await get(upstream, "/") == (200, b"Ollama is running")
    assert (await get(upstream, "/", "HEAD"))[0] == 200
    assert json.loads((await get(upstream, "/api/version"))[1]) == {"version": "0.32.15"}


@pytest.mark.parametrize("path", ["/v1/models", "/openai/v1/models", "/models"])
async def test_openai_clients_find_the_models(upstream: ScriptedUpstream, path: str) -> None:
    status, body = await get(upstream, path)
    assert status == 200
    assert [model["id"] for model in json.loads(body)["data"]] == list(DEFAULT_MODELS)


async def test_ollama_clients_find_the_models_with_tags() -> None:
    async with ScriptedUpstream(models=["basic", "echo:7b"]) as up:
        _, body = await get(up, "/api/tags")
        [first, second] = json.loads(body)["models"]
    assert [first["name"], second["model"]] == ["basic:latest", "echo:7b"]
    assert len(first["digest"]) == 64


@pytest.mark.parametrize(
    ("model", "capability"), [("tools", "tools"), ("think:latest", "thinking"), ("image?chunks=1", "vision")]
)
async def test_a_model_card_tells_what_the_script_can(
    upstream: ScriptedUpstream, model: str, capability: str
) -> None:
    async with connected(upstream.base_url) as connection:
        await connection.send("POST", "/api/show", {"model": model})
        assert (await connection.head()).status == 200
        card = json.loads(await connection.body())
    assert card["capabilities"] == ["completion", capability]
    assert card["model_info"]["scripted.context_length"] == 32768


@pytest.mark.parametrize("path", ["/v1/models", "/api/tags"])
async def test_the_listing_can_be_made_to_fail_and_to_hang(upstream: ScriptedUpstream, path: str) -> None:
    upstream.listing = "fail"
    assert (await get(upstream, path))[0] == 500
    upstream.listing = "hang"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(get(upstream, path), 0.05)
    upstream.listing = "ok"
    assert (await get(upstream, path))[0] == 200


async def test_unknown_paths_and_bodies_are_refused(upstream: ScriptedUpstream) -> None:
    assert (await get(upstream, "/nowhere"))[0] == 404
    assert (await get(upstream, "/v1/embeddings", "POST"))[0] == 400
    async with connected(upstream.base_url) as connection:
        await connection.send("POST", OPENAI, b"{not json")
        assert (await connection.head()).status == 400
    assert (await ask(upstream, OLLAMA, "basic", messages="no list")).head.status == 400


async def test_what_is_not_http_is_answered_with_400_and_a_close(upstream: ScriptedUpstream) -> None:
    async with connected(upstream.base_url) as connection:
        await connection.send_bytes(b"hello\r\n\r\n")
        assert (await connection.head()).status == 400
        assert await connection.closed_by_peer()


async def test_one_connection_serves_many_calls(upstream: ScriptedUpstream) -> None:
    async with connected(upstream.base_url) as connection:
        texts = [(await ask_on(connection, path, "basic?chunks=1")).text for path in BOTH * 3]
    await ask(upstream, OPENAI, "basic")
    assert texts == ["000 "] * 6
    assert [call.connection for call in upstream.ledger.calls] == [1] * 6 + [2]


async def test_a_client_that_asks_for_a_close_gets_it(upstream: ScriptedUpstream) -> None:
    async with connected(upstream.base_url) as connection:
        await connection.send("POST", OPENAI, request_body(OPENAI, "basic"), {"connection": "close"})
        await connection.head()
        assert await connection.body()
        assert await connection.closed_by_peer()


async def test_a_request_body_may_come_in_chunks(upstream: ScriptedUpstream) -> None:
    body = json.dumps(request_body(OPENAI, "echo", stream=False)).encode()
    async with connected(upstream.base_url) as connection:
        await connection.send_bytes(
            b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for part in (body[:10], body[10:], b""):
            await connection.send_bytes(b"%x\r\n%s\r\n" % (len(part), part))
        assert (await connection.head()).status == 200
        assert b"eight by" in await connection.body()


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("abruptly", [False, True])
async def test_a_close_in_mid_stream_is_noticed_at_once(
    upstream: ScriptedUpstream, path: str, abruptly: bool
) -> None:
    async with connected(upstream.base_url) as connection:
        await connection.send("POST", path, request_body(path, "basic?chunks=1000&delay_ms=1000"))
        await connection.head()
        closed_at = time.monotonic()
        if abruptly:
            connection.writer.transport.abort()
        else:
            connection.close()
        [call] = await upstream.ledger.reached(everything_ended)
    assert call.peer_closed_at is not None
    assert 0 <= call.peer_closed_at - closed_at < 0.2
    assert (call.completed, call.error) == (False, "the other side closed the connection")


@pytest.mark.parametrize(
    "model", ["fault/silent", "fault/stall", "fault/pings?every_ms=60000", "basic?first_ms=60000"]
)
async def test_a_close_during_silence_is_noticed_at_once(upstream: ScriptedUpstream, model: str) -> None:
    async with connected(upstream.base_url) as connection:
        await connection.send("POST", OPENAI, request_body(OPENAI, model))
        await upstream.ledger.reached(lambda calls: bool(calls) and bool(calls[0].tokens_in))
        closed_at = time.monotonic()
        connection.close()
        [call] = await upstream.ledger.reached(everything_ended)
    assert call.peer_closed_at is not None
    assert call.peer_closed_at - closed_at < 0.2


async def test_a_reader_that_stops_reading_holds_the_stream_up(upstream: ScriptedUpstream) -> None:
    async with connected(upstream.base_url) as connection:
        await connection.send("POST", OPENAI, request_body(OPENAI, "fault/longline?mb=64"))
        await asyncio.sleep(0.1)
        [call] = upstream.ledger.unfinished
        assert call.status == 200
        connection.writer.transport.abort()
        [call] = await upstream.ledger.reached(everything_ended)
    assert call.bytes_sent < 40_000_000
    assert call.peer_closed_at is not None


async def test_the_ledger_keeps_what_the_caller_sent(upstream: ScriptedUpstream) -> None:
    async with connected(upstream.base_url) as connection:
        marked = {"X-Request-Id": "r-1", "Authorization": "Bearer secret"}
        await connection.send("POST", OPENAI, request_body(OPENAI, "basic"), marked)
        await connection.head()
        await connection.body()
        await connection.send("GET", "/v1/models")
        await connection.head()
    chat, _listing = upstream.ledger.calls
    assert (chat.request_id, chat.headers["authorization"]) == ("r-1", "Bearer secret")
    assert (chat.seq, chat.path, chat.model) == (1, OPENAI, "basic")
    assert [call.seq for call in upstream.ledger.chats] == [1]
    assert upstream.ledger.of("basic")[0].body["stream"] is True
    assert upstream.ledger.of("echo") == []


async def test_the_ledger_adds_chat_calls_up(upstream: ScriptedUpstream) -> None:
    for model in ("basic?chunks=3", "fault/500", "fault/cut?after_chunks=1"):
        await ask(upstream, OPENAI, model)
    totals = upstream.ledger.totals()
    assert (totals.attempts, totals.completed, totals.tokens_in, totals.tokens_out) == (3, 1, 4, 4)


async def test_reset_empties_the_ledger(upstream: ScriptedUpstream) -> None:
    await ask(upstream, OPENAI, "basic")
    upstream.reset()
    assert upstream.ledger.calls == []


async def test_a_condition_that_is_never_met_is_an_error(upstream: ScriptedUpstream) -> None:
    with pytest.raises(TimeoutError):
        await upstream.ledger.reached(everything_ended, timeout_s=0.02)


async def test_leaving_the_block_ends_calls_in_flight() -> None:
    began = time.monotonic()
    async with ScriptedUpstream() as up, connected(up.base_url) as connection:
        await connection.send("POST", OPENAI, request_body(OPENAI, "fault/silent"))
        await up.ledger.reached(lambda calls: bool(calls))
        await up.__aexit__(None, None, None)
        assert await connection.closed_by_peer()
    assert time.monotonic() - began < 1.5
