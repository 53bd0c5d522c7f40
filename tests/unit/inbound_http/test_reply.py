"""Answers on their way out, in both dialects: what is sent, when, and in how many messages."""

from collections.abc import Callable
from typing import Any

import anyio
import msgspec
import pytest

from relay.adapters.dialects import anthropic_messages, ollama_chat, openai_chat, openai_responses
from relay.adapters.dialects.base import Dialect, Scene
from relay.adapters.inbound.http.asgi import Message
from relay.adapters.inbound.http.hangup import Beating, Departure
from relay.adapters.inbound.http.heads import Telling
from relay.adapters.inbound.http.outlet import Outlet, no_abort
from relay.adapters.inbound.http.reply import StreamedReply, WholeReply, refuse
from relay.application.ports import Piece, ReplyHead
from relay.domain.errors import Interrupted, Limited, Unreachable
from relay.domain.events import Finished, PartDelta, PartEnded, PartStarted, Started, UsageReported
from relay.domain.usage import Usage
from tests.unit.inbound_http.sent import Sent

pytestmark = pytest.mark.anyio

OPENAI, OLLAMA = openai_chat.DIALECT, ollama_chat.DIALECT
both = pytest.mark.parametrize("dialect", [OPENAI, OLLAMA], ids=lambda dialect: dialect.name)

OPENING = Piece(events=(Started(), PartStarted(index=0, kind="text"), PartDelta(index=0, text="Hel")))
MORE = Piece(events=(PartDelta(index=0, text="lo"), PartDelta(index=0, text="!")))
ENDING = Piece(events=(PartEnded(index=0), Finished(reason="stop")))
LAST = Piece(events=(UsageReported(usage=Usage(input_tokens=3, output_tokens=2)),), last=True)
TOOL = Piece(events=(PartStarted(index=0, kind="tool_call", call_id="call_1", name="f"),))


def outlet(sent: Sent, stall_s: float = 5.0, abort: Callable[[], None] = no_abort) -> Outlet:
    return Outlet(sent, Departure(), stall_s=stall_s, abort=abort)


def made[R: (StreamedReply, WholeReply)](
    kind: Callable[..., R], sent: Sent, dialect: Dialect, *, out: Outlet | None = None, **more: Any
) -> R:
    telling = Telling("r1", anyio.current_time, 0.0)
    scene = Scene(id="r1", model="m", created=1, started_ns=1, clock_ns=lambda: 2)
    reply = kind(out or outlet(sent), telling, dialect, scene, **more)
    reply.prepare(head())
    return reply


def head(attempts: int = 1) -> ReplyHead:
    return ReplyHead(provider="up", model="x", resolved_by="prefix", attempts=attempts)


def streamed_text(dialect: Dialect, body: bytes) -> str:
    decoder = dialect.decoder()
    events = [*decoder.feed(body), *decoder.close()]
    assert isinstance(events[-1], Finished | UsageReported | PartEnded), events[-1]
    return "".join(event.text for event in events if isinstance(event, PartDelta))


@both
async def test_each_piece_is_one_message(dialect: Dialect) -> None:
    sent = Sent()
    reply = made(StreamedReply, sent, dialect)
    await reply.write(OPENING)
    assert len(sent.parts) == 1
    await reply.write(MORE)
    assert len(sent.parts) == 2
    await reply.write(ENDING)
    await reply.finish(LAST)
    assert sent.is_complete
    assert streamed_text(dialect, sent.body) == "Hello!"


@both
async def test_a_piece_without_bytes_sends_nothing_and_no_head(dialect: Dialect) -> None:
    sent = Sent()
    reply = made(StreamedReply, sent, dialect)
    await reply.write(Piece(events=()))
    await reply.write(Piece(events=(), raw=b""))
    assert sent.messages == []
    assert not reply.begun


async def test_a_tool_call_that_is_not_whole_leaves_an_ollama_client_without_a_head() -> None:
    """Its arguments may not be split over lines, so until they are whole another target may be tried."""
    sent = Sent()
    reply = made(StreamedReply, sent, OLLAMA)
    await reply.write(TOOL)
    assert not reply.begun


async def test_another_attempt_does_not_continue_what_the_first_one_began() -> None:
    sent = Sent()
    reply = made(StreamedReply, sent, OLLAMA)
    await reply.write(TOOL)
    reply.prepare(head(attempts=2))
    for piece in (OPENING, MORE, ENDING):
        await reply.write(piece)
    await reply.finish(LAST)
    assert streamed_text(OLLAMA, sent.body) == "Hello!"
    assert b"tool_calls" not in sent.body
    assert sent.head[b"x-relay-attempts"] == b"2"


