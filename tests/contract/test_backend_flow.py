"""Answers that come slowly flow through a backend in its connection's callbacks, and are those that are read."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.outbound.http.http1.upstream import Http1Upstream
from relay.domain.chat import DialectName
from relay.domain.errors import Interrupted
from relay.domain.events import (
    Finished,
    PartDelta,
    PartEnded,
    PartStarted,
    Started,
    StreamEvent,
    UsageReported,
)
from relay.domain.folding import fold
from relay.domain.usage import Usage
from tests.support.hostile import hostile_server
from tests.support.upstream.http1 import Peer, Request
from tests.support.upstream_calls import Outcome, backend_for, outcome, upstream_call

pytestmark = pytest.mark.anyio

KINDS: Mapping[str, DialectName] = {
    "openai": "openai.chat",
    "openai-compatible": "openai.chat",
    "ollama": "ollama.chat",
    "anthropic": "anthropic.messages",
    "openai-responses": "openai.responses",
    "gemini": "gemini.generate",
    "cohere": "cohere.v2",
}
PIECE_BYTES = 150
WORDS = [f"word {number} " for number in range(40)]
ASKED: Mapping[str, dict[str, Any]] = {
    "openai.chat": {},
    "ollama.chat": {},
    "anthropic.messages": {"max_tokens": 100},
    "openai.responses": {"input": "hi"},
}
EVENTS: list[StreamEvent] = [
    Started(id="a-1", model="m-1", created=1),
    PartStarted(index=0, kind="text"),
    *(PartDelta(index=0, text=word) for word in WORDS),
    PartEnded(index=0),
    UsageReported(usage=Usage(input_tokens=3, output_tokens=40)),
    Finished(reason="stop", raw_reason="stop"),
]


def spoken(name: DialectName) -> list[bytes]:
    """The answer in a dialect, in pieces that end anywhere."""
    scene = Scene(id="a-1", model="m-1", created=1, started_ns=1, clock_ns=lambda: 2, include_usage=True)
    encoder = DIALECTS[name].encoder(scene)
    whole = b"".join((*(encoder.send(event) for event in EVENTS), encoder.close()))
    return [whole[start : start + PIECE_BYTES] for start in range(0, len(whole), PIECE_BYTES)]


def wire_of(kind: str, client: DialectName) -> DialectName:
    """How a provider is called: OpenAI's clients of Responses get what they speak."""
    return client if (kind, client) == ("openai", "openai.responses") else KINDS[kind]


async def called(kind: str, client: DialectName, *, flows: bool, cut_after: int = 10**6) -> Outcome:
    """What a call of a provider comes to that speaks slowly, and maybe not to its end."""

    async def answer(peer: Peer, request: Request, number: int) -> None:
        content_type = b"application/x-ndjson" if kind == "ollama" else b"text/event-stream"
        await peer.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n" % content_type
        )
        for piece in spoken(wire_of(kind, client))[:cut_after]:
            await peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            await asyncio.sleep(0.002)
        if cut_after < 10**6:
            peer.close()
        else:
            await peer.send(b"0\r\n\r\n")

    async with hostile_server(answer) as server:
        http = Http1Upstream()
        try:
            return await outcome(
                backend_for(kind, http, base_url=server.url),
                upstream_call(client, **ASKED[client]),
                flows=flows,
            )
        finally:
            await http.aclose()


@pytest.mark.parametrize("client", ASKED)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_flows_is_what_is_read(kind: str, client: DialectName) -> None:
    flowed = await called(kind, client, flows=True)
    read = await called(kind, client, flows=False)
    assert flowed.failure is read.failure is None
    assert flowed.is_complete
    assert flowed.flowed >= 1
    assert (flowed.text, flowed.usage, flowed.losses) == (read.text, read.usage, read.losses)
    assert flowed.text == "".join(WORDS)
    if not flowed.passes:
        assert fold(flowed.events) == fold(read.events)
    else:
        assert flowed.raw == read.raw


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_that_breaks_off_in_the_flow_fails_after_what_came(kind: str) -> None:
    result = await called(kind, "openai.chat", flows=True, cut_after=4)
    assert isinstance(result.failure, Interrupted)
    assert "".join(WORDS).startswith(result.text)
