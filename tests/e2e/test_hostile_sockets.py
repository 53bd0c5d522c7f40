"""Raw sockets against the real process: nothing that must be refused gets a 200, nothing hangs, all is in shape."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack

import pytest

from relay.adapters.inbound.http.connection import HEAD_S
from tests.e2e.conftest import relay_settings
from tests.support.process import ServerProcess, running_server
from tests.support.raw_http import RawConnection, connected
from tests.support.relay_toml import write_relay_toml
from tests.support.upstream import ScriptedUpstream

pytestmark = [pytest.mark.anyio, pytest.mark.e2e]

CHAT = "/v1/chat/completions"
BODY = b'{"model":"up/basic","messages":[{"role":"user","content":"hi"}],"stream":false}'
HANG_S = 2.0

CHUNKED = "transfer-encoding: chunked"
AS_CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
LENGTH = f"content-length: {len(BODY)}"


def request(
    *fields: str, body: bytes = BODY, target: str = CHAT, version: str = "1.1", host: str | None = "127.0.0.1"
) -> bytes:
    lines = [
        f"POST {target} HTTP/{version}",
        *([f"host: {host}"] if host is not None else []),
        *fields,
        "",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1") + body


REFUSED: Mapping[str, tuple[bytes, int]] = {
    "a length and chunks": (request(LENGTH, CHUNKED, body=AS_CHUNKS), 400),
    "chunks and a length": (request(CHUNKED, LENGTH, body=AS_CHUNKS), 400),
    "the same length twice": (request(LENGTH, LENGTH), 400),
    "two lengths": (request(LENGTH, "content-length: 5"), 400),
    "a list of lengths": (request(f"{LENGTH}, {len(BODY)}"), 400),
    "a length with a sign": (request(f"content-length: +{len(BODY)}"), 400),
    "a length below nothing": (request("content-length: -1"), 400),
    "a length in hex": (request(f"content-length: {len(BODY):#x}"), 400),
    "a length without end": (request("content-length: " + "9" * 40), 400),
    "chunks of something else": (request("transfer-encoding: gzip, chunked", body=AS_CHUNKS), 400),
    "something after chunks": (request("transfer-encoding: chunked, identity", body=AS_CHUNKS), 400),
    "almost chunks": (request("transfer-encoding: xchunked", body=AS_CHUNKS), 400),
    "chunks behind a vertical tab": (request("transfer-encoding: \x0bchunked", body=AS_CHUNKS), 400),
    "chunks by a name with a space": (request("transfer-encoding : chunked", body=AS_CHUNKS), 400),
    "chunks on a second line": (request("transfer-encoding:\r\n chunked", body=AS_CHUNKS), 400),
    "chunks before HTTP/1.1": (request(CHUNKED, body=AS_CHUNKS, version="1.0"), 400),
    "two hosts": (request("host: 127.0.0.1", LENGTH), 400),
    "no host": (request(LENGTH, host=None), 400),
    "an empty host": (request(LENGTH, host=""), 400),
    "a host with a space": (request(LENGTH, host="a b"), 400),
    "a host with a path": (request(LENGTH, host="localhost/x"), 400),
    "a host on two lines": (request(LENGTH, host="localhost\r\n evil.example"), 400),
    "a host of somebody else": (request(LENGTH, host="evil.example"), 403),
    "a host that is forwarded": (request("x-forwarded-host: localhost", LENGTH, host="evil.example"), 403),
    "two credentials": (request("authorization: Bearer a", "authorization: Bearer b", LENGTH), 400),
    "two content types": (request("content-type: a", "content-type: b", LENGTH), 400),
    "line feeds alone": (request(LENGTH).replace(b"\r\n", b"\n"), 400),
    "a carriage return alone": (request("x: a\rb", LENGTH), 400),
    "a NUL in a value": (request("x: a\x00b", LENGTH), 400),
    "a control character in a value": (request("x: a\x01b", LENGTH), 400),
    "a NUL in a name": (request("x\x00: a", LENGTH), 400),
    "a space in a name": (request("x y: a", LENGTH), 400),
    "a field without a name": (request(": a", LENGTH), 400),
    "a field without a colon": (request("xyz", LENGTH), 400),
    "101 fields": (request(*["x: y"] * 101, LENGTH), 431),
    "5,000 fields": (request(*["x: y"] * 5000, LENGTH), 431),
    "a field of 40 KB": (request("x: " + "a" * 40_000, LENGTH), 431),
    "a field of 200 KB": (request("x: " + "a" * 200_000, LENGTH), 431),
    "a target of 40 KB": (request(LENGTH, target=f"{CHAT}?{'a' * 40_000}"), 431),
    "another server's address": (request(LENGTH, target=f"http://evil.example{CHAT}"), 400),
    "an address with a user": (request(LENGTH, target=f"http://a@127.0.0.1{CHAT}"), 400),
    "a target without a slash": (request(LENGTH, target=CHAT[1:]), 400),
    "a target with a fragment": (request(LENGTH, target=f"{CHAT}#x"), 400),
    "a target with a space": (request(LENGTH, target="/v1/chat /completions"), 400),
    "a control character in the target": (request(LENGTH, target=f"{CHAT}\x01"), 400),
    "a NUL by escape in the target": (request(LENGTH, target=f"{CHAT}%00"), 400),
    "a line end by escape in the target": (request(LENGTH, target=f"{CHAT}%0d%0ax:y"), 400),
    "a chunk of no size": (request(CHUNKED, body=b"zz\r\n" + BODY), 400),
    "a chunk below nothing": (request(CHUNKED, body=b"-1\r\n" + BODY), 400),
    "a chunk without end": (request(CHUNKED, body=b"f" * 20 + b"\r\n" + BODY), 400),
    "a chunk longer than it says": (request(CHUNKED, body=AS_CHUNKS.replace(BODY, BODY + b"xx")), 400),
    "chunks by line feeds": (request(CHUNKED, body=AS_CHUNKS.replace(b"\r\n", b"\n")), 400),
    "HTTP/2 by name": (request(LENGTH, version="2.0"), 505),
    "HTTP/1.2": (request(LENGTH, version="1.2"), 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "the begin of TLS": (bytes.fromhex("16030100f4010000f00303"), 400),
    "a tunnel": (b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nhost: 127.0.0.1:80\r\n\r\n", 400),
    "an asterisk": (b"OPTIONS * HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", 400),
    "a method nobody knows": (b"FOO / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", 400),
    "garbage": (b"GARBAGE\r\n\r\n", 400),
    "a compressed body": (request("content-encoding: gzip", LENGTH), 415),
    "a body of 50 MB by its length": (request("content-length: 50000000", body=b""), 413),
}  # fmt: skip

WITHOUT_A_TARGET = frozenset({"a control character in the target", "a target without a slash"})
"""Broken before anybody could tell where they were going: the answer is in Ollama's shape, as outside `/v1`."""

