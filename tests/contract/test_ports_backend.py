"""The contract of the port `ChatBackend`, for the backend over HTTP in each of its ways, and for the fake."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio
import pytest

from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.outbound.providers.build import build_backends
from relay.adapters.outbound.providers.spec import configured
from relay.adapters.outbound.system import SystemClock
from relay.application.ports import ChatBackend, Exchange, OriginalRequest, Piece, UpstreamCall
from relay.domain.chat import DialectName, Text
from relay.domain.errors import Interrupted, Limited, UpstreamError
from relay.domain.events import ChatResponse, Finished, PartDelta, StreamEvent, UsageReported
from relay.domain.folding import fold
from relay.domain.usage import Usage
from tests.support.fakes_chat import TapeBackend, text_tape
from tests.support.fakes_http import Answer, RecordingHttp, ScriptedResponse, Step, whole

pytestmark = pytest.mark.anyio

WORDS = ("Hello", ", ", "world")
USAGE = Usage(input_tokens=7, output_tokens=3)


@dataclass(frozen=True)
class Plot:
    """What shall happen: a refusal, or an answer that may break off after some words, or never go on."""

    refused: UpstreamError | None = None
    breaks_after: int | None = None
    hangs_after: int | None = None


type Stage = Callable[[Plot, bool], ChatBackend]
"""A backend that plays the plot, streamed or not."""


def fake(plot: Plot, stream: bool) -> ChatBackend:
    if plot.refused is not None:
        return TapeBackend(before=(plot.refused,))
    tape = list(text_tape(*WORDS, usage=USAGE))
    if not stream:
        events: list[StreamEvent] = [
            event for step in tape if isinstance(step, Piece) for event in step.events
        ]
        return TapeBackend(tape=(Piece(events=tuple(events), last=True),))
    if plot.breaks_after is not None:
        return TapeBackend(tape=(*tape[: plot.breaks_after + 1], Interrupted("cut")))
    if plot.hangs_after is not None:
        return TapeBackend(tape=(*tape[: plot.hangs_after + 1], 60.0))
    return TapeBackend(tape=tape)


def over_http(kind: str, chunks: list[bytes], body: object, error: object) -> Stage:
    def stage(plot: Plot, stream: bool) -> ChatBackend:
        http = RecordingHttp(lambda request: answer(plot, stream))
        spec = configured(kind, {"api_key": "k"}, {})
        backends = build_backends([spec], http=http, dialects=DIALECTS, clock=SystemClock(), environ={})
        backend = backends.find(kind)
        assert backend is not None
        return backend

    def answer(plot: Plot, stream: bool) -> Answer:
        if plot.refused is not None:
            return whole(error, status=429, headers={"retry-after": "7"})
        if not stream:
            return whole(body)
        steps: list[Step] = list(chunks)
        if plot.breaks_after is not None:
            steps = [*chunks[: plot.breaks_after], Interrupted("cut")]
        if plot.hangs_after is not None:
            steps = [*chunks[: plot.hangs_after], 60.0]
        return ScriptedResponse(steps)

    return stage


OPENAI_CHUNKS = [
    b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"}}]}\n\n',
    b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":", "}}]}\n\n',
    b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"world"}}]}\n\n',
    b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"id":"1","model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n',
    b"data: [DONE]\n\n",
]
OPENAI_BODY = {
    "id": "1",
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello, world"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
}
OPENAI_ERROR = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}

OLLAMA_CHUNKS = [
    b'{"model":"m","message":{"role":"assistant","content":"Hello"},"done":false}\n',
    b'{"model":"m","message":{"role":"assistant","content":", "},"done":false}\n',
    b'{"model":"m","message":{"role":"assistant","content":"world"},"done":false}\n',
    b'{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",'
    b'"prompt_eval_count":7,"eval_count":3}\n',
]
OLLAMA_BODY = {
    "model": "m",
    "message": {"role": "assistant", "content": "Hello, world"},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 7,
    "eval_count": 3,
}
OLLAMA_ERROR = {"error": "slow down"}


def gemini_chunk(text: str, **more: object) -> dict[str, object]:
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more}
    return {"candidates": [candidate], "modelVersion": "m", "responseId": "1"}


GEMINI_USAGE = {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}
GEMINI_CHUNKS = [
    b"data: %b\n\n" % json.dumps(each).encode()
    for each in (
        *map(gemini_chunk, WORDS),
        gemini_chunk("", finishReason="STOP") | {"usageMetadata": GEMINI_USAGE},
    )
]
GEMINI_BODY = gemini_chunk("Hello, world", finishReason="STOP") | {"usageMetadata": GEMINI_USAGE}
GEMINI_ERROR = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}

COHERE_USAGE = {"tokens": {"input_tokens": 7, "output_tokens": 3}}
COHERE_CHUNKS = [
    *(
        b'data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"%b"}}}}\n\n'
        % word.encode()
        for word in WORDS
    ),
    b'data: {"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":%b}}\n\n'
    % json.dumps(COHERE_USAGE).encode(),
]
COHERE_BODY = {
    "id": "1",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello, world"}]},
    "finish_reason": "COMPLETE",
    "usage": COHERE_USAGE,
}
COHERE_ERROR = {"message": "slow down"}

OPENAI = over_http("openai", OPENAI_CHUNKS, OPENAI_BODY, OPENAI_ERROR)
OLLAMA = over_http("ollama", OLLAMA_CHUNKS, OLLAMA_BODY, OLLAMA_ERROR)
GEMINI = over_http("gemini", GEMINI_CHUNKS, GEMINI_BODY, GEMINI_ERROR)
COHERE = over_http("cohere", COHERE_CHUNKS, COHERE_BODY, COHERE_ERROR)
REQUESTS: dict[DialectName, bytes] = {
    "openai.chat": b'{"model":"asked","messages":[{"role":"user","content":"hi"}]}',
    "ollama.chat": b'{"model":"asked","messages":[{"role":"user","content":"hi"}]}',
}


@dataclass(frozen=True)
class Case:
    """A backend and the dialect its caller speaks."""

    stage: Stage
    dialect: DialectName

    def call(self, *, stream: bool) -> UpstreamCall:
        body = REQUESTS[self.dialect]
        return UpstreamCall(
            original=OriginalRequest(
                dialect=self.dialect,
                body=body,
                decode=lambda: replace(DIALECTS[self.dialect].decode_request(body), stream=stream),
            ),
            model="m",
            echo="asked",
            stream=stream,
            include_usage=True,
            request_id="request-1",
        )

    async def open(self, plot: Plot, *, stream: bool = True) -> Exchange:
        return await self.stage(plot, stream).open(self.call(stream=stream))


@pytest.fixture(
    params=[
        pytest.param(Case(fake, "openai.chat"), id="fake"),
        pytest.param(Case(OPENAI, "openai.chat"), id="openai-passed"),
        pytest.param(Case(OPENAI, "ollama.chat"), id="openai-translated"),
        pytest.param(Case(OLLAMA, "ollama.chat"), id="ollama-passed"),
        pytest.param(Case(OLLAMA, "openai.chat"), id="ollama-translated"),
        pytest.param(Case(GEMINI, "openai.chat"), id="gemini"),
        pytest.param(Case(COHERE, "openai.chat"), id="cohere"),
    ]
)
def case(request: pytest.FixtureRequest) -> Case:
    given: Case = request.param
    return given


async def read_all(exchange: Exchange, pieces: list[Piece] | None = None) -> list[Piece]:
    pieces = [] if pieces is None else pieces
    while not (pieces and pieces[-1].last):
        pieces.append(await exchange.read())
    return pieces


def text(pieces: list[Piece]) -> str:
    return "".join(event.text for piece in pieces for event in piece.events if isinstance(event, PartDelta))


def said_whole(case: Case, pieces: list[Piece]) -> ChatResponse:
    """What the bytes say that pass."""
    [piece] = pieces
    assert piece.raw is not None
    return DIALECTS[case.dialect].decode_response(piece.raw)


def folded(pieces: list[Piece]) -> ChatResponse:
    return fold(event for piece in pieces for event in piece.events)


@pytest.mark.parametrize("stream", [True, False])
async def test_the_pieces_add_up_to_the_answer(case: Case, stream: bool) -> None:
    exchange = await case.open(Plot(), stream=stream)
    assert exchange.status == 200
    pieces = await read_all(exchange)
    await exchange.aclose()
    response = said_whole(case, pieces) if exchange.passes and not stream else folded(pieces)
    assert response.choices[0].finish == "stop"
    assert response.choices[0].parts == (Text(text="Hello, world"),)
    assert response.usage is not None
    assert response.usage.counts() == USAGE.counts()


async def test_an_answer_that_is_not_streamed_is_one_last_piece(case: Case) -> None:
    exchange = await case.open(Plot(), stream=False)
    piece = await exchange.read()
    assert piece.last
    await exchange.aclose()


async def test_a_whole_answer_that_passes_is_counted_and_finished_by_its_events(case: Case) -> None:
    exchange = await case.open(Plot(), stream=False)
    piece = await exchange.read()
    await exchange.aclose()
    assert [event.usage.counts() for event in piece.events if isinstance(event, UsageReported)] == [
        USAGE.counts()
    ]
    assert [event.reason for event in piece.events if isinstance(event, Finished)] == ["stop"]


async def test_a_stream_comes_in_more_than_one_piece_and_only_the_last_is_last(case: Case) -> None:
    exchange = await case.open(Plot())
    pieces = await read_all(exchange)
    await exchange.aclose()
    assert len(pieces) > 3
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]


async def test_bytes_come_along_exactly_when_the_exchange_passes(case: Case) -> None:
    for stream in (True, False):
        exchange = await case.open(Plot(), stream=stream)
        pieces = await read_all(exchange)
        await exchange.aclose()
        assert all((piece.raw is not None) == exchange.passes for piece in pieces)


async def test_a_refusal_is_raised_by_open(case: Case) -> None:
    with pytest.raises(Limited) as raised:
        await case.open(Plot(refused=Limited("slow down", retry_after_s=7.0)))
    assert raised.value.retry_after_s == 7.0


async def test_what_came_before_a_break_is_delivered_before_it_is_raised(case: Case) -> None:
    exchange = await case.open(Plot(breaks_after=2))
    pieces: list[Piece] = []
    with pytest.raises(Interrupted):
        await read_all(exchange, pieces)
    await exchange.aclose()
    assert text(pieces) == "Hello, "
    assert not any(piece.last for piece in pieces)


async def test_a_read_that_was_cancelled_can_be_followed_by_closing(case: Case) -> None:
    exchange = await case.open(Plot(hangs_after=1))
    pieces: list[Piece] = []
    with anyio.move_on_after(0.05) as scope:
        await read_all(exchange, pieces)
    assert scope.cancelled_caught
    await exchange.aclose()
    assert text(pieces) == "Hello"


async def test_closing_is_allowed_at_any_time_and_twice(case: Case) -> None:
    exchange = await case.open(Plot())
    await exchange.aclose()
    await exchange.aclose()


def test_what_its_row_says_of_a_client_that_leaves_is_known(case: Case) -> None:
    assert case.stage(Plot(), True).on_disconnect in ("cancel", "drain")
