"""Connections to the real server: how long they may be silent, how large a head may be, how many there may be."""

import asyncio
import time

import anyio
import pytest

from relay.adapters.inbound.http.chat import Patience
from relay.adapters.inbound.http.connection import ConnectionLimits
from tests.support.fakes_chat import TapeBackend
from tests.support.raw_http import RawConnection, connected
from tests.unit.inbound_http.chatting import OLLAMA, OPENAI, both
from tests.unit.inbound_http.listener import HELLO, listening, openai_body, served

pytestmark = pytest.mark.anyio

HEAD_S = 0.25
SOON_S = HEAD_S + 1.0
QUICK = ConnectionLimits(head_s=HEAD_S)


@pytest.fixture(params=[True, pytest.param(False, marks=pytest.mark.slow)], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: their transports differ in all that matters here."""
    return "asyncio", {"use_uvloop": request.param}


def head(path: str = "/api/tags", *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *fields, "", ""]).encode()


async def ended(connection: RawConnection, within_s: float = SOON_S) -> float:
    """Seconds until the other side ends the connection, having sent nothing."""
    began = time.monotonic()
    assert await connection.closed_by_peer(within_s)
    return time.monotonic() - began


async def answered(connection: RawConnection, status: int, *, shape: str = "openai") -> None:
    """The answer has this status and its dialect's shape, names its request, and ends the connection."""
    with anyio.fail_after(SOON_S):
        answer = await connection.head()
        body = await connection.body()
    assert answer.status == status
    assert answer.headers["x-request-id"]
    assert answer.headers["connection"] == "close"
    assert (b'"param"' in body) == (shape == "openai")
    assert b'"error"' in body
    assert await connection.closed_by_peer(0.5)


async def test_a_silent_connection_is_closed() -> None:
    async with served(listening().api, limits=QUICK) as url, connected(url) as connection:
        assert await ended(connection) > HEAD_S - 0.1


async def test_line_ends_are_silence() -> None:
    async with served(listening().api, limits=QUICK) as url, connected(url) as connection:
        trickle = asyncio.create_task(trickling(connection, b"\r\n" * 50))
        await ended(connection)
        trickle.cancel()


async def trickling(connection: RawConnection, data: bytes, pause_s: float = 0.02) -> None:
    for byte in data:
        await connection.send_bytes(bytes([byte]))
        await asyncio.sleep(pause_s)


@pytest.mark.parametrize(("path", "shape"), [(OPENAI, "openai"), (OLLAMA, "ollama")])
async def test_a_head_that_trickles_is_refused_though_every_byte_is_in_time(path: str, shape: str) -> None:
    listener = listening()
    async with served(listener.api, limits=QUICK) as url, connected(url) as connection:
        first, end, rest = head(path, "x: " + "a" * 1000).partition(b"\r\n")
        await connection.send_bytes(first)
        trickle = asyncio.create_task(trickling(connection, end + rest))
        await answered(connection, 408, shape=shape)
        trickle.cancel()
    assert [(line.status, line.path) for line in listener.lines] == [(408, path)]


async def test_an_idle_connection_is_kept_and_its_next_head_has_the_same_time() -> None:
    async with served(listening().api, limits=QUICK) as url, connected(url) as connection:
        for _ in range(2):
            await connection.send_bytes(head())
            assert (await connection.head()).status == 200
            await connection.body()
            assert not await connection.closed_by_peer(HEAD_S * 1.5)
        await connection.send_bytes(head()[:20])
        await answered(connection, 408, shape="ollama")


async def test_line_ends_do_not_keep_an_idle_connection_for_ever() -> None:
    async with served(listening().api, limits=QUICK) as url, connected(url) as connection:
        await connection.send_bytes(head())
        await connection.head()
        await connection.body()
        await connection.send_bytes(b"\r\n")
        await ended(connection)


@both
async def test_a_long_answer_is_not_a_late_head_nor_is_half_a_head_behind_it(path: str) -> None:
    listener = listening(TapeBackend(HELLO, before=(HEAD_S * 2,)))
    async with served(listener.api, limits=QUICK) as url, connected(url) as connection:
        await connection.send("POST", path, openai_body(stream=False))
        await connection.send_bytes(head()[:10])
        assert (await connection.head()).status == 200
        assert b"Hello" in await connection.body()
        await answered(connection, 408, shape="ollama")


async def test_a_body_nobody_wants_may_not_trickle_for_ever() -> None:
    async with served(listening(mode="keys").api, limits=QUICK) as url, connected(url) as connection:
        await connection.send_bytes(head(OPENAI, "content-length: 1000000", method="POST"))
        assert (await connection.head()).status == 401
        await connection.body()
        trickle = asyncio.create_task(trickling(connection, b"x" * 1000))
        await ended(connection)
        trickle.cancel()


async def test_a_body_nobody_wanted_leaves_the_connection_idle() -> None:
    async with served(listening(mode="keys").api, limits=QUICK) as url, connected(url) as connection:
        await connection.send_bytes(head(OPENAI, "content-length: 20", method="POST"))
        assert (await connection.head()).status == 401
        await connection.body()
        await connection.send_bytes(b"x" * 10)
        await anyio.sleep(0.05)
        await connection.send_bytes(b"x" * 10)
        assert not await connection.closed_by_peer(HEAD_S * 1.5)
        await connection.send_bytes(head("/"))
        assert (await connection.head()).status == 200


TOO_LARGE = (
    head("/v1/models", "x: " + "a" * 40_000),
    head("/v1/models", *["x: " + "a" * 900] * 45),
    head("/v1/models?" + "a" * 40_000),
    head("/v1/models", "x: " + "a" * 300_000),
    head("/v1/models", "x" * 40_000 + ": a"),
    head("/v1/models")[:-2] + b"x: " + b"a" * 300_000,
    b"GET /v1/models?" + b"a" * 300_000,
)


@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_head_over_the_limit_is_refused_complete_or_not(pieces: int) -> None:
    listener = listening()
    async with served(listener.api) as url:
        for sent in TOO_LARGE:
            async with connected(url) as connection:
                size = len(sent) // pieces + 1
                for start in range(0, len(sent), size):
                    connection.writer.write(sent[start : start + size])
                    await anyio.sleep(0.01)
                await answered(connection, 431)
    assert [line.status for line in listener.lines] == [431] * len(TOO_LARGE)


async def test_a_head_within_the_limit_passes_whatever_follows_it_at_once() -> None:
    body = b'{"model":"up/basic","messages":[{"role":"user","content":"%b"}],"stream":false}' % (
        b"x" * 200_000
    )
    padding = "x: " + "a" * 32_000
    async with served(listening().api) as url, connected(url) as connection:
        for _ in range(2):
            request = head(OPENAI, padding, f"content-length: {len(body)}", method="POST") + body
            await connection.send_bytes(request)
            assert (await connection.head()).status == 200
            await connection.body()


async def test_fields_behind_a_body_are_no_headers() -> None:
    listener = listening(mode="keys")
    key = listener.keys.issue()
    trailers = f"0\r\nauthorization: Bearer {key}\r\nhost: evil.example\r\n" + "x: y\r\n" * 2000 + "\r\n"
    async with served(listener.api) as url, connected(url) as connection:
        await connection.send_bytes(head("/api/show", "transfer-encoding: chunked", method="POST"))
        await connection.send_bytes(b"2\r\n{}\r\n" + trailers.encode())
        assert (await connection.head()).status == 401


async def test_a_wish_for_another_protocol_is_overheard_and_the_body_is_not() -> None:
    """Java's client wishes for HTTP/2 with every request; the parser alone would lose the body over it."""
    wish = ("connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "http2-settings: AAMAAABkAARAAAAAAAIAAAAA")
    body = b'{"model":"up/basic","messages":[{"role":"user","content":"hi"}],"stream":false}'
    async with served(listening().api) as url, connected(url) as connection:
        for _ in range(2):
            await connection.send_bytes(
                head(OPENAI, *wish, f"content-length: {len(body)}", method="POST") + body
            )
            assert (await connection.head()).status == 200
            assert b"Hello" in await connection.body()


async def test_an_upgrade_that_cannot_be_overheard_is_refused() -> None:
    sent = head(OPENAI, "connection: upgrade", "upgrade: h2c", "content-length: 2", method="POST") + b"{}"
    listener = listening()
    async with served(listener.api) as url, connected(url) as connection:
        middle = sent.index(b"upgrade: h2c") + 3
        await connection.send_bytes(sent[:middle])
        await anyio.sleep(0.05)
        await connection.send_bytes(sent[middle:])
        await answered(connection, 400)


@both
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_garbage_behind_a_request_does_not_spoil_its_answer(path: str, stream: bool) -> None:
    listener = listening(TapeBackend((*HELLO[:2], 0.1, *HELLO[2:]), before=(0.1,)))
    async with served(listener.api) as url, connected(url) as connection:
        await connection.send("POST", path, openai_body(stream=stream))
        await connection.send_bytes(b"GARBAGE\r\n\r\n")
        assert (await connection.head()).status == 200
        assert b"lo" in await connection.body()
        assert connection.ending == "whole"
        assert await connection.closed_by_peer()
    assert [line.outcome for line in listener.lines] == ["ok"]


async def test_a_body_that_stops_being_http_is_refused_and_nobody_is_called() -> None:
    listener = listening()
    async with served(listener.api) as url, connected(url) as connection:
        await connection.send_bytes(head(OPENAI, "transfer-encoding: chunked", method="POST") + b"5\r\n{")
        await anyio.sleep(0.05)
        await connection.send_bytes(b'"a":zzzz')
        await answered(connection, 400)
    assert listener.backend.calls == []
    assert listener.events == []


async def test_a_413_reaches_a_client_that_reads_only_after_it_has_sent_everything() -> None:
    listener = listening(patience=Patience(body_bytes=1000))
    async with served(listener.api) as url:
        for fields in (("content-length: 8000000",), ("transfer-encoding: chunked",)):
            async with connected(url) as connection:
                await connection.send_bytes(head(OPENAI, *fields, method="POST"))
                for _ in range(100):
                    await connection.send_bytes(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                    await anyio.sleep(0.001)
                await answered(connection, 413)


async def test_whoever_sends_on_for_ever_is_not_listened_to_for_long() -> None:
    api = listening(patience=Patience(body_bytes=10)).api
    async with served(api, limits=ConnectionLimits(linger_s=0.3)) as url, connected(url) as connection:
        await connection.send_bytes(head(OPENAI, "transfer-encoding: chunked", method="POST"))
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            await trickling(connection, b"1000\r\n" + b"x" * 0x1000, pause_s=0.001)
        assert time.monotonic() - began < 2


async def test_a_body_slower_than_the_floor_is_a_408_on_every_kind_of_route() -> None:
    listener = listening(patience=Patience(body_s=0.3))
    async with served(listener.api) as url:
        for path, shape in (
            (OPENAI, "openai"),
            (OLLAMA, "ollama"),
            ("/api/show", "ollama"),
            ("/api/embed", "ollama"),
        ):
            async with connected(url) as connection:
                await connection.send_bytes(head(path, "content-length: 5000", method="POST"))
                trickle = asyncio.create_task(trickling(connection, b"x" * 1000))
                await answered(connection, 408, shape=shape)
                trickle.cancel()
    assert listener.events == []


async def test_a_compressed_body_is_refused_on_every_kind_of_route() -> None:
    async with served(listening().api) as url, connected(url) as connection:
        for path in (OPENAI, OLLAMA, "/api/show", "/api/embed", "/v1/embeddings"):
            for encoding in ("gzip", "br", "deflate", "zstd", "GZIP", "gzip, identity"):
                await connection.send("POST", path, b"\x1f\x8b", headers={"content-encoding": encoding})
                assert (await connection.head()).status == 415, (path, encoding)
                assert b'"error"' in await connection.body()


async def test_a_new_connection_takes_the_place_of_an_idle_one() -> None:
    async with (
        served(listening().api, limits=ConnectionLimits(connections=3)) as url,
        anyio.create_task_group(),
    ):
        idle = [await idling(url) for _ in range(3)]
        async with connected(url) as newcomer:
            await newcomer.send_bytes(head())
            assert (await newcomer.head()).status == 200
        still_open = [connection for connection in idle if not await connection.closed_by_peer(0.1)]
        assert len(still_open) == 2
        for connection in idle:
            connection.close()


async def idling(url: str) -> RawConnection:
    host, port = url.removeprefix("http://").split(":")
    connection = RawConnection(*await asyncio.open_connection(host, int(port)))
    await connection.send_bytes(head())
    await connection.head()
    await connection.body()
    return connection


async def test_where_no_connection_is_idle_a_new_one_is_turned_away_and_told_when_to_come_again() -> None:
    listener = listening(TapeBackend(HELLO, before=(600.0,)))
    async with served(listener.api, limits=ConnectionLimits(connections=2)) as url:
        async with connected(url) as one, connected(url) as other:
            for busy in (one, other):
                await busy.send("POST", OPENAI, openai_body())
            await anyio.sleep(0.1)
            async with connected(url) as late:
                answer = await late.head()
                assert (answer.status, answer.headers["retry-after"]) == (503, "1")
                assert await late.body()
                assert await late.closed_by_peer()
        await anyio.sleep(0.1)
        async with connected(url) as later:
            await later.send_bytes(head())
            assert (await later.head()).status == 200
