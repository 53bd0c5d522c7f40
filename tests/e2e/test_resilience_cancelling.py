"""A storm of clients that leave at any moment: the provider stays usable, and every attempt is in the books."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.books import settled_rows
from tests.support.process import ServerProcess, running_server
from tests.support.raw_http import connected
from tests.support.relay_toml import Toml, write_relay_toml
from tests.support.tcp import connections_to
from tests.support.upstream import ScriptedUpstream, running_upstream

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

ROUNDS = 30
CALLS = 30
AFTERWARDS = 20
MAX_IN_FLIGHT = 10
LEAVE_WITHIN_S = 0.028
MODEL = "basic?chunks=5&delay_ms=3&first_ms=5"
PATHS = ("/v1/chat/completions", "/api/chat")


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with running_upstream() as server:
        yield server


@pytest.fixture
def relay(upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[ServerProcess]:
    folder = tmp_path / "relay"
    up: Toml = {"kind": "openai-compatible", "base_url": upstream.openai_url, "max_in_flight": MAX_IN_FLIGHT}
    write_relay_toml(folder, {"providers": {"up": up}})
    with running_server(folder) as server:
        yield server


def body(stream: bool) -> dict[str, Any]:
    return {"model": f"up/{MODEL}", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}


async def leave(relay: ServerProcess, path: str, stream: bool, after_s: float) -> None:
    """Ask, and close the connection whatever has come by then."""
    async with connected(relay.url) as connection:
        await connection.send("POST", path, body(stream))
        await asyncio.sleep(after_s)


async def served(relay: ServerProcess, path: str, stream: bool) -> bool:
    async with connected(relay.url) as connection:
        await connection.send("POST", path, body(stream))
        head = await connection.head()
        answer = await connection.body()
        return head.status == 200 and connection.ending == "whole" and b"004 " in answer


async def storm(relay: ServerProcess) -> None:
    dice = random.Random(7)
    for _ in range(ROUNDS):
        calls = [
            leave(relay, dice.choice(PATHS), dice.random() < 0.7, dice.uniform(0, LEAVE_WITHIN_S))
            for _ in range(CALLS)
        ]
        await asyncio.gather(*calls)


def access_lines(relay: ServerProcess, paths: Sequence[str]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in relay.stderr.splitlines()]
    return [line for line in lines if line["event"] == "request" and line["path"] in paths]


async def test_a_provider_survives_a_storm_of_clients_that_leave(
    relay: ServerProcess, upstream: ScriptedUpstream
) -> None:
    await storm(relay)
    calls = [served(relay, PATHS[number % 2], number % 3 > 0) for number in range(AFTERWARDS)]
    assert await asyncio.gather(*calls) == [True] * AFTERWARDS
    upstream.ledger.wait(lambda _: not upstream.ledger.unfinished, timeout_s=5.0)
    assert connections_to(upstream.port) <= MAX_IN_FLIGHT
    relay.terminate(30)
    assert "Traceback" not in relay.stderr
    attempts = {line["request_id"]: line["attempts"] for line in access_lines(relay, PATHS)}
    every = sum(attempts.values())
    rows = await asyncio.to_thread(settled_rows, relay.folder, lambda rows: len(rows) == every)
    assert Counter(row["request_id"] for row in rows) == Counter(attempts)
    assert {call.request_id for call in upstream.ledger.chats} <= set(attempts)
    outcomes = Counter(row["outcome"] for row in rows)
    print(f"{ROUNDS * CALLS} left, {len(upstream.ledger.chats)} reached the provider: {dict(outcomes)}")
    assert set(outcomes) == {"ok", "cancelled"}
    assert outcomes["cancelled"] > ROUNDS
