"""The backend over HTTP against a provider that fails in every way it can, over real connections."""

import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio
import pytest

from relay.adapters.outbound.http.http1.upstream import Http1Upstream
from relay.adapters.outbound.http.interface import UpstreamHttp
from relay.application.ports import ChatBackend
from relay.domain.chat import DialectName
from relay.domain.errors import (
    BadCredential,
    Interrupted,
    Limited,
    Malformed,
    Overloaded,
    Rejected,
    RelayError,
    TimedOut,
    UpstreamError,
)
from tests.support.upstream import ScriptedUpstream, everything_ended
from tests.support.upstream_calls import Outcome, backend_for, outcome, upstream_call

pytestmark = pytest.mark.anyio

FULL = "000 001 002 003 "
IMPATIENCE = {"connect_s": 1.0, "first_byte_s": 0.15, "idle_s": 0.15}


@dataclass(frozen=True)
class Way:
    """What the provider and the client speak."""

    kind: str
    client: DialectName

    @property
    def passes(self) -> bool:
        return (self.kind == "ollama") == (self.client == "ollama.chat")


WAYS = [
    pytest.param(Way("openai", "openai.chat"), id="openai-passed"),
    pytest.param(Way("openai", "ollama.chat"), id="openai-translated"),
    pytest.param(Way("ollama", "ollama.chat"), id="ollama-passed"),
    pytest.param(Way("ollama", "openai.chat"), id="ollama-translated"),
]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    given: Way = request.param
    return given


@pytest.fixture
async def upstream(anyio_backend: str) -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as up:
        yield up


