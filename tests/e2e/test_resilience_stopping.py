"""Stopping amid fifty streams: by one signal all of them end well, by two at once, and each is in the books."""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from relay.adapters.inbound.http.server import HURRIED_INTERRUPT_S
from tests.support.books import ledger_rows
from tests.support.process import ServerProcess, running_server
from tests.support.raw_http import RawConnection, connected
from tests.support.relay_toml import write_relay_toml
from tests.support.upstream import ScriptedUpstream, running_upstream

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

STREAMS = 50
CHUNKS = 60
ENDING = f"up/basic?chunks={CHUNKS}&delay_ms=50"
ENDLESS = "up/fault/stall?after_chunks=3"
ANSWER = "".join(f"{number:03} " for number in range(CHUNKS))


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with running_upstream() as server:
        yield server


@pytest.fixture
def relay(upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[ServerProcess]:
    folder = tmp_path / "relay"
    up = {"kind": "openai-compatible", "base_url": upstream.openai_url}
    write_relay_toml(folder, {"providers": {"up": up}})
    with running_server(folder) as server:
        yield server


async def begun(relay: ServerProcess, model: str) -> tuple[RawConnection, bytes]:
    """A stream of which the first bytes have come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    connection = RawConnection(reader, writer)
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    await connection.send("POST", "/v1/chat/completions", body)
    assert (await connection.head()).status == 200
    return connection, await connection.piece()


async def rest(connection: RawConnection, first: bytes) -> Sequence[bytes]:
    """All events of a stream, the `data: ` taken off."""
    whole = first + await connection.body()
    connection.close()
    return [line[6:] for line in whole.splitlines() if line.startswith(b"data: ")]


def text_of(events: Sequence[bytes]) -> str:
    choices = [json.loads(event)["choices"] for event in events]
    return "".join(choice["delta"].get("content") or "" for (choice,) in filter(None, choices))


async def until_draining(relay: ServerProcess) -> None:
    """Wait until the relay says that it wants no more traffic."""
    async with asyncio.timeout(5):
        while True:
            async with connected(relay.url) as connection:
                await connection.send("GET", "/health/ready")
                head, answer = await connection.head(), await connection.body()
            if head.status == 503:
                assert json.loads(answer)["reasons"] == ["draining"]
                return


async def turned_away(relay: ServerProcess, path: str) -> object:
    """What a new call is told."""
    async with connected(relay.url) as connection:
        body = {"model": ENDING, "messages": [{"role": "user", "content": "hi"}]}
        await connection.send("POST", path, body)
        head = await connection.head()
        assert head.status == 503
        assert head.headers["retry-after"] == "1"
        return json.loads(await connection.body())


async def test_a_stop_lets_fifty_streams_end_and_turns_new_calls_away(relay: ServerProcess) -> None:
    streams = [await begun(relay, ENDING) for _ in range(STREAMS)]
    relay.send_signal(signal.SIGTERM)
    await until_draining(relay)
    refusal = await turned_away(relay, "/v1/chat/completions")
    assert isinstance(refusal, dict)
    assert refusal["error"]["message"] == "the relay is shutting down"
    assert await turned_away(relay, "/api/chat") == {"error": "the relay is shutting down"}
    for events in await asyncio.gather(*(rest(*stream) for stream in streams)):
        assert events[-1] == b"[DONE]"
        assert text_of(events[:-1]) == ANSWER
    assert await asyncio.to_thread(relay.wait, 15) == 0
    rows = await asyncio.to_thread(ledger_rows, relay.folder)
    assert Counter(row["outcome"] for row in rows) == {"ok": STREAMS}
    assert {row["usage"]["output_tokens"] for row in rows} == {CHUNKS}


async def test_a_second_signal_ends_fifty_streams_at_once_and_books_them(relay: ServerProcess) -> None:
    streams = [await begun(relay, ENDLESS) for _ in range(STREAMS)]
    relay.send_signal(signal.SIGTERM)
    await until_draining(relay)
    urged = time.monotonic()
    relay.send_signal(signal.SIGTERM)
    for events in await asyncio.gather(*(rest(*stream) for stream in streams)):
        assert json.loads(events[-1])["error"]["message"] == "the relay is shutting down"
    code = await asyncio.to_thread(relay.wait, 15)
    print(f"{STREAMS} streams ended {time.monotonic() - urged:.2f} s after the second signal")
    assert code == 0
    assert time.monotonic() - urged < HURRIED_INTERRUPT_S + 4
    rows = await asyncio.to_thread(ledger_rows, relay.folder)
    assert Counter(row["outcome"] for row in rows) == {"interrupted": STREAMS}