@both
async def test_raw_bytes_pass_as_they_are(dialect: Dialect) -> None:
    sent = Sent()
    reply = made(StreamedReply, sent, dialect)
    await reply.write(Piece(events=OPENING.events, raw=b"first\n\n"))
    await reply.finish(Piece(events=(), raw=b"end", last=True))
    assert sent.parts == [b"first\n\n", b"end"]


async def test_a_stream_may_end_with_its_only_piece() -> None:
    sent = Sent()
    reply = made(StreamedReply, sent, OLLAMA)
    await reply.finish(Piece(events=(*OPENING.events, *ENDING.events, *LAST.events), last=True))
    assert len(sent.parts) == 1
    assert streamed_text(OLLAMA, sent.body) == "Hel"


@pytest.mark.parametrize(
    ("dialect", "content_type"),
    [(OPENAI, b"text/event-stream"), (OLLAMA, b"application/x-ndjson")],
    ids=["openai", "ollama"],
)
async def test_the_head_of_a_stream(dialect: Dialect, content_type: bytes) -> None:
    sent = Sent()
    await made(StreamedReply, sent, dialect).write(OPENING)
    told = sent.head
    assert sent.messages[0]["status"] == 200
    assert told[b"content-type"].startswith(content_type)
    assert told[b"cache-control"] == b"no-cache"
    assert told[b"x-accel-buffering"] == b"no"
    assert told[b"x-request-id"] == b"r1"
    assert told[b"x-relay-provider"] == b"up"
    assert b"upstream;dur=" in told[b"server-timing"]
    assert b"total" not in told[b"server-timing"]
    assert b"content-length" not in told


@both
async def test_a_failure_after_the_head_is_in_band_and_ends_the_body(dialect: Dialect) -> None:
    sent = Sent()
    reply = made(StreamedReply, sent, dialect)
    await reply.write(OPENING)
    error = Interrupted("the stream broke")
    await reply.fail(error)
    assert sent.is_complete
    assert reply.failure is error
    assert b"the stream broke" in sent.parts[-1]
    assert b"[DONE]" not in sent.body
    assert b'"done":true' not in sent.body


async def test_the_in_band_error_of_each_dialect() -> None:
    openai, ollama = Sent(), Sent()
    for sent, dialect in ((openai, OPENAI), (ollama, OLLAMA)):
        reply = made(StreamedReply, sent, dialect)
        await reply.write(Piece(events=(), raw=b"passed through\n\n"))
        await reply.fail(Interrupted("broke"))
    event = msgspec.json.decode(openai.parts[-1].removeprefix(b"data: ").strip())
    assert set(event["error"]) == {"message", "type", "param", "code"}
    assert event["error"]["code"] == "upstream_stream_interrupted"
    assert msgspec.json.decode(ollama.parts[-1]) == {"error": "broke"}
    assert ollama.parts[-1].endswith(b"}\n")


@both
async def test_a_whole_answer_is_one_message_of_known_length(dialect: Dialect) -> None:
    sent = Sent()
    reply = made(WholeReply, sent, dialect)
    await reply.finish(Piece(events=(*OPENING.events, *MORE.events, *ENDING.events, *LAST.events), last=True))
    assert len(sent.parts) == 1
    assert sent.head[b"content-length"] == b"%d" % len(sent.body)
    assert sent.head[b"content-type"].startswith(b"application/json")
    assert b", total;dur=" in sent.head[b"server-timing"]
    answer = dialect.decode_response(sent.body)
    assert [getattr(part, "text", "") for part in answer.choices[0].parts] == ["Hello!"]


@both
async def test_a_whole_answer_may_be_gathered_from_a_stream(dialect: Dialect) -> None:
    sent = Sent()
    reply = made(WholeReply, sent, dialect)
    await reply.write(Piece(events=TOOL.events))
    reply.prepare(head(attempts=2))
    for piece in (OPENING, MORE, ENDING):
        await reply.write(piece)
    assert not reply.begun
    await reply.finish(LAST)
    answer = dialect.decode_response(sent.body)
    assert [getattr(part, "text", "") for part in answer.choices[0].parts] == ["Hello!"]


async def test_a_whole_raw_answer_passes_as_it_is() -> None:
    sent = Sent()
    await made(WholeReply, sent, OPENAI).finish(Piece(events=(), raw=b'{"x": 1}', last=True))
    assert sent.body == b'{"x": 1}'


async def test_a_refusal_tells_of_the_attempt_that_failed() -> None:
    sent = Sent()
    out = outlet(sent)
    telling = Telling("r1", anyio.current_time, 0.0)
    telling.prepare(head(attempts=3))
    error = Limited("slow down", retry_after_s=6.2)
    await refuse(out, telling, error, OPENAI.encode_error(error))
    assert sent.messages[0]["status"] == 429
    assert sent.head[b"retry-after"] == b"7"
    assert sent.head[b"x-relay-attempts"] == b"3"
    assert sent.head[b"content-length"] == b"%d" % len(sent.body)
    assert sent.is_complete


