"""Which answers of compatible servers pass as they are: those that OpenAI itself could have sent."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.openai_chat import DIALECT, glance_exact
from relay.domain.events import Finished, UsageReported
from relay.domain.usage import Usage

MESSAGE: dict[str, Any] = {"role": "assistant", "content": "Hello."}
CHOICE: dict[str, Any] = {"index": 0, "message": MESSAGE, "finish_reason": "stop"}
ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [CHOICE],
    "usage": {"prompt_tokens": 10, "completion_tokens": 8, "total_tokens": 18},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def body(**changes: object) -> bytes:
    return json.dumps(ANSWER | changes).encode()


def with_choice(**changes: object) -> bytes:
    return body(choices=[CHOICE | changes])


def with_message(**changes: object) -> bytes:
    return with_choice(message=MESSAGE | changes)


def test_an_exact_answer_gives_what_metering_needs() -> None:
    assert glance_exact(body()) == (
        UsageReported(usage=Usage(input_tokens=10, output_tokens=8)),
        Finished(reason="stop", raw_reason="stop"),
    )


@pytest.mark.parametrize(
    "answer",
    [
        body(system_fingerprint="fp", service_tier="default", unknown={"a": 1}),
        with_choice(logprobs=None),
        with_message(refusal=None),
        with_choice(message=MESSAGE | {"content": None, "tool_calls": [CALL]}, finish_reason="tool_calls"),
        body(choices=[CHOICE, CHOICE | {"index": 1}]),
        json.dumps(ANSWER, indent=2).encode(),
    ],
)
def test_what_openai_could_have_sent_passes(answer: bytes) -> None:
    assert glance_exact(answer) is not None


@pytest.mark.parametrize(
    "answer",
    [
        body(object="text_completion"),
        body(id=None),
        body(model=""),
        body(created=None),
        body(usage=None),
        body(usage={"prompt_tokens": 10, "completion_tokens": 8, "total_tokens": 30}),
        body(usage={"prompt_tokens": "10", "completion_tokens": 8, "total_tokens": 18}),
        body(usage={"prompt_tokens": True, "completion_tokens": 8, "total_tokens": 9}),
        body(choices=[]),
        body(choices=[CHOICE, CHOICE]),
        body(error={"message": "no"}),
        body(citations=["https://a.example"]),
        body(x_groq={"usage": {}}),
        with_choice(index=None),
        with_choice(finish_reason="eos"),
        with_choice(finish_reason=None),
        with_choice(message=None),
        with_message(role=None),
        with_message(content=None),
        with_message(content=[{"type": "text", "text": "Hello."}]),
        with_message(reasoning_content="hm"),
        with_message(reasoning="hm"),
        with_message(tool_calls=[CALL]),
        with_choice(message=MESSAGE | {"tool_calls": [CALL | {"id": None}]}, finish_reason="tool_calls"),
        with_choice(
            message=MESSAGE | {"tool_calls": [CALL | {"function": {"name": "f", "arguments": ""}}]},
            finish_reason="tool_calls",
        ),
        with_choice(
            message=MESSAGE | {"tool_calls": [CALL | {"function": {"name": "f", "arguments": {}}}]},
            finish_reason="tool_calls",
        ),
        with_choice(index="0"),
        body().replace(b"Hello.", b"Hell\xff."),
        b"{",
        b"[]",
        b'data: {"object":"chat.completion"}\n\n',
    ],
)
def test_what_needs_setting_right_is_read_and_written_anew(answer: bytes) -> None:
    assert glance_exact(answer) is None


def test_a_plain_report_of_usage_reads_as_any_other() -> None:
    detailed = ANSWER["usage"] | {"prompt_tokens_details": None}
    assert DIALECT.glance(body()) == DIALECT.glance(body(usage=detailed))