STILL_OPEN = frozenset({"a host of somebody else", "a host that is forwarded", "a compressed body"})
"""Refused for what they mean, not for how they are framed: the connection may go on."""


@pytest.mark.parametrize("name", REFUSED)
async def test_what_must_be_refused_is_refused_at_once_in_its_shape(
    relay: ServerProcess, upstream: ScriptedUpstream, name: str
) -> None:
    sent, status = REFUSED[name]
    calls = len(upstream.ledger.chats)
    async with asyncio.timeout(HANG_S), connected(relay.url) as connection:
        connection.writer.write(sent)
        head = await connection.head()
        body = await connection.body()
        assert head.status == status
        assert head.headers["x-request-id"]
        assert b'"error"' in body
        if CHAT.encode() in sent.split(b"\r\n")[0] and name not in WITHOUT_A_TARGET:
            assert b'"param"' in body, "OpenAI's shape under /v1"
        if name not in STILL_OPEN:
            assert await connection.closed_by_peer()
    assert len(upstream.ledger.chats) == calls


@pytest.mark.parametrize("name", [name for name, (_, status) in REFUSED.items() if status == 400])
async def test_a_request_behind_a_refused_one_is_never_answered(relay: ServerProcess, name: str) -> None:
    sent, _ = REFUSED[name]
    async with asyncio.timeout(HANG_S), connected(relay.url) as connection:
        connection.writer.write(sent + b"GET /api/version HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        answers = (await connection.reader.read(-1)).count(b"HTTP/1.1 ")
    assert answers == 1


async def test_what_is_odd_and_sound_is_served(relay: ServerProcess) -> None:
    for sent in (
        request(LENGTH),
        b"\r\n\r\n" + request(LENGTH),
        request(CHUNKED, body=AS_CHUNKS),
        request(CHUNKED, body=AS_CHUNKS.replace(b"\r\n", b";a=b\r\n", 1)),
        request(LENGTH, target=f"http://127.0.0.1{CHAT}"),
        request(LENGTH, target=f"/{CHAT}/"),
        request("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABk", LENGTH),
        request(LENGTH, host=None, version="1.0"),
        request(LENGTH, host=f"LocalHost:{relay.port}"),
    ):
        async with asyncio.timeout(HANG_S), connected(relay.url) as connection:
            connection.writer.write(sent)
            assert (await connection.head()).status == 200, sent[:200]
            assert b"choices" in await connection.body()


async def test_a_chunked_body_over_the_limit_is_told_so(relay: ServerProcess) -> None:
    megabyte = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    async with asyncio.timeout(20), connected(relay.url) as connection:
        await connection.send_bytes(request(CHUNKED, body=b""))
        for _ in range(40):
            await connection.send_bytes(megabyte)
        assert (await connection.head()).status == 413
        assert b'"param"' in await connection.body()
    assert relay.rss_bytes() < 400 * 1024 * 1024


@pytest.mark.timeout(90)
async def test_slow_heads_and_silence_are_ended_in_time_and_harm_nobody(relay: ServerProcess) -> None:
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connected(relay.url)) for _ in range(20)]
        slow = [await stack.enter_async_context(connected(relay.url)) for _ in range(60)]
        trickles = [asyncio.create_task(trickling(connection)) for connection in slow]
        honest = [await honest_s(relay.url) for _ in range(20)]
        await asyncio.gather(*(connection.reader.read(-1) for connection in (*silent, *slow)))
        for trickle in trickles:
            trickle.cancel()
    assert HEAD_S - 0.5 < time.monotonic() - began < HEAD_S + 6
    assert max(honest) < HANG_S


