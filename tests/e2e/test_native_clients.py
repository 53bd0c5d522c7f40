"""The official clients on Gemini and Cohere, through the real relay; what the providers answer is synthetic."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.books import row_of
from tests.support.official_clients import ollama_client, openai_client
from tests.support.process import ServerProcess, running_server
from tests.support.relay_toml import write_relay_toml
from tests.support.upstream.taped import TapedAnswer, TapedProvider, running_tape

pytestmark = pytest.mark.e2e

HELLO: list[Any] = [{"role": "user", "content": "How is the weather in Köln?"}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What a provider answers: a stream that thinks and speaks, and one that calls a tool."""

    model: str
    speaking: Sequence[dict[str, Any]]
    calling: Sequence[dict[str, Any]]
    counts: tuple[int, int]

    def __str__(self) -> str:
        return self.model


def gemini(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 4, "thoughtsTokenCount": 5, "totalTokenCount": 16}
    told = {"content": {"role": "model", "parts": parts}, "index": 0, **more}
    return {"candidates": [told], "usageMetadata": usage, "modelVersion": "gemini-3-flash", "responseId": "r"}


def event(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    return {"type": kind, **({} if index is None else {"index": index}), "delta": {"message": message}}


def end(word: str) -> dict[str, Any]:
    billed = {"billed_units": {"input_tokens": 7, "output_tokens": 9}}
    return {"type": "message-end", "delta": {"finish_reason": word, "usage": billed}}


START = {"type": "message-start", "id": "syn-1", "delta": {"message": {"role": "assistant"}}}
GEMINI = Provider(
    model="gem/gemini-3-flash",
    speaking=(
        gemini({"text": "Let me see.", "thought": True}),
        gemini({"text": "It is "}),
        gemini({"text": "mild in Köln."}, finishReason="STOP"),
    ),
    calling=(
        gemini(
            {"functionCall": {"name": "weather", "args": {"city": "Köln"}}, "thoughtSignature": "U3lu"},
            finishReason="STOP",
        ),
    ),
    counts=(7, 9),
)
COHERE = Provider(
    model="coh/command-a-reasoning",
    speaking=(
        START,
        event("content-start", 0, content={"type": "thinking", "thinking": ""}),
        event("content-delta", 0, content={"thinking": "Let me see."}),
        event("content-start", 1, content={"type": "text", "text": ""}),
        event("content-delta", 1, content={"text": "It is "}),
        event("content-delta", 1, content={"text": "mild in Köln."}),
        end("COMPLETE"),
    ),
    calling=(
        START,
        event(
            "tool-call-start", 0,
            tool_calls={"id": "weather_1", "type": "function", "function": {"name": "weather", "arguments": ""}},
        ),
        event("tool-call-delta", 0, tool_calls={"function": {"arguments": '{"city":"Köln"}'}}),
        end("TOOL_CALL"),
    ),
    counts=(7, 9),
)  # fmt: skip
provider_of = pytest.mark.parametrize("provider", [GEMINI, COHERE], ids=str)


@pytest.fixture(scope="module")
def tape() -> Iterator[TapedProvider]:
    with running_tape() as running:
        yield running


@pytest.fixture(scope="module")
def relay(tape: TapedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("native")
    common = {"base_url": tape.base_url, "api_key": "canary"}
    providers = {
        "gem": {"kind": "gemini", "models": ["gemini-3-flash"], **common},
        "coh": {"kind": "cohere", "models": ["command-a-reasoning"], **common},
    }
    write_relay_toml(folder, {"providers": providers})
    with running_server(folder) as server:
        yield server


def put(tape: TapedProvider, *events: dict[str, Any]) -> None:
    """The next answer, in pieces that break characters."""
    data = "".join(f"data: {json.dumps(each, ensure_ascii=False)}\n\n" for each in events).encode()
    tape.calls.clear()
    tape.answers[:] = [TapedAnswer(pieces=[data[start : start + 13] for start in range(0, len(data), 13)])]


@provider_of
def test_openais_client_reads_a_stream_with_its_thoughts(
    relay: ServerProcess, tape: TapedProvider, provider: Provider
) -> None:
    put(tape, *provider.speaking)
    ids: list[str] = []
    with openai_client(relay.url, ids) as client, client.chat.completions.stream(
        model=provider.model, messages=HELLO, stream_options={"include_usage": True}
    ) as events:  # fmt: skip
        completion = events.get_final_completion()
    message: Any = completion.choices[0].message
    assert (message.content, message.reasoning_content) == ("It is mild in Köln.", "Let me see.")
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == provider.counts
    row = row_of(relay.folder, ids[0])
    assert (row["outcome"], row["usage_source"], row["model"]) == (
        "ok",
        "reported",
        provider.model.partition("/")[2],
    )
    assert (row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == provider.counts


@provider_of
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_openais_client_calls_a_tool_and_goes_on(
    relay: ServerProcess, tape: TapedProvider, provider: Provider, stream: bool
) -> None:
    put(tape, *provider.calling)
    with openai_client(relay.url) as client:
        if stream:
            with client.chat.completions.stream(model=provider.model, messages=HELLO, tools=[TOOL]) as events:
                completion: Any = events.get_final_completion()
        else:
            completion = client.chat.completions.create(model=provider.model, messages=HELLO, tools=[TOOL])
        [call] = completion.choices[0].message.tool_calls
        assert completion.choices[0].finish_reason == "tool_calls"
        assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Köln"})
        put(tape, *provider.speaking)
        spoken = {"role": "assistant", "tool_calls": [call.model_dump(include={"id", "type", "function"})]}
        result = {"role": "tool", "tool_call_id": call.id, "content": "mild"}
        again: Any = [*HELLO, spoken, result]
        last = client.chat.completions.create(model=provider.model, messages=again, tools=[TOOL])
    assert last.choices[0].message.content == "It is mild in Köln."
    sent = json.loads(tape.calls[0].body)
    answered = sent["contents"] if provider is GEMINI else sent["messages"]
    assert call.id in json.dumps(answered[1])
    assert call.id in json.dumps(answered[2])


@provider_of
def test_ollamas_client_reads_thoughts_text_and_calls(
    relay: ServerProcess, tape: TapedProvider, provider: Provider
) -> None:
    with ollama_client(relay.url) as client:
        put(tape, *provider.speaking)
        parts = list(client.chat(model=provider.model, messages=HELLO, stream=True, think=True))
        put(tape, *provider.calling)
        called = client.chat(model=provider.model, messages=HELLO, tools=[TOOL])
    assert "".join(part.message.content or "" for part in parts) == "It is mild in Köln."
    assert "".join(part.message.thinking or "" for part in parts) == "Let me see."
    assert (parts[-1].prompt_eval_count, parts[-1].eval_count) == provider.counts
    assert called.message.tool_calls is not None
    assert called.message.tool_calls[0].function.arguments == {"city": "Köln"}
