"""Thoughts that a client of OpenAI's chat drops come back to the model with the result of its call."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.conformance.asking import chat, message_of
from tests.conformance.conftest import Place, relay_with
from tests.conformance.wire import Api
from tests.support.declarations import WEATHER
from tests.support.upstream.taped import TapedAnswer, TapedProvider, running_tape

pytestmark = pytest.mark.e2e

HELLO: list[Any] = [{"role": "user", "content": "How is the weather?"}]
ARGUMENTS = {"city": "Köln", "days": 1}
ANTHROPIC = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
TEXT = "Mild."

CALLING: Mapping[str, Any] = {
    "deepseek": {
        "id": "d-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": None, "reasoning_content": "Let me look.",
            "tool_calls": [{"id": "call_1", "type": "function", "function": {
                "name": "weather", "arguments": json.dumps(ARGUMENTS)}}]}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    },
    "gemini": {
        "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
            {"functionCall": {"name": "weather", "args": ARGUMENTS}, "thoughtSignature": "U2VhbA=="}]}}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
        "responseId": "r-1",
    },
    "anthropic": {
        **ANTHROPIC, "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1},
        "content": [
            {"type": "thinking", "thinking": "Let me look.", "signature": "c2VhbA=="},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": ARGUMENTS},
        ],
    },
}  # fmt: skip
SPEAKING: Mapping[str, Any] = {
    "deepseek": {**CALLING["deepseek"], "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}]},
    "gemini": {**CALLING["gemini"], "candidates": [
        {"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [{"text": TEXT}]}}]},
    "anthropic": {**CALLING["anthropic"], "stop_reason": "end_turn", "content": [{"type": "text", "text": TEXT}]},
}  # fmt: skip


@pytest.fixture(scope="module")
def tape() -> Iterator[TapedProvider]:
    with running_tape() as running:
        yield running


@pytest.fixture(scope="module")
def thinking(place: Place, tape: TapedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A relay before a provider of each kind that wants its thoughts back, two models of each."""
    providers = {
        kind: {"kind": kind, "base_url": tape.base_url, "api_key": "canary", "models": ["one", "other"]}
        for kind in CALLING
    }
    with relay_with(place, tmp_path_factory.mktemp("thinking"), {"providers": providers}) as api:
        yield api


def second_request(api: Api, tape: TapedProvider, kind: str, then: str = "one") -> Any:
    """What the provider is told when the client brings the result of its call, to the same model or to another."""
    tape.calls.clear()
    answers = (CALLING[kind], SPEAKING[kind])
    tape.answers[:] = [TapedAnswer(pieces=[json.dumps(answer).encode()]) for answer in answers]
    called = message_of(chat(api, f"{kind}/one", messages=HELLO, tools=[WEATHER]))
    turn = {"role": "assistant", "content": None, "tool_calls": called["tool_calls"]}
    told = {"role": "tool", "tool_call_id": called["tool_calls"][0]["id"], "content": "mild"}
    answer = message_of(chat(api, f"{kind}/{then}", messages=[*HELLO, turn, told], tools=[WEATHER]))
    assert answer["content"] == TEXT
    return json.loads(tape.calls[-1].body)


@pytest.mark.conformance("openai", 87)
def test_deepseek_gets_its_reasoning_again(thinking: Api, tape: TapedProvider) -> None:
    [turn] = [each for each in second_request(thinking, tape, "deepseek")["messages"] if "tool_calls" in each]
    assert turn["reasoning_content"] == "Let me look."


@pytest.mark.conformance("openai", 88)
def test_gemini_gets_its_signature_again(thinking: Api, tape: TapedProvider) -> None:
    turns = second_request(thinking, tape, "gemini")["contents"]
    [part] = [part for turn in turns for part in turn["parts"] if "functionCall" in part]
    assert part["thoughtSignature"] == "U2VhbA=="


@pytest.mark.conformance("openai", 89)
def test_anthropic_gets_its_sealed_thoughts_again_and_another_model_does_not(
    thinking: Api, tape: TapedProvider
) -> None:
    def thoughts(then: str) -> list[Any]:
        turns = second_request(thinking, tape, "anthropic", then)["messages"]
        [said] = [turn["content"] for turn in turns if turn["role"] == "assistant"]
        return [block for block in said if block["type"] == "thinking"]

    assert thoughts("one") == [CALLING["anthropic"]["content"][0]]
    assert thoughts("other") == []