@pytest.fixture
async def http(anyio_backend: str) -> AsyncIterator[UpstreamHttp]:
    client = Http1Upstream(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    yield client
    await client.aclose()


@pytest.fixture
def backend(way: Way, upstream: ScriptedUpstream, http: UpstreamHttp) -> ChatBackend:
    return backend_for(way.kind, http, base_url=address(way, upstream))


@pytest.fixture
def impatient(way: Way, upstream: ScriptedUpstream, http: UpstreamHttp) -> ChatBackend:
    return backend_for(way.kind, http, base_url=address(way, upstream), timeouts=IMPATIENCE)


def address(way: Way, upstream: ScriptedUpstream) -> str:
    return upstream.base_url if way.kind == "ollama" else upstream.openai_url


async def ask(backend: ChatBackend, way: Way, model: str, *, stream: bool = True) -> Outcome:
    return await outcome(backend, upstream_call(way.client, model=model, stream=stream))


def said(result: Outcome) -> str:
    """What the answer says; a whole one that passes may have been glanced at and tell it in its bytes alone."""
    return result.text or json.loads(result.raw)["choices"][0]["message"]["content"]


HARMLESS = [
    "basic",
    "fault/split?n=1",
    "fault/split?n=7",
    "fault/early_hints",
    "fault/slow_head?ms=30",
    "fault/no_done",
    "fault/two_done",
    "fault/usage_twice",
    "fault/keepalive_close",
    "basic?delay_ms=5",
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", HARMLESS)
async def test_what_does_no_harm_is_answered_in_full(
    backend: ChatBackend, way: Way, upstream: ScriptedUpstream, *, model: str, stream: bool
) -> None:
    await ask(backend, way, model, stream=stream)
    result = await ask(backend, way, model, stream=stream)
    assert result.failure is None
    assert result.is_complete
    assert result.passes == way.passes
    assert said(result) == FULL
    assert result.usage is not None
    true = upstream.ledger.of(model)[-1]
    assert result.usage.counts().get("input_tokens") == true.tokens_in
    assert result.usage.counts().get("output_tokens") == true.tokens_out


@pytest.mark.parametrize("kind", ["negative", "string", "words", "float", "huge", "null"])
async def test_an_answer_with_senseless_counts_is_an_answer(
    backend: ChatBackend, way: Way, kind: str
) -> None:
    result = await ask(backend, way, f"fault/badusage?kind={kind}")
    assert result.failure is None
    assert result.text == FULL
    counts = result.usage.counts() if result.usage else {}
    assert all(0 <= count < 2**53 for count in counts.values())


async def test_an_answer_without_counts_is_an_answer(backend: ChatBackend, way: Way) -> None:
    result = await ask(backend, way, "fault/nousage")
    assert result.is_complete
    assert result.text == FULL


REFUSED: list[tuple[str, type[RelayError], int]] = [
    ("fault/400?message=bad", Rejected, 400),
    ("fault/401", BadCredential, 401),
    ("fault/403", BadCredential, 403),
    ("fault/404", Rejected, 404),
    ("fault/422", Rejected, 422),
    ("fault/429", Limited, 429),
    ("fault/500", Overloaded, 500),
    ("fault/503", Overloaded, 503),
    ("fault/529", Overloaded, 529),
    ("fault/redirect?status=307&to=/elsewhere", Malformed, 307),
]


@pytest.mark.parametrize(("model", "kind", "status"), REFUSED)
async def test_a_refusal_is_raised_before_any_piece(
    backend: ChatBackend,
    way: Way,
    upstream: ScriptedUpstream,
    *,
    model: str,
    kind: type[RelayError],
    status: int,
) -> None:
    result = await ask(backend, way, model)
    assert result.pieces == []
    assert type(result.failure) is kind
    assert isinstance(result.failure, UpstreamError)
    assert result.failure.provider_status == status
    assert len(upstream.ledger.calls) == 1


async def test_the_wait_a_provider_asks_for_is_kept(backend: ChatBackend, way: Way) -> None:
    result = await ask(backend, way, "fault/429?retry_after=9&retry_after_ms=1500")
    assert result.failure is not None
    assert result.failure.retry_after_s == 1.5


async def test_the_words_of_a_refused_request_are_kept_and_those_about_the_key_are_not(
    backend: ChatBackend, way: Way
) -> None:
    rejected = await ask(backend, way, "fault/400?message=does not support tools")
    assert rejected.failure is not None
    assert rejected.failure.message == "does not support tools"
    credential = await ask(backend, way, "fault/401?message=bad key k-1")
    assert credential.failure is not None
    assert "k-1" not in credential.failure.message


BEFORE_CONTENT: list[tuple[str, type[RelayError]]] = [
    ("fault/html", Malformed),
    ("fault/gzipbomb", Malformed),
    ("fault/big_head", Malformed),
    ("fault/reset", Interrupted),
    ("fault/cut?after_chunks=0", Interrupted),
    ("fault/error_event?after_chunks=0", Overloaded),
]


@pytest.mark.parametrize(("model", "kind"), BEFORE_CONTENT)
async def test_what_fails_before_any_content_fails_without_any(
    backend: ChatBackend, way: Way, model: str, kind: type[RelayError]
) -> None:
    result = await ask(backend, way, model)
    assert type(result.failure) is kind
    assert result.text == ""


AFTER_CONTENT: list[tuple[str, type[RelayError], str]] = [
    ("fault/cut?after_chunks=2", Interrupted, "000 001 "),
    ("fault/nofinish", Interrupted, FULL),
    ("fault/error_event?after_chunks=2", Overloaded, "000 001 "),
    ("fault/longline?mb=9", Malformed, ""),
]


@pytest.mark.parametrize(("model", "kind", "text"), AFTER_CONTENT)
async def test_what_fails_after_content_delivers_it_first(
    backend: ChatBackend, way: Way, model: str, kind: type[RelayError], text: str
) -> None:
    result = await ask(backend, way, model)
    assert type(result.failure) is kind
    assert result.text == text
    if way.passes:
        assert text[-4:].encode() in result.raw


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("model", "phase"),
    [
        ("fault/silent", "first_byte"),
        ("fault/stall?after_chunks=0", "first_byte"),
        ("fault/stall?after_chunks=2", "idle"),
    ],
)
async def test_a_provider_that_falls_silent_is_given_up(
    impatient: ChatBackend, way: Way, upstream: ScriptedUpstream, *, model: str, phase: str, stream: bool
) -> None:
    began = anyio.current_time()
    result = await ask(impatient, way, model, stream=stream)
    assert 0.15 <= anyio.current_time() - began < 1.5
    assert isinstance(result.failure, TimedOut)
    assert result.failure.phase == phase or not stream
    assert result.text == ("000 001 " if stream and phase == "idle" else "")
    await upstream.ledger.reached(everything_ended)


async def test_life_signs_keep_a_stream_open_until_its_caller_has_had_enough(
    impatient: ChatBackend, way: Way, upstream: ScriptedUpstream
) -> None:
    with anyio.move_on_after(0.5) as scope:
        await ask(impatient, way, "fault/pings?after_chunks=2&every_ms=40")
    assert scope.cancelled_caught
    await upstream.ledger.reached(everything_ended)


async def test_truncated_json_in_a_stream_is_never_a_whole_answer(backend: ChatBackend, way: Way) -> None:
    result = await ask(backend, way, "fault/truncated_json")
    assert isinstance(result.failure, Malformed | Interrupted)
    assert result.text == "000 "


WHOLE: list[tuple[str, type[RelayError]]] = [
    ("fault/html", Malformed),
    ("fault/truncated_json", Malformed),
    ("fault/nofinish", Malformed),
    ("fault/cut", Interrupted),
    ("fault/reset?after_bytes=150", Interrupted),
    ("fault/error_event", Overloaded),
    ("fault/gzipbomb", Malformed),
]


@pytest.mark.parametrize(("model", "kind"), WHOLE)
async def test_a_whole_answer_that_is_not_whole_fails(
    backend: ChatBackend, way: Way, model: str, kind: type[RelayError]
) -> None:
    result = await ask(backend, way, model, stream=False)
    assert type(result.failure) is kind
    assert result.pieces == []


async def test_a_break_at_any_byte_of_a_stream_is_told_and_loses_nothing_that_came(
    backend: ChatBackend, way: Way
) -> None:
    complete = await ask(backend, way, "basic?chunks=2")
    for after_bytes in range(120, 1400, 97):
        result = await ask(backend, way, f"fault/reset?after_bytes={after_bytes}&chunks=2")
        assert complete.text.startswith(result.text)
        if result.failure is None:
            assert result.text == complete.text
        else:
            assert isinstance(result.failure, Interrupted)


async def test_leaving_in_the_middle_is_noticed_by_the_provider_at_once(
    backend: ChatBackend, way: Way, upstream: ScriptedUpstream
) -> None:
    exchange = await backend.open(upstream_call(way.client, model="basic?chunks=200&delay_ms=20"))
    await exchange.read()
    await exchange.aclose()
    [call] = await upstream.ledger.reached(everything_ended, 1.0)
    assert not call.completed


async def test_complete_answers_share_one_connection(
    backend: ChatBackend, way: Way, upstream: ScriptedUpstream
) -> None:
    for stream in (True, False, True):
        assert (await ask(backend, way, "basic", stream=stream)).is_complete
    assert len({call.connection for call in upstream.ledger.calls}) == 1


async def test_the_answer_passed_on_has_the_name_the_client_used(backend: ChatBackend, way: Way) -> None:
    for stream in (True, False):
        result = await ask(backend, way, "basic", stream=stream)
        if way.passes:
            assert b'"model":"asked"' in result.raw
            assert b'"basic"' not in result.raw
