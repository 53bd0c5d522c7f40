"""Two hundred connections that never send a request: each is closed in time, and nobody else is kept waiting."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest

from relay.adapters.inbound.http.connection import HEAD_S
from tests.support.process import ServerProcess
from tests.support.raw_http import RawConnection, connected

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

CONNECTIONS = 200
CLOSED_WITHIN_S = HEAD_S + 1
HONEST_CALLS = 150
HONEST_EVERY_S = 0.02
FLOOR_S = 0.1
"""Below it a wait is the machine's: others may run on it."""

BODY = {"model": "up/basic", "messages": [{"role": "user", "content": "hi"}]}


async def silent(connection: RawConnection) -> None:
    await asyncio.sleep(HEAD_S * 2)


async def half(connection: RawConnection) -> None:
    connection.writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nx-half: a")
    await asyncio.sleep(HEAD_S * 2)


async def trickling(connection: RawConnection) -> None:
    for byte in b"GET /api/version HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: " + b"a" * 1000:
        connection.writer.write(bytes([byte]))
        await asyncio.sleep(0.25)


WAYS: Sequence[Callable[[RawConnection], Awaitable[None]]] = (silent, half, trickling)


async def held_s(url: str, way: Callable[[RawConnection], Awaitable[None]]) -> float:
    """How long the relay holds a connection open on which this is done."""
    async with connected(url) as connection:
        began = time.monotonic()
        sending = asyncio.ensure_future(way(connection))
        try:
            await connection.reader.read(-1)
        except ConnectionError:
            pass  # closed is closed
        finally:
            sending.cancel()
        return time.monotonic() - began


async def honest_s(url: str) -> list[float]:
    """The times of one call after the other, each on a connection of its own."""
    times = []
    for _ in range(HONEST_CALLS):
        began = time.monotonic()
        async with connected(url) as connection:
            await connection.send("POST", "/v1/chat/completions", BODY)
            assert (await connection.head()).status == 200
            assert b"choices" in await connection.body()
        times.append(time.monotonic() - began)
        await asyncio.sleep(HONEST_EVERY_S)
    return times


def p99(times: Sequence[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


async def test_who_sends_no_request_is_closed_in_time_and_keeps_nobody_waiting(relay: ServerProcess) -> None:
    alone = p99(await honest_s(relay.url))
    attack = [asyncio.create_task(held_s(relay.url, WAYS[n % len(WAYS)])) for n in range(CONNECTIONS)]
    await asyncio.sleep(0.5)  # until all are there
    under_attack = p99(await honest_s(relay.url))
    assert not any(connection.done() for connection in attack), "the attack ended before the calls did"
    held = await asyncio.gather(*attack)
    print(
        f"{CONNECTIONS} connections held for {min(held):.2f} to {max(held):.2f} s; "
        f"p99 of honest calls {alone * 1000:.0f} ms before, {under_attack * 1000:.0f} ms meanwhile"
    )
    assert min(held) > HEAD_S - 0.5
    assert max(held) < CLOSED_WITHIN_S
    assert under_attack <= max(2 * alone, FLOOR_S)
