"""The scripted upstream's well-behaved scripts do what their names say, in both wire formats."""

import json
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from tests.support.upstream import ScriptedUpstream
from tests.unit.support.asking import BOTH, OLLAMA, OPENAI, PROMPT, TOOLS, ask

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)


async def test_an_openai_stream_has_its_chunks_in_the_order_of_the_wire(upstream: ScriptedUpstream) -> None:
    got = await ask(upstream, OPENAI, "basic?chunks=3")
    assert got.head.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert got.body.endswith(b"data: [DONE]\n\n")
    deltas = [event["choices"][0]["delta"] for event in got.events[:-1]]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": "000 "},
        {"content": "001 "},
        {"content": "002 "},
        {},
    ]
    assert [event["choices"][0]["finish_reason"] for event in got.events[:-1]] == [None] * 4 + ["stop"]
    assert got.last["choices"] == []
    assert got.last["usage"]["prompt_tokens"] == 2
    assert got.last["usage"]["completion_tokens"] == 3
    assert {event["id"] for event in got.events} == {"chatcmpl-00000001"}


async def test_an_openai_stream_has_no_usage_unless_asked(upstream: ScriptedUpstream) -> None:
    got = await ask(upstream, OPENAI, "basic", stream_options={})
    assert b"usage" not in got.body
    assert got.body.endswith(b"data: [DONE]\n\n")


async def test_an_ollama_stream_ends_with_its_one_done_line(upstream: ScriptedUpstream) -> None:
    got = await ask(upstream, OLLAMA, "basic?chunks=3")
    assert got.head.headers["content-type"] == "application/x-ndjson"
    assert [event["message"]["content"] for event in got.events] == ["000 ", "001 ", "002 ", ""]
    assert [event["done"] for event in got.events] == [False, False, False, True]
    assert (got.last["prompt_eval_count"], got.last["eval_count"], got.last["done_reason"]) == (2, 3, "stop")


@pytest.mark.parametrize("path", BOTH)
async def test_a_whole_answer_says_the_same_as_the_stream(upstream: ScriptedUpstream, path: str) -> None:
    streamed = await ask(upstream, path, "basic?chunks=5")
    whole = await ask(upstream, path, "basic?chunks=5", stream=False)
    assert whole.text == streamed.text == "000 001 002 003 004 "
    assert whole.head.headers["content-type"] == "application/json"
    assert int(whole.head.headers["content-length"]) == len(whole.body)


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("stream", [True, False])
async def test_the_ledger_counts_what_was_sent(upstream: ScriptedUpstream, path: str, stream: bool) -> None:
    await ask(upstream, path, "basic?chunks=7", stream=stream)
    [call] = upstream.ledger.chats
    assert (call.tokens_in, call.tokens_out, call.completed) == (2, 7, True)
    assert call.chunks_sent == (7 if stream else 0)
    assert call.body["messages"][0]["content"] == PROMPT
    assert (call.stream, call.script, call.error, call.peer_closed_at) == (stream, "basic", None, None)


@pytest.mark.parametrize("path", ["/chat/completions", "/openai/v1/chat/completions", "/prefix/api/chat"])
async def test_a_prefix_before_the_path_does_not_matter(upstream: ScriptedUpstream, path: str) -> None:
    assert (await ask(upstream, path, "echo", stream=False)).text == PROMPT


@pytest.mark.parametrize("path", BOTH)
async def test_echo_answers_with_the_last_user_text(upstream: ScriptedUpstream, path: str) -> None:
    messages = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": "last words"},
    ]
    got = await ask(upstream, path, "echo", messages=messages)
    assert got.text == "last words"
    assert upstream.ledger.totals().tokens_out == 3
    assert upstream.ledger.totals().tokens_in == 5


async def test_openai_tool_arguments_arrive_in_pieces(upstream: ScriptedUpstream) -> None:
    got = await ask(upstream, OPENAI, "tools?calls=2", tools=TOOLS)
    deltas = [event["choices"][0]["delta"] for event in got.events if event["choices"]]
    pieces = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    for index in (0, 1):
        first, *rest = [piece for piece in pieces if piece["index"] == index]
        assert first["function"] == {"name": "look_up", "arguments": ""}
        assert len(rest) > 1
        assert not any("id" in piece for piece in rest)
        assert json.loads("".join(piece["function"]["arguments"] for piece in rest)) == {"city": "abc"}
    assert len({piece["id"] for piece in pieces if "id" in piece}) == 2
    assert got.events[-2]["choices"][0]["finish_reason"] == "tool_calls"


