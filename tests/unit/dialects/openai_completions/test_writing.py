"""Answers as text completions, byte for byte where clients care."""

import json
from typing import Any

import pytest

from relay.adapters.dialects import openai_chat
from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.openai_completions import DIALECT
from relay.domain.chat import Refusal, Text, Thinking, ToolCall
from relay.domain.errors import Interrupted, InvalidRequest, LacksCapability, RelayError, UnknownModel
from relay.domain.events import (
    ChatResponse,
    Choice,
    Failed,
    Finished,
    FinishReason,
    LogprobsReported,
    PartDelta,
    PartEnded,
    PartKind,
    PartStarted,
    Started,
    StreamEvent,
    TokenAlternative,
    TokenLogprob,
    UsageReported,
)
from relay.domain.usage import Usage

USAGE = Usage(input_tokens=5, output_tokens=7, output_reasoning_tokens=3)
TOKENS = (
    TokenLogprob(
        token="Hé",
        logprob=-0.5,
        bytes=(72,),
        top=(TokenAlternative(token="Hé", logprob=-0.5), TokenAlternative(token="A", logprob=float("-inf"))),
    ),
    TokenLogprob(token="llo", logprob=-0.25),
)


def scene(*, include_usage: bool = True) -> Scene:
    return Scene(
        id="r-1",
        model="asked",
        created=1_787_338_102,
        started_ns=0,
        clock_ns=lambda: 0,
        include_usage=include_usage,
    )


def whole(*choices: Choice, usage: Usage | None = USAGE) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(
        DIALECT.encode_response(ChatResponse(choices=choices, usage=usage), scene())
    )
    return said


def part(kind: PartKind, *texts: str, index: int = 0, choice: int = 0) -> list[StreamEvent]:
    return [
        PartStarted(index=index, kind=kind, choice=choice),
        *(PartDelta(index=index, text=text, choice=choice) for text in texts),
        PartEnded(index=index, choice=choice),
    ]


def streamed(*events: StreamEvent, include_usage: bool = True) -> list[dict[str, Any]]:
    """The chunks, the end mark checked and left out."""
    encoder = DIALECT.encoder(scene(include_usage=include_usage))
    data = b"".join(map(encoder.send, events)) + encoder.close()
    *frames, done, rest = data.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames]


def texts(chunks: list[dict[str, Any]], index: int = 0) -> list[str]:
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    return [choice["text"] for choice in choices if choice["index"] == index]


def test_a_whole_answer_is_a_text_and_no_more() -> None:
    said = whole(
        Choice(
            parts=(
                Thinking(text="hm"),
                Text(text="Hel"),
                Refusal(text="no"),
                Text(text="lo"),
                ToolCall(id="c", name="n", arguments="{}"),
            ),
            finish="tool_calls",
        ),
        Choice(parts=(), finish="length", index=1),
    )
    assert said == {
        "id": "cmpl-r-1",
        "object": "text_completion",
        "created": 1_787_338_102,
        "model": "asked",
        "choices": [
            {"text": "Helnolo", "index": 0, "logprobs": None, "finish_reason": "stop"},
            {"text": "", "index": 1, "logprobs": None, "finish_reason": "length"},
        ],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 7,
            "total_tokens": 12,
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
    }


def test_usage_that_nobody_reported_is_not_shown() -> None:
    assert "usage" not in whole(Choice(parts=(), finish="stop"), usage=None)


@pytest.mark.parametrize(
    ("finish", "told"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("tool_calls", "stop")],
)
def test_the_finish_is_one_that_completions_know(finish: FinishReason, told: str) -> None:
    assert whole(Choice(parts=(), finish=finish))["choices"][0]["finish_reason"] == told
    [last] = streamed(Finished(reason=finish), include_usage=False)
    assert last["choices"] == [{"text": "", "index": 0, "logprobs": None, "finish_reason": told}]


