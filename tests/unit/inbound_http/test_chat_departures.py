"""The chat routes over the real use case: clients that leave, and calls the relay's stop interrupts."""

import asyncio

import anyio
import pytest

from relay.adapters.inbound.http.asgi import Message
from tests.support.asgi import exchange, http_scope
from tests.support.fakes_chat import Step, TapeBackend, text_tape
from tests.unit.inbound_http.chatting import (
    OLLAMA,
    OPENAI,
    asked,
    body,
    both,
    settled,
)
from tests.unit.inbound_http.listener import (
    HELLO,
    USAGE,
    listening,
)
from tests.unit.inbound_http.sent import Sent

pytestmark = pytest.mark.anyio


@both
async def test_the_first_byte_leaves_before_the_provider_is_done(path: str) -> None:
    listener = listening(TapeBackend((*HELLO[:2], 60.0)))
    async with exchange(listener.api, "POST", path, body=body(path, stream=True)) as going:
        with anyio.fail_after(2):
            assert await going.chunk(0)
        assert not going.finished


@pytest.mark.parametrize("raises", [True, False], ids=["send_raises", "send_ignores"])
@both
async def test_a_client_that_leaves_mid_stream_stops_its_provider(path: str, raises: bool) -> None:
    many = text_tape(*("word " for _ in range(1000)))
    tape: list[Step] = []
    for piece in many:
        tape += [piece, 0.005]
    listener = listening(TapeBackend(tape))
    async with exchange(
        listener.api, "POST", path, body=body(path, stream=True), raises_when_gone=raises
    ) as going:
        await going.chunk(2)
    await settled(listener)
    (ended,) = listener.books.ended
    assert ended.outcome == "cancelled"
    assert ended.usage.output_tokens
    assert listener.backend.exchanges[0].closed
    (line,) = listener.lines
    assert (line.status, line.outcome) == (200, "cancelled")


@both
async def test_a_client_that_leaves_before_the_first_byte_stops_its_provider(path: str) -> None:
    listener = listening(TapeBackend(HELLO, before=(60.0,)))
    async with exchange(listener.api, "POST", path, body=body(path, stream=True)):
        await asked(listener)
    await settled(listener)
    assert [ended.outcome for ended in listener.books.ended] == ["cancelled"]
    assert (listener.lines[0].status, listener.lines[0].outcome) == (499, "cancelled")


async def test_a_call_that_is_not_streamed_is_read_to_its_end_for_its_usage() -> None:
    listener = listening(TapeBackend(HELLO, before=(0.2,)))
    async with exchange(listener.api, "POST", OPENAI, body=body(OPENAI)):
        await asked(listener)
    await settled(listener)
    (ended,) = listener.books.ended
    assert (ended.outcome, ended.usage, ended.usage_source) == ("cancelled", USAGE, "reported")
    assert listener.lines[0].outcome == "cancelled"


async def test_a_client_that_leaves_within_its_body_is_no_request() -> None:
    listener = listening()
    async with exchange(listener.api, "POST", OPENAI, body=[b'{"model"', b":"], pause_s=0.2):
        await anyio.sleep(0.05)
    await settled(listener)
    assert (listener.lines[0].status, listener.lines[0].outcome) == (499, "cancelled")
    assert listener.books.started == []


async def test_fifty_departures_leave_no_task_behind() -> None:
    listener = listening(TapeBackend((*HELLO[:2], 60.0)))
    before = asyncio.all_tasks()

    async def visit(number: int) -> None:
        path = (OPENAI, OLLAMA)[number % 2]
        async with exchange(listener.api, "POST", path, body=body(path, stream=True)) as going:
            if number % 3:
                await going.chunk(0)
            else:
                await asked(listener)

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(visit, number)
    await settled(listener)
    await anyio.sleep(0.02)
    assert asyncio.all_tasks() - before == set()
    assert [ended.outcome for ended in listener.books.ended] == ["cancelled"] * 50
    assert all(exchange.closed for exchange in listener.backend.exchanges)


@both
async def test_an_interrupted_stream_says_so_and_is_in_the_books(path: str) -> None:
    listener = listening(TapeBackend((*HELLO[:2], 60.0)))
    async with exchange(listener.api, "POST", path, body=body(path, stream=True)) as going:
        await going.chunk(0)
        listener.api.traffic.interrupt()
        with anyio.fail_after(2):
            answer = await going.end()
    assert b"shutting down" in answer.chunks[-1].data
    assert [ended.outcome for ended in listener.books.ended] == ["interrupted"]
    assert (listener.lines[0].outcome, listener.lines[0].error) == ("error", "draining")


@both
async def test_a_call_interrupted_before_its_first_byte_is_a_503(path: str) -> None:
    listener = listening(TapeBackend(HELLO, before=(60.0,)))
    async with exchange(listener.api, "POST", path, body=body(path)) as going:
        await asked(listener)
        listener.api.traffic.interrupt()
        answer = await going.end()
    assert (answer.status, answer.headers["connection"]) == (503, "close")
    assert [ended.outcome for ended in listener.books.ended] == ["interrupted"]


@both
async def test_a_server_that_never_tells_of_a_disconnect_leaves_no_task_behind(path: str) -> None:
    listener, before = listening(), asyncio.all_tasks()
    messages: list[Message] = [{"type": "http.request", "body": body(path, stream=True), "more_body": False}]

    async def receive() -> Message:
        if not messages:
            await anyio.sleep_forever()
        return messages.pop()

    await listener.api(http_scope("POST", path), receive, Sent())
    await anyio.sleep(0)
    assert asyncio.all_tasks() == before
