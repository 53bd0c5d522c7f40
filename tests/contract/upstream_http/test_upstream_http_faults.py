"""The contract of the HTTP interface, for every implementation: every way a server can break its own."""

import asyncio
from pathlib import Path

import anyio
import pytest

from relay.adapters.outbound.http.interface import (
    MAX_ERROR_BYTES,
    HttpRequest,
    RequestHead,
    Timeouts,
    UpstreamHttp,
    read_body,
    read_error_body,
)
from relay.domain.errors import Interrupted, Malformed, TimedOut, Unreachable, UpstreamError
from tests.support.hostile import (
    OK_HELLO,
    Answering,
    always,
    closed_port,
    hostile_server,
    wait_until_left,
)
from tests.support.upstream.http1 import Peer, Request
from tests.support.upstream_clients import (
    CHUNKED,
    SHORT,
    Factory,
    contexts,
    get,
    post,
    self_signed,
)

pytestmark = pytest.mark.anyio


async def test_a_change_of_protocol_is_malformed(http: UpstreamHttp) -> None:
    reply = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
    async with hostile_server(always(reply)) as server:
        with pytest.raises(Malformed):
            await post(http, server.url)
        await server.until_all_left()


@pytest.mark.parametrize("kib", [90, 400])
async def test_a_huge_head_is_malformed(http: UpstreamHttp, kib: int) -> None:
    reply = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-a: %b\r\n\r\n" % (b"a" * kib * 1024)
    async with hostile_server(always(reply)) as server:
        with pytest.raises(Malformed):
            await post(http, server.url, Timeouts())
        await server.until_all_left()


async def test_a_compressed_answer_is_refused_and_not_unpacked(http: UpstreamHttp) -> None:
    reply = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00"
    async with hostile_server(always(reply)) as server:
        with pytest.raises(Malformed):
            await post(http, server.url)
        await server.until_all_left()


GARBAGE = [
    b"\x00\x01\x02\x03\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    b"HTTP/1.1 banana\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
]


@pytest.mark.parametrize("raw", GARBAGE)
async def test_what_is_not_http_is_malformed(http: UpstreamHttp, raw: bytes) -> None:
    async with hostile_server(always(raw, then_close=True)) as server:
        with pytest.raises(Malformed):
            await get(http, server.url, Timeouts())


@pytest.mark.parametrize("tail", [b"zz\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n"])
async def test_broken_chunks_are_malformed(http: UpstreamHttp, tail: bytes) -> None:
    async with hostile_server(always(CHUNKED + b"2\r\nok\r\n" + tail, then_close=True)) as server:
        with pytest.raises(Malformed):
            await get(http, server.url, Timeouts())


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\ncontent-"])
async def test_a_connection_that_ends_before_the_head_is_interrupted(http: UpstreamHttp, sent: bytes) -> None:
    async with hostile_server(always(sent, then_close=True)) as server:
        with pytest.raises(Interrupted):
            await post(http, server.url)


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello",
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"ff\r\nhello",
    ],
)
@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_a_connection_that_ends_in_the_body_is_interrupted(
    http: UpstreamHttp, sent: bytes, ending: str
) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(sent)
        if ending == "close":
            peer.close()
        else:
            await asyncio.sleep(0.05)
            await peer.reset()

    async with hostile_server(answer) as server:
        response = await post(http, server.url)
        assert await response.read() == b"hello"
        with pytest.raises(Interrupted):
            await response.read()
        with pytest.raises(UpstreamError):  # and not the end, all of a sudden
            await response.read()
        await response.aclose()