async def trickling(connection: RawConnection) -> None:
    for byte in b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"a" * 1000:
        connection.writer.write(bytes([byte]))
        await asyncio.sleep(0.2)


async def honest_s(url: str) -> float:
    began = time.monotonic()
    async with connected(url) as connection:
        await connection.send("GET", "/api/version")
        assert (await connection.head()).status == 200
    return time.monotonic() - began


@pytest.fixture(scope="module")
def configured(
    upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("configured")
    server = {"origins": ["https://app.example.com"], "hosts": ["relay.example.com"]}
    write_relay_toml(folder, {"server": server, **relay_settings(upstream)})
    with running_server(folder, env={"OLLAMA_ORIGINS": "https://*.example.org"}) as process:
        yield process


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1", "https://app.example.com", 200),
        ("127.0.0.1", "https://a.example.org", 200),
        ("relay.example.com", "http://localhost:3000", 200),
        ("relay.example.com", "https://relay.example.com", 200),
        ("127.0.0.1", "https://other.example.com", 403),
        ("other.example.com", "https://app.example.com", 403),
    ],
)  # fmt: skip
async def test_the_operators_pages_and_names_are_served(
    configured: ServerProcess, host: str, origin: str, status: int
) -> None:
    async with connected(configured.url) as connection:
        await connection.send("GET", "/api/tags", headers={"host": host, "origin": origin})
        assert (await connection.head()).status == status
