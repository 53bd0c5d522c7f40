"""A database that cannot be written: calls go on, readiness says so, and the books catch up."""

import http.client
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import relay_settings
from tests.support.books import settled_rows
from tests.support.process import ServerProcess, running_server
from tests.support.relay_toml import write_relay_toml
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

CALLS = 20


def get(server: ServerProcess, path: str) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("GET", path)
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer


def ask(server: ServerProcess) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    body = {"model": "up/basic", "messages": [{"role": "user", "content": "hi"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_database_held_by_another_process_delays_the_books_and_nothing_else(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    write_relay_toml(tmp_path, relay_settings(upstream))
    with running_server(tmp_path) as server:
        holder = sqlite3.connect(tmp_path / "relay.db", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        assert [ask(server) for _ in range(CALLS)] == [200] * CALLS
        wait_for(lambda: get(server, "/health/ready")[1]["status"] == "degraded")
        wait_for(lambda: "books_behind" in server.stderr)
        status, health = get(server, "/health/ready")
        assert status == 200
        assert health["reasons"]
        assert ask(server) == 200
        holder.rollback()
        holder.close()
        rows = settled_rows(tmp_path, lambda rows: len(rows) == CALLS + 1)
        assert {row["outcome"] for row in rows} == {"ok"}
        assert get(server, "/health/ready") == (200, {"status": "ready"})
        wait_for(lambda: "books_level" in server.stderr)
