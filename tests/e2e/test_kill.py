"""`kill -9` at random moments under load: no answer lost from the books, none doubled, no start without a row."""

import collections
import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.books import ledger_rows
from tests.support.process import ServerProcess, running_server
from tests.support.relay_toml import write_relay_toml
from tests.support.upstream import Call, UpstreamProcess, read_ledger, upstream_process

pytestmark = pytest.mark.e2e

KILLS = 20
CALLERS = 8
SEED = 11


@dataclass
class Load:
    """Callers in threads, and what each of their answers was."""

    relay: ServerProcess
    answered: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    def call(self, number: int) -> None:
        dice = random.Random(SEED * 1000 + number)
        while not self._stop.is_set():
            stream = dice.random() < 0.6
            chunks = dice.randint(1, 30)
            with self._lock:
                self.in_flight += 1
            try:
                self._one(stream, chunks)
            except (OSError, http.client.HTTPException, ValueError):
                self._stop.wait(0.02)
            finally:
                with self._lock:
                    self.in_flight -= 1

    def _one(self, stream: bool, chunks: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.relay.port, timeout=10)
        try:
            model = f"up/basic?chunks={chunks}&delay_ms=4&first_ms={chunks * 3}"
            body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
            connection.request("POST", "/v1/chat/completions", json.dumps(body))
            response = connection.getresponse()
            text = response.read()
            complete = text.endswith(b"data: [DONE]\n\n") if stream else bool(json.loads(text)["choices"])
            if response.status == 200 and complete:
                with self._lock:
                    self.answered[response.headers["x-request-id"]] = chunks
        finally:
            connection.close()

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def load(relay: ServerProcess) -> Iterator[Load]:
    callers = Load(relay)
    threads = [threading.Thread(target=callers.call, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield callers
    finally:
        callers.stop()
        for thread in threads:
            thread.join(15)


def kill_often(relay: ServerProcess, callers: Load, upstream: UpstreamProcess) -> collections.Counter[str]:
    """Kill and restart the relay; the phases its calls were in when it died."""
    dice = random.Random(SEED)
    phases: collections.Counter[str] = collections.Counter()
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.05, 0.4))
        deadline = time.monotonic() + 5
        while callers.in_flight < 5 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert callers.in_flight >= 5
        relay.kill()
        phases.update(phase_of(call.chunks_sent) for call in cut_calls(upstream))
        relay.restart()
    return phases


def cut_calls(upstream: UpstreamProcess) -> list[Call]:
    """The upstream's calls that the last kill cut off."""
    time.sleep(0.05)
    now = time.monotonic()
    return [call for call in upstream.chats if call.peer_closed_at and now - call.peer_closed_at < 0.5]


def phase_of(chunks_sent: int) -> str:
    return "before the first token" if chunks_sent == 0 else "in the stream"


@pytest.mark.timeout(300)
def test_no_kill_loses_doubles_or_forgets_a_call(tmp_path: Path) -> None:
    with upstream_process(tmp_path / "upstream") as upstream:
        folder = tmp_path / "relay"
        provider = {"kind": "openai-compatible", "base_url": upstream.openai_url, "api_key": "sk-x"}
        write_relay_toml(folder, {"providers": {"up": {**provider, "models": ["basic"]}}})
        with running_server(folder) as relay:
            with load(relay) as callers:
                phases = kill_often(relay, callers, upstream)
            relay.terminate()
            relay.restart()
            relay.terminate()
            rows = ledger_rows(folder)
    by_request = collections.Counter(str(row["request_id"]) for row in rows)
    ids = collections.Counter(str(row["id"]) for row in rows)
    missing = [request for request in callers.answered if not by_request[request]]
    doubled = [request for request, count in by_request.items() if count > 1]
    outcomes = collections.Counter(str(row["outcome"]) for row in rows)
    reached = [call for call in upstream_calls(tmp_path) if call.is_chat]
    print(
        f"{KILLS} kills, {len(callers.answered)} answered, {len(rows)} rows {dict(outcomes)}, "
        f"{len(reached)} calls reached the provider, phases cut {dict(phases)}: "
        f"missing {len(missing)}, doubled {len(doubled)}, "
        f"started without a row {max(0, len(reached) - len(rows))}"
    )
    assert callers.answered
    assert missing == []
    assert doubled == []
    assert set(ids.values()) == {1}
    assert len(rows) >= len(reached)
    assert outcomes["interrupted"] > 0
    tokens = {str(row["request_id"]): row["usage"].get("output_tokens") for row in rows}
    assert all(tokens[request] == chunks for request, chunks in callers.answered.items())


def upstream_calls(tmp_path: Path) -> list[Call]:
    return read_ledger(tmp_path / "upstream" / "upstream.jsonl")