def test_log_probabilities_stand_side_by_side() -> None:
    said = whole(Choice(parts=(Text(text="Héllo"),), finish="stop", logprobs=TOKENS))
    assert said["choices"][0]["logprobs"] == {
        "tokens": ["Hé", "llo"],
        "token_logprobs": [-0.5, -0.25],
        "top_logprobs": [{"Hé": -0.5, "A": -9999.0}, {}],
        "text_offset": [0, 2],
    }
    alone = whole(Choice(parts=(Text(text="llo"),), finish="stop", logprobs=TOKENS[1:]))
    assert alone["choices"][0]["logprobs"]["top_logprobs"] is None


def test_a_stream_is_text_as_it_comes_and_one_finish() -> None:
    chunks = streamed(
        Started(),
        *part("thinking", "hm"),
        *part("text", "Hel", "", "lo", index=1),
        *part("tool_call", "{}", index=2),
        UsageReported(usage=Usage(input_tokens=5)),
        Finished(reason="stop"),
        UsageReported(usage=Usage(output_tokens=7)),
    )
    *said, last = chunks
    assert texts(said) == ["Hel", "lo", ""]
    assert [chunk["choices"][0]["finish_reason"] for chunk in said] == [None, None, "stop"]
    assert [chunk["usage"] for chunk in said] == [None, None, None]
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 12)
    assert {(chunk["id"], chunk["object"], chunk["model"]) for chunk in chunks} == {
        ("cmpl-r-1", "text_completion", "asked")
    }


def test_usage_that_was_not_asked_for_is_nowhere() -> None:
    chunks = streamed(
        *part("text", "a"), Finished(reason="stop"), UsageReported(usage=USAGE), include_usage=False
    )
    assert len(chunks) == 2
    assert not any("usage" in chunk for chunk in chunks)


def test_choices_stay_apart() -> None:
    chunks = streamed(
        *part("text", "a"),
        *part("text", "b", choice=1),
        Finished(reason="stop"),
        Finished(reason="length", choice=1),
        include_usage=False,
    )
    assert texts(chunks) == ["a", ""]
    assert texts(chunks, 1) == ["b", ""]


def test_a_refusal_waits_for_text_that_belongs_before_it() -> None:
    late = streamed(
        *part("refusal", "no", index=2), *part("text", "Well: ", index=1), Finished(reason="stop")
    )
    assert texts(late) == ["Well: ", "no", ""]
    first = streamed(*part("refusal", "n", "o"), Finished(reason="stop"))
    assert texts(first) == ["n", "o", ""]


def test_log_probabilities_come_with_their_text_and_offsets_go_on() -> None:
    chunks = streamed(
        LogprobsReported(tokens=TOKENS[:1]),
        *part("text", "Hé"),
        LogprobsReported(tokens=TOKENS[1:]),
        *part("text", "llo", index=1),
        LogprobsReported(tokens=(TokenLogprob(token="", logprob=-1.0),)),
        Finished(reason="stop"),
        include_usage=False,
    )
    told = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [one["tokens"] for one in told] == [["Hé"], ["llo"], [""]]
    assert [one["text_offset"] for one in told] == [[0], [2], [5]]


def test_a_failure_ends_the_stream_without_an_end_mark() -> None:
    encoder = DIALECT.encoder(scene())
    begun = b"".join(map(encoder.send, part("text", "a")))
    failing = encoder.send(Failed(error=Interrupted("it broke")))
    assert b'"text":"a"' in begun
    error = json.loads(failing.removeprefix(b"data: "))["error"]
    assert (error["message"], error["code"]) == ("it broke", "upstream_stream_interrupted")
    assert encoder.send(Finished(reason="stop")) + encoder.close() == b""


@pytest.mark.parametrize(
    "error", [InvalidRequest("m", param="n"), UnknownModel("zzz"), LacksCapability("x", "insert")]
)
def test_errors_are_those_of_openais_chat(error: RelayError) -> None:
    assert DIALECT.encode_error(error) == openai_chat.DIALECT.encode_error(error)