async def test_a_silent_provider_is_given_up_after_the_first_byte_time(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await wait_until_left(peer)

    async with hostile_server(answer) as server:
        began = anyio.current_time()
        with pytest.raises(TimedOut) as raised:
            await post(http, server.url)
        assert 0.3 <= anyio.current_time() - began < 4.0
        assert raised.value.phase == "first_byte"
        await server.until_all_left()


async def test_a_head_that_trickles_does_not_win_time(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nx: ")
        for _ in range(100):
            await peer.pause(0.02)
            await peer.send(b"x")

    async with hostile_server(answer) as server:
        began = anyio.current_time()
        with pytest.raises(TimedOut) as raised:
            await post(http, server.url)
        assert anyio.current_time() - began < 4.0
        assert raised.value.phase == "first_byte"
        await server.until_all_left()


async def test_a_head_without_a_body_is_no_first_byte(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(CHUNKED)
        await wait_until_left(peer)

    async with hostile_server(answer) as server:
        response = await post(http, server.url, Timeouts(first_byte_s=0.3, idle_s=5.0))
        with pytest.raises(TimedOut) as raised:
            await response.read()
        assert raised.value.phase == "first_byte"
        await response.aclose()


async def test_a_stall_in_the_body_is_given_up_after_the_idle_time(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(CHUNKED + b"5\r\nhello\r\n")
        await wait_until_left(peer)

    async with hostile_server(answer) as server:
        response = await post(http, server.url, Timeouts(first_byte_s=5.0, idle_s=0.3))
        assert await response.read() == b"hello"
        began = anyio.current_time()
        with pytest.raises(TimedOut) as raised:
            await response.read()
        assert 0.29 <= anyio.current_time() - began < 3.0
        assert raised.value.phase == "idle"
        await response.aclose()
        await server.until_all_left()


async def test_a_refused_connection_is_unreachable(http: UpstreamHttp) -> None:
    with pytest.raises(Unreachable, match="refused"):
        await get(http, f"http://127.0.0.1:{closed_port()}/v1")


async def test_an_unknown_name_is_unreachable(http: UpstreamHttp) -> None:
    with pytest.raises(Unreachable):
        await get(http, "http://no-such-host.invalid/v1", Timeouts())


async def test_an_address_that_is_not_http_is_unreachable(http: UpstreamHttp) -> None:
    with pytest.raises(Unreachable):
        await get(http, "ftp://127.0.0.1/v1")


async def test_plain_text_where_tls_was_expected_is_unreachable(http: UpstreamHttp) -> None:
    async with hostile_server(always(b""), greeting=b"220 mail.example ready\r\n") as server:
        with pytest.raises(Unreachable, match="TLS"):
            await get(http, server.url.replace("http", "https"), Timeouts())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, in one file with its key."""
    return self_signed(tmp_path_factory.mktemp("tls"))


async def test_tls_is_spoken_and_its_connections_are_used_again(factory: Factory, certificate: Path) -> None:
    serving, trusting = contexts(certificate)
    http = factory(trusting)
    async with hostile_server(always(OK_HELLO), tls=serving) as server:
        assert await get(http, server.url, Timeouts()) == (200, b"hello")
        assert await get(http, server.url, Timeouts()) == (200, b"hello")
        await http.aclose()
    assert server.connections == 1


async def test_the_host_is_named_in_the_handshake(factory: Factory, certificate: Path) -> None:
    serving, trusting = contexts(certificate)
    named: list[str | None] = []
    serving.sni_callback = lambda _, name, __: named.append(name)
    http = factory(trusting)
    async with hostile_server(always(OK_HELLO), tls=serving) as server:
        await get(http, f"https://localhost:{server.port}/", Timeouts())
        await http.aclose()
    assert named == ["localhost"]


async def test_a_certificate_for_another_host_is_unreachable(factory: Factory, tmp_path: Path) -> None:
    serving, trusting = contexts(self_signed(tmp_path, "IP:127.0.0.9,DNS:elsewhere"))
    http = factory(trusting)
    async with hostile_server(always(OK_HELLO), tls=serving) as server:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(Unreachable, match="certificate"):
                await get(http, f"https://{host}:{server.port}/", Timeouts())
        await http.aclose()
    assert server.requests == []


async def test_a_certificate_nobody_vouches_for_is_unreachable(http: UpstreamHttp, certificate: Path) -> None:
    serving, _ = contexts(certificate)
    async with hostile_server(always(OK_HELLO), tls=serving) as server:
        with pytest.raises(Unreachable, match="certificate"):
            await get(http, server.url, Timeouts())
    assert server.requests == []


FAULTS: list[tuple[str, Answering]] = [
    ("garbage", always(b"\x00\r\n\r\n", then_close=True)),
    ("closed", always(b"", then_close=True)),
    ("cut", always(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello", then_close=True)),
    ("silent", always(b"")),
]


@pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in FAULTS])
async def test_an_error_names_neither_the_address_nor_what_was_sent(
    http: UpstreamHttp, answer: Answering
) -> None:
    async with hostile_server(answer) as server:
        head = RequestHead("POST", f"{server.url}/secret-path", {"authorization": "Bearer secret-key"})
        request = HttpRequest(head, b"secret-prompt", timeouts=SHORT)
        with pytest.raises(UpstreamError) as raised:
            await read_body(await http.send(request))
    shown = f"{raised.value.message} {raised.value!r} {raised.value.__cause__!r}"
    assert "secret" not in shown
    assert "127.0.0.1" not in shown
    assert str(server.port) not in shown


async def test_a_header_that_cannot_be_sent_does_not_show_in_the_error(http: UpstreamHttp) -> None:
    request = HttpRequest(RequestHead("POST", "http://127.0.0.1:1/", {"authorization": "Bearer se\r\ncret"}))
    with pytest.raises(UpstreamError) as raised:
        await http.send(request)
    assert "cret" not in f"{raised.value!r} {raised.value.__cause__!r}"


async def test_a_body_over_the_limit_is_malformed_and_not_read_to_its_end(http: UpstreamHttp) -> None:
    sent = 0

    async def answer(peer: Peer, request: Request, number: int) -> None:
        nonlocal sent
        await peer.send(CHUNKED)
        while True:
            await peer.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent += 65536

    async with hostile_server(answer) as server:
        response = await post(http, server.url, Timeouts())
        with pytest.raises(Malformed, match="exceeds 1000000 bytes"):
            await read_body(response, 1_000_000)
        await response.aclose()
        await server.until_all_left()
    assert sent < 20_000_000


async def test_an_error_body_is_cut_at_its_limit_and_may_break_off(http: UpstreamHttp) -> None:
    long = b"HTTP/1.1 500 No\r\ncontent-length: 200000\r\n\r\n" + b"e" * 100_000
    async with hostile_server(always(long, then_close=True)) as server:
        response = await post(http, server.url)
        assert await read_error_body(response) == b"e" * MAX_ERROR_BYTES
        await response.aclose()
    async with hostile_server(always(long[:100], then_close=True)) as server:
        response = await post(http, server.url)
        assert (await read_error_body(response)).startswith(b"eee")
        await response.aclose()