async def keep(reply: StreamedReply, seconds: float) -> None:
    """Let it beat for a while."""
    due_in_s = reply.due_in()
    assert due_in_s is not None
    beating = Beating(reply, due_in_s)
    await anyio.sleep(seconds)
    beating.stop()


async def test_a_silent_event_stream_gets_its_head_and_comments() -> None:
    sent = Sent()
    out = outlet(sent)
    reply = made(StreamedReply, sent, OPENAI, out=out, keep_alive_s=0.02)
    await keep(reply, 0.13)
    assert reply.begun
    assert set(sent.parts) == {b": keep-alive\n\n"}
    assert 3 <= len(sent.parts) <= 6


async def test_comments_come_between_the_pieces_of_a_stream_that_falls_silent() -> None:
    sent = Sent()
    out = outlet(sent)
    reply = made(StreamedReply, sent, OPENAI, out=out, keep_alive_s=0.05)
    await reply.write(OPENING)
    await keep(reply, 0.08)
    await reply.write(MORE)
    await reply.write(ENDING)
    await reply.finish(LAST)
    assert sent.parts[1] == b": keep-alive\n\n"
    assert streamed_text(OPENAI, sent.body) == "Hello!"


async def test_a_busy_stream_gets_no_comments() -> None:
    sent = Sent()
    out = outlet(sent)
    reply = made(StreamedReply, sent, OPENAI, out=out, keep_alive_s=0.1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep, reply, 0.3)
        for _ in range(15):
            await reply.write(OPENING)
            await anyio.sleep(0.02)
    assert b": keep-alive" not in sent.body


async def test_an_ollama_stream_gets_nothing_before_content() -> None:
    sent = Sent()
    out = outlet(sent)
    reply = made(StreamedReply, sent, OLLAMA, out=out, keep_alive_s=0.01)
    await keep(reply, 0.06)
    assert sent.messages == []


async def test_a_comment_never_cuts_a_half_passed_event() -> None:
    sent = Sent()
    out = outlet(sent)
    reply = made(StreamedReply, sent, OPENAI, out=out, keep_alive_s=0.01)
    await reply.write(Piece(events=OPENING.events, raw=b'data: {"half":'))
    await keep(reply, 0.05)
    assert sent.parts == [b'data: {"half":']


async def test_nothing_is_kept_alive_after_the_end() -> None:
    sent = Sent()
    out = outlet(sent)
    reply = made(StreamedReply, sent, OPENAI, out=out, keep_alive_s=0.01)
    await reply.finish(Piece(events=(), raw=b"data: [DONE]\n\n", last=True))
    await keep(reply, 0.05)
    assert sent.is_complete


@both
async def test_a_client_that_takes_nothing_is_cut(dialect: Dialect) -> None:
    aborted: list[int] = []

    async def stuck(message: Message) -> None:
        await anyio.sleep_forever()

    sent = Sent(before=stuck)
    out = outlet(sent, stall_s=0.05, abort=lambda: aborted.append(1))
    reply = made(StreamedReply, sent, dialect, out=out, keep_alive_s=0.01)
    async with anyio.create_task_group() as tasks:
        out.departure.listen(tasks.cancel_scope.cancel)
        tasks.start_soon(keep, reply, 1.0)
        with anyio.fail_after(1):
            await reply.write(OPENING)
    assert aborted == [1]


async def test_a_failure_after_a_comment_is_in_band() -> None:
    sent = Sent()
    out = outlet(sent)
    reply = made(StreamedReply, sent, OPENAI, out=out, keep_alive_s=0.01)
    await keep(reply, 0.02)
    await reply.fail(Unreachable("nobody there"))
    assert sent.messages[0]["status"] == 200
    assert b"upstream_unreachable" in sent.parts[-1]
    assert sent.is_complete


@pytest.mark.parametrize(
    ("dialect", "sign"),
    [
        (anthropic_messages.DIALECT, b'event: ping\ndata: {"type": "ping"}\n\n'),
        (openai_responses.DIALECT, b'event: keepalive\ndata: {"type":"keepalive"}\n\n'),
    ],
)
async def test_a_dialect_with_an_event_for_it_gets_that_as_a_sign_of_life(dialect: Any, sign: bytes) -> None:
    sent = Sent()
    reply = made(StreamedReply, sent, dialect, keep_alive_s=0.02)
    await keep(reply, 0.03)
    assert set(sent.parts) == {b": keep-alive\n\n"}
    await reply.write(OPENING)
    await keep(reply, 0.05)
    assert sent.parts[-1] == sign
