"""Answers of generate, read and written: what is not already chat's."""

import json

import pytest

from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.ollama_generate import DIALECT
from relay.domain.chat import Refusal, Text, Thinking, ToolCall
from relay.domain.errors import LacksCapability, Malformed, UnknownModel
from relay.domain.events import (
    ChatResponse,
    Choice,
    Finished,
    PartDelta,
    PartEnded,
    PartStarted,
    TokenLogprob,
    UsageReported,
)
from relay.domain.usage import Usage

SCENE = Scene(
    id="r-1",
    model="asked",
    created=1_787_310_000,
    started_ns=1_787_310_000_000_000_000,
    clock_ns=lambda: 1_787_310_000_100_000_000,
)
NOW = "2026-08-21T11:00:00.1Z"


def test_a_whole_answer_has_the_servers_members_in_its_order() -> None:
    response = ChatResponse(
        choices=(
            Choice(
                parts=(
                    Thinking(text="hm"),
                    Text(text="<a>\u2028"),
                    Refusal(text="no"),
                    ToolCall(id="c", name="n", arguments='{"a":1.0}'),
                ),
                finish="length",
                logprobs=(TokenLogprob(token="x", logprob=-1.0),),
            ),
        ),
        usage=Usage(input_tokens=5, output_tokens=6),
    )
    written = DIALECT.encode_response(response, SCENE)
    assert b"\\u003ca\\u003e\\u2028" in written
    said = json.loads(written)
    assert list(said) == [
        "model",
        "created_at",
        "response",
        "thinking",
        "done",
        "done_reason",
        "total_duration",
        "load_duration",
        "prompt_eval_count",
        "prompt_eval_duration",
        "eval_count",
        "eval_duration",
        "tool_calls",
        "logprobs",
    ]
    assert (said["model"], said["created_at"]) == ("asked", NOW)
    assert (said["response"], said["thinking"], said["done_reason"]) == ("<a>\u2028no", "hm", "length")
    assert said["tool_calls"][0]["function"]["arguments"] == {"a": 1.0}


def test_an_answer_without_words_still_has_a_response() -> None:
    said = json.loads(
        DIALECT.encode_response(ChatResponse(choices=(Choice(parts=(), finish="stop"),)), SCENE)
    )
    assert (said["response"], said["done"]) == ("", True)
    assert "thinking" not in said


def test_a_stream_says_thinking_beside_an_empty_response() -> None:
    encoder = DIALECT.encoder(SCENE)
    written = b"".join(
        encoder.send(event)
        for event in (
            PartStarted(index=0, kind="thinking"),
            PartDelta(index=0, text="hm"),
            PartEnded(index=0),
            PartStarted(index=1, kind="text"),
            PartDelta(index=1, text="Hi"),
            PartEnded(index=1),
            UsageReported(usage=Usage(output_tokens=2)),
            Finished(reason="stop"),
        )
    )
    thinking, text, last = (json.loads(line) for line in (written + encoder.close()).splitlines())
    assert thinking == {"model": "asked", "created_at": NOW, "response": "", "thinking": "hm", "done": False}
    assert text == {"model": "asked", "created_at": NOW, "response": "Hi", "done": False}
    assert (last["response"], last["done_reason"], last["eval_count"]) == ("", "stop", 2)
    assert not any("context" in line for line in (thinking, text, last))


def test_context_passes_and_is_not_made_up() -> None:
    line = b'{"model":"m","created_at":"x","response":"","done":true,"done_reason":"stop","context":[1,2]}'
    tap = DIALECT.tap(SCENE)
    assert tap.feed(line + b"\n").raw == b""
    assert tap.close().raw == line.replace(b'"m"', b'"asked"') + b"\n"
    assert DIALECT.rename_response(line, "asked") == line.replace(b'"m"', b'"asked"')
    assert b"context" not in DIALECT.encode_response(DIALECT.decode_response(line), SCENE)


@pytest.mark.parametrize("body", [b"[]", b'{"response":5,"done":true}', b'{"response":"half"}', b"<html>"])
def test_what_is_no_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        DIALECT.decode_response(body)


def test_a_line_of_chat_is_an_answer_without_words() -> None:
    read = DIALECT.decode_response(b'{"message":{"role":"assistant","content":"x"},"done":true}')
    assert read.choices[0].parts == ()


def test_errors_are_in_the_words_of_generate() -> None:
    for error, text in (
        (LacksCapability("emb", "completion"), '"emb" does not support generate'),
        (LacksCapability("x", "insert"), "registry.ollama.ai/library/x:latest does not support insert"),
        (UnknownModel("zzz"), "model 'zzz' not found"),
    ):
        assert json.loads(DIALECT.encode_error(error).body) == {"error": text}
