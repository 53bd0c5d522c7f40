"""Recorded answers through each provider's row: what its codec reads is what a plain reading of the JSON says."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from relay.domain.chat import Refusal, Text, Thinking, ToolCall
from relay.domain.events import Choice
from relay.domain.folding import fold
from tests.support.fakes_http import RecordingHttp, ScriptedResponse
from tests.support.laws.spoken.particulars import json_or_text
from tests.support.recordings import Recording, needs_recordings, recorded
from tests.support.strategies.cuts import chunked
from tests.support.upstream_calls import backend_for, outcome, upstream_call

pytestmark = [pytest.mark.anyio, needs_recordings]

KINDS = {
    "openai-chat": "openai",
    "groq": "groq",
    "deepseek": "deepseek",
    "mistral": "mistral",
    "together": "together",
    "cerebras": "cerebras",
    "openrouter": "openrouter",
    "ollama-compat": "openai-compatible",
}
ANSWERS = [*recorded(*KINDS, endpoint="chat", kind="sse"), *recorded(*KINDS, endpoint="chat", kind="json")]
FINISHES = {"function_call": "tool_calls", "eos": "stop"}


def replaying(recording: Recording) -> RecordingHttp:
    """HTTP that answers with the recording, in pieces of odd sizes."""
    steps = list(chunked(recording.body, (7, 41, 3, 500)))
    return RecordingHttp(
        lambda request: ScriptedResponse(steps, status=recording.status, headers=recording.headers)
    )


async def replayed(recording: Recording) -> Any:
    """The outcome of a call that gets this answer."""
    kind = KINDS[recording.provider]
    section = {"base_url": "http://localhost:8000/v1"} if kind == "openai-compatible" else {}
    backend = backend_for(kind, replaying(recording), **section)
    return await outcome(backend, upstream_call("ollama.chat", stream=recording.kind == "sse"))


def joined(values: Iterable[Any]) -> str:
    """Texts, and texts of content in parts."""
    return "".join(_texts(values, "text"))


def thought(deltas: list[dict[str, Any]]) -> str:
    """In a field of its own, in parts of the content, or in details alone."""
    plain = "".join(delta.get("reasoning_content") or delta.get("reasoning") or "" for delta in deltas)
    details = [detail for delta in deltas for detail in delta.get("reasoning_details") or ()]
    in_details = "".join(detail.get("text") or detail.get("summary") or "" for detail in details)
    return plain or "".join(_texts((delta.get("content") for delta in deltas), "thinking")) or in_details


def _texts(values: Iterable[Any], kind: str) -> Iterator[str]:
    for value in values:
        if isinstance(value, str) and kind == "text":
            yield value
        for part in value if isinstance(value, list) else ():
            if part["type"] == kind:
                yield part["text"] if kind == "text" else "".join(inner["text"] for inner in part["thinking"])


def calls(deltas: list[dict[str, Any]]) -> list[tuple[str, object]]:
    """By their index, where they have one; whole answers number none."""
    found: dict[int, list[str]] = {}
    for delta in deltas:
        for place, call in enumerate(delta.get("tool_calls") or ()):
            name, arguments = found.setdefault(call.get("index", place), ["", ""])
            function = call["function"]
            slot = call.get("index", place)
            found[slot] = [name or function.get("name") or "", arguments + (function.get("arguments") or "")]
    return [(name, json_or_text(arguments)) for name, arguments in found.values()]


def first_choice(recording: Recording) -> tuple[list[dict[str, Any]], list[str]]:
    """The deltas of the first choice, or its message, and its finish words."""
    values = recording.events if recording.kind == "sse" else [recording.value]
    choices = [
        choice for value in values for choice in value.get("choices") or () if choice.get("index", 0) == 0
    ]
    deltas = [choice.get("delta") or choice.get("message") or {} for choice in choices]
    return deltas, [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]


def counted(recording: Recording) -> tuple[int, int] | None:
    """Input and output as the provider's last report has them; what only the total knows is output."""
    values = recording.events if recording.kind == "sse" else [recording.value]
    reports = [value.get("usage") or (value.get("x_groq") or {}).get("usage") for value in values]
    report = next((report for report in reversed(reports) if report), None)
    if report is None:
        return None
    output = max(report["completion_tokens"], report["total_tokens"] - report["prompt_tokens"])
    return report["prompt_tokens"], output


def texts(choice: Choice, kind: type[Text] | type[Thinking] | type[Refusal]) -> str:
    return "".join(part.text for part in choice.parts if isinstance(part, kind))


@pytest.mark.parametrize("recording", ANSWERS)
async def test_an_answer_is_read_as_it_was_said(recording: Recording) -> None:
    result = await replayed(recording)
    if "error-in-stream" in recording.tags:
        assert result.failure is not None
        return
    assert result.is_complete
    response = fold(result.events)
    choice = response.choices[0]
    deltas, finishes = first_choice(recording)
    assert texts(choice, Text) == joined(delta.get("content") for delta in deltas)
    assert texts(choice, Thinking) == thought(deltas)
    assert texts(choice, Refusal) == joined(delta.get("refusal") for delta in deltas)
    said = [(part.name, json_or_text(part.arguments)) for part in choice.parts if isinstance(part, ToolCall)]
    assert said == calls(deltas)
    finish = FINISHES.get(finishes[0], finishes[0])
    assert choice.finish == ("tool_calls" if said and finish == "stop" else finish)
    usage = response.usage
    assert (usage and (usage.input_tokens, usage.output_tokens)) == counted(recording)


@pytest.mark.parametrize("recording", recorded(*KINDS, endpoint="chat", failed=True))
async def test_an_error_is_told_without_the_relays_credential(recording: Recording) -> None:
    result = await replayed(recording)
    assert result.failure is not None
    assert result.failure.provider_status == recording.status
    assert (result.failure.code == "upstream_authentication") == (recording.status == 401)