async def test_an_openai_call_can_come_at_once_or_without_an_index_of_its_own(
    upstream: ScriptedUpstream,
) -> None:
    at_once = await ask(upstream, OPENAI, "tools?calls=2&parts=at_once", tools=TOOLS)
    calls = [call for event in at_once.events[1:3] for call in event["choices"][0]["delta"]["tool_calls"]]
    assert [call["index"] for call in calls] == [0, 1]
    assert all(json.loads(call["function"]["arguments"]) for call in calls)
    same = await ask(upstream, OPENAI, "tools?calls=2&parts=same_index", tools=TOOLS)
    deltas = [choice["delta"] for event in same.events for choice in event["choices"]]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert {call["index"] for call in calls} == {0}
    assert len([call for call in calls if "id" in call]) == 2


async def test_the_finish_reason_can_deny_a_call(upstream: ScriptedUpstream) -> None:
    got = await ask(upstream, OPENAI, "tools?finish=stop", tools=TOOLS, stream_options={})
    assert got.last["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("model", ["tools?finish=well", "tools?parts=none"])
async def test_an_unknown_way_to_call_is_refused(upstream: ScriptedUpstream, model: str) -> None:
    assert (await ask(upstream, OPENAI, model, tools=TOOLS)).head.status == 400


@pytest.mark.parametrize("stream", [True, False])
async def test_an_openai_answer_has_as_many_choices_as_asked_for(
    upstream: ScriptedUpstream, stream: bool
) -> None:
    got = await ask(upstream, OPENAI, "basic", stream=stream, n=2)
    assert [choice["index"] for choice in got.events[0]["choices"]] == [0, 1]
    assert got.last["usage"]["completion_tokens"] == 8
    assert upstream.ledger.totals().tokens_out == 8


async def test_ollama_tool_calls_are_whole_and_finish_with_stop(upstream: ScriptedUpstream) -> None:
    got = await ask(upstream, OLLAMA, "tools?calls=2", tools=TOOLS)
    calls = [call for event in got.events for call in event["message"].get("tool_calls", [])]
    assert [call["function"]["index"] for call in calls] == [0, 1]
    assert [call["function"]["arguments"] for call in calls] == [{"city": "abc"}] * 2
    assert got.last["done_reason"] == "stop"


@pytest.mark.parametrize("path", BOTH)
async def test_tools_answers_in_words_once_it_has_a_result(upstream: ScriptedUpstream, path: str) -> None:
    messages = [{"role": "user", "content": "go"}, {"role": "tool", "tool_call_id": "x", "content": "12"}]
    got = await ask(upstream, path, "tools", tools=TOOLS, messages=messages, stream=False)
    assert got.text == "000 001 002 003 "


@pytest.mark.parametrize(
    ("path", "model", "field"),
    [
        (OPENAI, "think", "reasoning_content"),
        (OPENAI, "think?field=reasoning", "reasoning"),
        (OLLAMA, "think", "thinking"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_think_reasons_before_it_answers(
    upstream: ScriptedUpstream, path: str, model: str, field: str, stream: bool
) -> None:
    got = await ask(upstream, path, model, stream=stream)
    messages = [event.get("message") or _delta(event) for event in got.events]
    thoughts = [number for number, message in enumerate(messages) if message.get(field)]
    texts = [number for number, message in enumerate(messages) if message.get("content")]
    assert "".join(messages[number][field] for number in thoughts) == "h00 h01 h02 "
    assert got.text == "000 001 002 003 "
    assert max(thoughts) <= min(texts)
    assert upstream.ledger.totals().tokens_out == 7


def _delta(event: Any) -> Any:
    if not event["choices"]:
        return {}
    return event["choices"][0].get("delta") or event["choices"][0].get("message") or {}


@pytest.mark.parametrize(
    ("path", "asked"), [(OPENAI, {"reasoning_effort": "none"}), (OLLAMA, {"think": False})]
)
async def test_think_does_not_reason_when_told_not_to(
    upstream: ScriptedUpstream, path: str, asked: dict[str, Any]
) -> None:
    got = await ask(upstream, path, "think", **asked)
    assert b"h00" not in got.body


async def test_image_describes_what_it_received_alike_in_both_formats(upstream: ScriptedUpstream) -> None:
    data = b64encode(PNG).decode()
    parts = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ]
    openai = await ask(upstream, OPENAI, "image", messages=[{"role": "user", "content": parts}])
    ollama = await ask(
        upstream, OLLAMA, "image", messages=[{"role": "user", "content": "see", "images": [data]}]
    )
    assert openai.text == ollama.text == f"image/png {len(PNG)} bytes sha256={sha256(PNG).hexdigest()}"


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "tags": {"type": "array"}},
}


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (
            OPENAI,
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
        ),
        (OLLAMA, {"format": SCHEMA}),
    ],
)
async def test_schema_answers_json_that_fits(upstream: ScriptedUpstream, path: str, asked: Any) -> None:
    got = await ask(upstream, path, "schema", **asked)
    assert json.loads(got.text) == {"name": "abc"}


