"""Two hundred reloads during a hundred streams: no stream notices, and nothing is left behind."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from relay.adapters.inbound.control.client import send
from relay.adapters.inbound.control.wire import socket_path
from tests.support.books import settled_rows
from tests.support.process import ServerProcess, running_server
from tests.support.relay_toml import Toml, toml_text, write_relay_toml
from tests.support.upstream.background import UpstreamProcess, upstream_process

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

RELOADS = 200
STREAMS = 100
CHUNKS = 60
DELAY_MS = 100
LISTINGS_AT_ONCE = 8
"""Connections that the providers' lists may have left idle; with a leak it would be one for each reload."""

MODEL = f"basic?chunks={CHUNKS}&delay_ms={DELAY_MS}"
ANSWER = "".join(f"{number:03} " for number in range(CHUNKS))


def generation(upstream: UpstreamProcess, number: int) -> Mapping[str, Toml]:
    """Each generation names its models and its providers anew, and changes the limits of those that stay."""
    room = 200 + number
    up: Toml = {"kind": "openai-compatible", "base_url": upstream.openai_url, "max_in_flight": room}
    still: Toml = {"kind": "openai-compatible", "base_url": upstream.openai_url}
    providers: dict[str, Toml] = {"up": up, f"up{number}": up, "still": still}
    if number % 2:
        providers["oll"] = {"kind": "ollama", "base_url": upstream.base_url}
    models: Toml = {
        "always": {"target": f"up{number}/{MODEL}"},
        f"only-{number}": {"target": "still/basic"},
    }
    return {"providers": providers, "models": models}


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[UpstreamProcess]:
    with upstream_process(tmp_path / "upstream") as server:
        yield server


@pytest.fixture
def relay(upstream: UpstreamProcess, tmp_path: Path) -> Iterator[ServerProcess]:
    folder = tmp_path / "relay"
    write_relay_toml(folder, generation(upstream, 0))
    with running_server(folder) as server:
        yield server


async def call(relay: ServerProcess, model: str, *, stream: bool) -> tuple[int, bytes]:
    """Status and body of one chat on a connection of its own."""
    body = json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    status_line, _, rest = answer.partition(b"\r\n")
    return int(status_line.split()[1]), rest.partition(b"\r\n\r\n")[2]


def text_of(stream: bytes) -> str:
    """The text of a stream that ends as one should."""
    events = [line[6:] for line in stream.splitlines() if line.startswith(b"data: ")]
    assert events[-1] == b"[DONE]"
    choices = [json.loads(event)["choices"] for event in events[:-1]]
    return "".join(choice["delta"].get("content") or "" for (choice,) in filter(None, choices))


async def reload_all(relay: ServerProcess, upstream: UpstreamProcess, number: int) -> None:
    """One reload, and the proof that it and nothing older is in force when it returns."""
    file = relay.folder / "relay.toml"
    file.write_text(toml_text(generation(upstream, number)), "utf-8")
    control = socket_path(relay.folder / "relay.db")
    answer = await asyncio.to_thread(send, control, {"do": "config.reload"})
    assert (answer["mistakes"], answer["is_changed"]) == ([], True)
    if number % 10 == 0:
        assert (await call(relay, f"only-{number}", stream=False))[0] == 200
        assert (await call(relay, f"only-{number - 1}", stream=False))[0] == 404


async def storm(relay: ServerProcess, upstream: UpstreamProcess) -> tuple[list[tuple[int, bytes]], float]:
    """The answers of all streams, begun one after the other while the reloads go on."""
    answers: list[asyncio.Task[tuple[int, bytes]]] = []
    began = time.monotonic()
    for number in range(1, RELOADS + 1):
        if number % 2 == 0:
            model = ("always", f"still/{MODEL}")[number // 2 % 2]
            answers.append(asyncio.create_task(call(relay, model, stream=True)))
        await reload_all(relay, upstream, number)
    took_s = time.monotonic() - began
    return [await answer for answer in answers], took_s


async def warm_up(relay: ServerProcess) -> None:
    """As many streams at once as there will be, so that what they leave open is open already."""
    model = "still/basic?first_ms=2000"
    answers = await asyncio.gather(*(call(relay, model, stream=True) for _ in range(STREAMS)))
    assert {status for status, _ in answers} == {200}


def test_two_hundred_reloads_during_a_hundred_streams_are_not_noticed(
    relay: ServerProcess, upstream: UpstreamProcess
) -> None:
    asyncio.run(warm_up(relay))
    fds_before = relay.open_fds()
    answers, took_s = asyncio.run(storm(relay, upstream))
    assert Counter(status for status, _ in answers) == {200: STREAMS}
    assert {text_of(body) for _, body in answers} == {ANSWER}
    rows = settled_rows(relay.folder, lambda rows: sum(row["model"] == MODEL for row in rows) == STREAMS)
    streamed = [row for row in rows if row["model"] == MODEL]
    assert Counter(row["outcome"] for row in streamed) == {"ok": STREAMS}
    assert {row["usage"]["output_tokens"] for row in streamed} == {CHUNKS}
    assert len({row["provider"] for row in streamed}) > STREAMS // 4
    assert "background_job_failed" not in relay.stderr
    print(
        f"{RELOADS} reloads in {took_s:.1f} s; files open before and after: {fds_before}, {relay.open_fds()}"
    )
    assert relay.open_fds() <= fds_before + LISTINGS_AT_ONCE
