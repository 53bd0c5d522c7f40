"""A hundred clients that take nothing of their long answers: the provider is held back, not the relay filled."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.books import settled_rows
from tests.support.flood import Flood, running_flood
from tests.support.process import ServerProcess, running_server
from tests.support.raw_http import RawConnection, connected
from tests.support.relay_toml import write_relay_toml

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]

READERS = 100
ANSWER_BYTES = 20_000_000
MAX_GROWTH_BYTES = 100 * 1024 * 1024
RECEIVE_BUFFER_BYTES = 4096
QUIET_S = 1.0
OTHER_FDS = 8
"""What the books may have opened meanwhile; with a leak it would be one for each reader."""

PATHS = ("/v1/chat/completions", "/api/chat")


@pytest.fixture
def flood() -> Iterator[Flood]:
    with running_flood(ANSWER_BYTES) as server:
        yield server


@pytest.fixture
def relay(flood: Flood, tmp_path: Path) -> Iterator[ServerProcess]:
    folder = tmp_path / "relay"
    up = {"kind": "openai-compatible", "base_url": f"http://127.0.0.1:{flood.port}/v1", "models": ["flood"]}
    write_relay_toml(folder, {"providers": {"up": up}})
    with running_server(folder) as server:
        yield server


async def asked(relay: ServerProcess, path: str) -> RawConnection:
    """A client whose answer has begun, with little room for more of it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", relay.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=RECEIVE_BUFFER_BYTES)
    connection = RawConnection(reader, writer)
    await ask(connection, path)
    return connection


async def ask(connection: RawConnection, path: str) -> None:
    message = {"role": "user", "content": "all you know"}
    await connection.send("POST", path, {"model": "up/flood", "stream": True, "messages": [message]})
    assert (await connection.head()).status == 200


async def taken_bytes(relay: ServerProcess) -> int:
    """The size of an answer that is read to its end."""
    async with connected(relay.url) as connection:
        await ask(connection, PATHS[0])
        return len(await connection.body())


async def standstill(flood: Flood, within_s: float = 60.0) -> None:
    """Wait until the provider has not been able to send any more for a while."""
    deadline = time.monotonic() + within_s
    sent, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_S:
        assert time.monotonic() < deadline, "the provider is never held back"
        if flood.bytes_sent != sent:
            sent, since = flood.bytes_sent, time.monotonic()
        await asyncio.sleep(0.05)


async def until_all_are_let_go(flood: Flood, within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while flood.open:
            await asyncio.sleep(0.05)


async def test_answers_that_nobody_takes_wait_at_the_provider(relay: ServerProcess, flood: Flood) -> None:
    assert await taken_bytes(relay) > ANSWER_BYTES
    baseline, fds = relay.rss_bytes(), relay.open_fds()
    readers = [await asked(relay, PATHS[number % 2]) for number in range(READERS)]
    await standstill(flood)
    grown = relay.rss_bytes() - baseline
    print(
        f"{READERS} stalled readers of {ANSWER_BYTES / 1e6:.0f} MB each: the relay grew by "
        f"{grown / 2**20:.0f} MiB, the provider was rid of {flood.bytes_sent / 1e6:.0f} MB"
    )
    assert grown <= MAX_GROWTH_BYTES
    assert (flood.open, flood.completed) == (READERS, 1)
    for reader in readers:
        reader.close()
    await until_all_are_let_go(flood)
    rows = await asyncio.to_thread(settled_rows, relay.folder, lambda rows: len(rows) == READERS + 1)
    assert Counter(row["outcome"] for row in rows) == {"ok": 1, "cancelled": READERS}
    assert relay.open_fds() <= fds + OTHER_FDS