@pytest.mark.parametrize("path", BOTH)
async def test_schema_fills_in_all_that_is_required(upstream: ScriptedUpstream, path: str) -> None:
    schema = SCHEMA | {"required": ["age", "tags"]}
    asked: dict[str, Any] = {"format": schema}
    if path == OPENAI:
        asked = {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}
    got = await ask(upstream, path, "schema", stream=False, **asked)
    assert json.loads(got.text) == {"age": 1, "tags": ["abc"]}


async def test_logprobs_come_with_each_token(upstream: ScriptedUpstream) -> None:
    openai = await ask(upstream, OPENAI, "logprobs?chunks=2", stream=False)
    content = openai.last["choices"][0]["logprobs"]["content"]
    ollama = await ask(upstream, OLLAMA, "logprobs?chunks=2")
    lines = [entry for event in ollama.events for entry in event.get("logprobs", [])]
    assert [entry["token"] for entry in content] == [entry["token"] for entry in lines] == ["000 ", "001 "]


@pytest.mark.parametrize(
    ("path", "limit"), [(OPENAI, {"max_tokens": 2}), (OLLAMA, {"options": {"num_predict": 2}})]
)
async def test_length_stops_at_the_limit_asked_for(
    upstream: ScriptedUpstream, path: str, limit: dict[str, Any]
) -> None:
    got = await ask(upstream, path, "length", stream=False, **limit)
    assert got.text == "000 001 "
    assert "length" in (
        got.last.get("done_reason"),
        (got.last.get("choices") or [{}])[0].get("finish_reason"),
    )


@pytest.mark.parametrize("path", BOTH)
async def test_empty_answers_nothing_and_still_finishes(upstream: ScriptedUpstream, path: str) -> None:
    got = await ask(upstream, path, "empty")
    assert (got.text, got.ending, upstream.ledger.chats[0].completed) == ("", "whole", True)
    assert "eval_count" not in got.last


@pytest.mark.parametrize("path", BOTH)
async def test_unicode_sends_raw_line_separators(upstream: ScriptedUpstream, path: str) -> None:
    got = await ask(upstream, path, "unicode")
    for text in ("\u2028", "\u2029", "\u0085", "\U0001f600", "\r\n"):
        assert text in got.text
    for raw in ("\u2028", "\u2029", "\u0085", "\U0001f600"):
        assert raw.encode() in got.body


async def test_counts_can_be_given_in_the_name(upstream: ScriptedUpstream) -> None:
    got = await ask(upstream, OPENAI, "basic?input_tokens=1000&cached_tokens=600", stream=False)
    usage = got.last["usage"]
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (1000, 600)
    assert upstream.ledger.chats[0].tokens_in == 1000


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize(
    "model", ["nonesuch", "basic?chunk=3", "basic?chunks=many", "fault/nonesuch", "fault/cut?of=x"]
)
async def test_a_name_that_is_no_script_is_not_found(
    upstream: ScriptedUpstream, path: str, model: str
) -> None:
    got = await ask(upstream, path, model)
    assert got.head.status == 404
    assert model in json.dumps(got.last)


async def test_an_ollama_tag_means_nothing(upstream: ScriptedUpstream) -> None:
    assert (await ask(upstream, OLLAMA, "basic:latest?chunks=1")).text == "000 "
    assert (await ask(upstream, OLLAMA, "basic?chunks=1:latest")).text == "000 "


async def test_delays_come_before_the_head_and_before_each_chunk(upstream: ScriptedUpstream) -> None:
    await ask(upstream, OPENAI, "basic?chunks=2&first_ms=30&delay_ms=20")
    [call] = upstream.ledger.chats
    assert call.first_byte_at is not None
    assert call.ended_at is not None
    assert call.first_byte_at - call.arrived_at >= 0.03
    assert call.ended_at - call.first_byte_at >= 0.04
