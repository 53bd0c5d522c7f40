"""The official OpenAI and Ollama clients take the scripted upstream for the real thing."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import ollama
import openai
import pytest

from tests.support.upstream import ScriptedUpstream, running_upstream
from tests.unit.support.asking import PROMPT, TOOLS

MESSAGES: Any = [{"role": "user", "content": PROMPT}]


@pytest.fixture(scope="module")
def up() -> Iterator[ScriptedUpstream]:
    with running_upstream() as up:
        yield up


@pytest.fixture(scope="module")
def openai_client(up: ScriptedUpstream) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=up.openai_url, api_key="sk-test", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def ollama_client(up: ScriptedUpstream) -> Iterator[ollama.Client]:
    client = ollama.Client(up.base_url, trust_env=False)
    with client._client:
        yield client


def test_openai_streams_through_the_strict_helper(openai_client: openai.OpenAI) -> None:
    tools: Any = TOOLS
    with openai_client.chat.completions.stream(
        model="tools?calls=2", messages=MESSAGES, tools=tools, stream_options={"include_usage": True}
    ) as stream:
        completion = stream.get_final_completion()
    calls = completion.choices[0].message.tool_calls or []
    assert [call.function.arguments for call in calls] == ['{"city":"abc"}'] * 2
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 8


def test_openai_reads_whole_answers_and_the_list(openai_client: openai.OpenAI) -> None:
    completion = openai_client.chat.completions.create(model="logprobs?chunks=2", messages=MESSAGES)
    assert completion.choices[0].message.content == "000 001 "
    assert completion.usage is not None
    assert completion.usage.total_tokens == 4
    assert "basic" in [model.id for model in openai_client.models.list()]


def test_openai_raises_on_an_error_in_the_stream(openai_client: openai.OpenAI) -> None:
    stream = openai_client.chat.completions.create(
        model="fault/error_event?after_chunks=1", messages=MESSAGES, stream=True
    )
    with pytest.raises(openai.APIError, match="fell over"):
        list(stream)


def test_openai_sees_a_rate_limit(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        openai_client.chat.completions.create(model="fault/429?retry_after=2", messages=MESSAGES)
    assert caught.value.response.headers["retry-after"] == "2"


def test_ollama_streams_thoughts_and_text(ollama_client: ollama.Client) -> None:
    parts = list(ollama_client.chat(model="think", messages=MESSAGES, stream=True))
    assert "".join(part.message.thinking or "" for part in parts) == "h00 h01 h02 "
    assert "".join(part.message.content or "" for part in parts) == "000 001 002 003 "
    assert (parts[-1].prompt_eval_count, parts[-1].eval_count, parts[-1].done_reason) == (2, 7, "stop")


def test_ollama_reads_tools_images_cards_and_the_list(ollama_client: ollama.Client) -> None:
    tools: Any = TOOLS
    [call] = ollama_client.chat(model="tools", messages=MESSAGES, tools=tools).message.tool_calls or []
    assert call.function.arguments == {"city": "abc"}
    image = b64encode(b"\xff\xd8\xff" + bytes(7)).decode()
    seen = ollama_client.chat(model="image", messages=[{"role": "user", "content": "", "images": [image]}])
    assert (seen.message.content or "").startswith("image/jpeg 10 bytes")
    assert ollama_client.show("think").capabilities == ["completion", "thinking"]
    assert "basic:latest" in [model.model for model in ollama_client.list().models]


def test_ollama_raises_on_an_error_in_the_stream(ollama_client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="fell over"):
        list(ollama_client.chat(model="fault/error_event?after_chunks=1", messages=MESSAGES, stream=True))
