"""The ASGI driver streams, disconnects when told to, delivers bodies in pieces and runs lifespans."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.asgi import call, exchange, lifespan

pytestmark = pytest.mark.anyio

START = {"type": "http.response.start", "status": 200, "headers": [(b"X-Kind", b"a"), (b"x-kind", b"b")]}


def part(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


class Streamer:
    """Sends numbered chunks until it is told that the client has left, or has sent them all."""

    def __init__(self, chunks: int, pause_s: float = 0.0) -> None:
        self.chunks = chunks
        self.pause_s = pause_s
        self.sent = 0
        self.ended = False
        self.left = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        watcher = asyncio.create_task(self._watch(receive))
        await send(START)
        while self.sent < self.chunks and not self.left:
            await asyncio.sleep(self.pause_s)
            await send(part(b"%d" % self.sent))
            self.sent += 1
        await send(part(b"", more=False))
        watcher.cancel()
        self.ended = True

    async def _watch(self, receive: Any) -> None:
        self.left = (await receive())["type"] == "http.disconnect"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the body, one chunk for each message it came in."""
    await send({"type": "http.response.start", "status": 201, "headers": []})
    while (message := await receive())["more_body"]:
        await send(part(message["body"]))
    await send(part(message["body"], more=False))


async def test_the_first_chunk_is_seen_before_the_application_has_ended() -> None:
    app = Streamer(3, pause_s=0.02)
    async with exchange(app, "GET", "/") as going:
        assert await going.head() == 200
        first = await going.chunk(0)
        assert first is not None
        assert (first.data, app.ended) == (b"0", False)
        answer = await going.end()
    assert answer.body == b"012"
    assert answer.chunks[2].at_s - answer.chunks[0].at_s >= 0.035
    assert app.ended


async def test_headers_are_lower_case_and_repeated_ones_are_kept() -> None:
    async with exchange(Streamer(1), "GET", "/") as going:
        await going.head()
        assert going.header_pairs == [("x-kind", "a"), ("x-kind", "b")]
        assert going.headers == {"x-kind": "b"}


async def test_a_client_can_leave_after_a_chunk() -> None:
    app = Streamer(1_000_000)
    async with exchange(app, "GET", "/") as going:
        await going.chunk(2)
        going.disconnect()
    assert app.ended
    assert 3 <= app.sent < 1000
    assert len(going.chunks) < 1000


async def test_a_client_can_leave_before_the_first_byte() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        seen.append((await receive())["type"])

    async with exchange(app, "POST", "/", body=b"x") as going:
        await asyncio.sleep(0)
        going.disconnect()
    assert (seen, going.status) == (["http.disconnect"], 0)


async def test_a_client_can_leave_while_its_body_is_on_the_way() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([(await receive())["type"] for _ in range(2)])

    async with exchange(app, "POST", "/", body=[b"x", b"y"], pause_s=0.01) as going:
        await asyncio.sleep(0)
        going.disconnect()
    assert seen == ["http.request", "http.disconnect"]


async def test_leaving_the_block_early_is_a_disconnect() -> None:
    app = Streamer(1_000_000)
    async with exchange(app, "GET", "/") as going:
        await going.chunk(0)
    assert app.left


async def test_sending_to_a_client_that_left_raises_when_asked_for() -> None:
    with pytest.raises(OSError, match="has left"):
        async with exchange(Streamer(1_000_000), "GET", "/", raises_when_gone=True) as going:
            await going.chunk(0)


async def test_an_application_that_ignores_the_disconnect_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.support.asgi.GRACE_S", 0.02)
    cancelled: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async with exchange(app, "GET", "/"):
        await asyncio.sleep(0)
    assert cancelled == [True]


async def test_the_request_body_is_delivered_in_pieces() -> None:
    began = time.perf_counter()
    async with exchange(echo, "POST", "/", body=[b"one", b"two", b"three"], pause_s=0.01) as going:
        answer = await going.end()
    assert [chunk.data for chunk in answer.chunks] == [b"one", b"two", b"three"]
    assert time.perf_counter() - began >= 0.02


async def test_a_whole_call_needs_one_line() -> None:
    answer = await call(echo, "POST", "/x", body=b'{"a": 1}')
    assert (answer.status, answer.json()) == (201, {"a": 1})


async def test_the_scope_is_that_of_a_server() -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await send(START)
        await send(part(b"", more=False))

    await call(app, "GET", "/v1/models?limit=2", headers={"X-Request-Id": "r"})
    [scope] = scopes
    assert (scope["path"], scope["query_string"], scope["raw_path"]) == (
        "/v1/models",
        b"limit=2",
        b"/v1/models",
    )
    assert scope["headers"] == [(b"host", b"127.0.0.1:11434"), (b"x-request-id", b"r")]


async def test_an_error_of_the_application_reaches_who_waits_for_the_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError("boom")

    with pytest.raises(ZeroDivisionError):
        await call(app, "GET", "/")


async def test_an_error_after_the_last_chunk_is_raised_on_leaving() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(part(b"", more=False))
        raise ZeroDivisionError("boom")

    with pytest.raises(ZeroDivisionError):
        await call(app, "GET", "/")


async def test_an_answer_without_an_end_is_an_error() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)

    with pytest.raises(EOFError):
        await call(app, "GET", "/")


def lifespan_app(events: list[str], *, answer: str = "complete") -> Callable[[Any, Any, Any], Any]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for step in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{step}"
            events.append(step)
            scope["state"]["ready"] = True
            await send({"type": f"lifespan.{step}.{answer}", "message": "no disk"})

    return app


async def test_a_lifespan_starts_up_and_shuts_down_around_the_block() -> None:
    events: list[str] = []
    async with lifespan(lifespan_app(events)) as state:
        assert (events, state) == (["startup"], {"ready": True})
    assert events == ["startup", "shutdown"]


async def test_a_lifespan_shuts_down_when_the_block_fails() -> None:
    events: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with lifespan(lifespan_app(events)):
            raise ZeroDivisionError
    assert events == ["startup", "shutdown"]


async def test_a_failed_startup_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.asgi.GRACE_S", 0.02)
    with pytest.raises(RuntimeError, match="no disk"):
        async with lifespan(lifespan_app([], answer="failed")):
            pass


async def test_an_application_that_raises_at_startup_is_not_waited_for() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError("boom")

    with pytest.raises(ZeroDivisionError):
        async with lifespan(app):
            pass
